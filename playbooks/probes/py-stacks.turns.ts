import { z } from 'zod';
import { LineNumber, type PythonFrame, PythonStack } from '../model/index.ts';
import { unquote } from '../reading/quoted-names.ts';

/** Tasks or greenlets that are in the same stack, in the same state, and wait for the same kind of thing. */
export const TurnGroup = z.object({
  count: z.number().int(),
  /** How many of them were in this very wait, for the same object, at both looks: early in the window and at its end. */
  still: z.number().int(),
  /** Type: `_asyncio.Task`, `greenlet.greenlet`, or the name of a class derived from these. */
  type: z.string(),
  /** `ready`: its turn comes; `created`: it has not begun; `running`: it is on its thread's stack, so `stack` is empty. */
  state: z.enum(['waiting', 'ready', 'created', 'running']),
  /** Kernel thread id of the thread that runs its loop or on whose C stack it runs; null when it cannot be told. */
  tid: z.number().int().nullable(),
  /** Type of the object that a task's innermost coroutine awaits (`_asyncio.Future`); null for greenlets. */
  awaits: z.string().nullable(),
  /**
   * Seconds until a timer of the loop ends the wait (`wait_for`, `timeout`, `sleep`), of the member for which that takes
   * longest; null when no timer does, absent where that cannot be told. Of greenlets the limit of the socket or of the
   * `Timeout` block that they are in.
   */
  limitSeconds: z.number().nullable().optional(),
  /** Descriptors of the sockets that the innermost frames have to do with, of the first two dozen members. */
  sockets: z.array(z.number().int()),
  /** Names of the first few tasks; empty where they have none. */
  names: z.array(z.string()),
  /** Where they stand; frames innermost first, from the innermost coroutine out to the task's own. */
  stack: PythonStack,
  at: LineNumber,
});
export type TurnGroup = z.infer<typeof TurnGroup>;

/** All asyncio tasks that are not done, or all greenlets that are suspended, most numerous groups first. */
export const Turns = z.object({
  /** How many there are. */
  found: z.number().int(),
  /** Whether that is all of them; false when there may be more. */
  complete: z.boolean(),
  /** How many of them could be read, at the last look. */
  read: z.number().int(),
  groups: z.array(TurnGroup),
  /** How many are in stacks beyond the limit. */
  others: z.number().int(),
  at: LineNumber,
});
export type Turns = z.infer<typeof Turns>;

const NAME = String.raw`("(?:[^"\\]|\\.)*"|[^\s"\\]+)`;
const HEAD = /^(asyncio tasks|greenlets) found (\d{1,9})( or more)? read (\d{1,9})$/;
const GROUP = new RegExp(
  `^ {2}(\\d{1,9}) of type ${NAME} (waiting|ready|created|running), (\\d{1,9}) of them all the while, in thread (\\d{1,9}|\\?), for ${NAME}, on sockets (-|\\d{1,9}(?:,\\d{1,9})*)(?:, (?:for (?:at most )?(\\d{1,9}) s(?: more)?|without a limit))?$`,
);
const CALLED = new RegExp(`^ {4}called (${NAME}(?: ${NAME})*)$`);
const FRAME = new RegExp(`^ {4}${NAME} {2}${NAME}:(-?\\d{1,9}) {2}\\(def at (\\d{1,9})\\)$`);
const LEFT_OUT = /^ {4}\.\.\. \d{1,9} frames left out$/;
const OTHERS = /^ {2}(\d{1,9}) more in other stacks$/;

/** Reads the lines on tasks and greenlets that follow those on threads. */
export class TurnsReading {
  tasks: Turns | undefined;
  greenlets: Turns | undefined;
  #open: Turns | null = null;
  #group: TurnGroup | null = null;

  /** Whether the line begins a part on tasks or greenlets, and has been taken in. */
  begin(text: string, at: number): boolean {
    const match = HEAD.exec(text);
    if (match === null) return false;
    const [, kind, found, more, read] = match;
    this.#open = { found: Number(found), complete: more === undefined, read: Number(read), groups: [], others: 0, at };
    this.#group = null;
    if (kind === 'greenlets') this.greenlets = this.#open;
    else this.tasks = this.#open;
    return true;
  }

  /** Ends the part: a line of another kind has come. */
  end(): void {
    this.#open = this.#group = null;
  }

  /** Whether the line was one of an open part, and has been taken in. */
  read(text: string, at: number): boolean {
    if (this.#open === null) return false;
    return this.#readGroup(text, at, this.#open) || this.#readInGroup(text, at);
  }

  #readGroup(text: string, at: number, open: Turns): boolean {
    const others = OTHERS.exec(text);
    if (others !== null) open.others = Number(others[1]);
    const match = GROUP.exec(text);
    if (match === null) return others !== null;
    const [, count, type = '', state, still, tid, awaits = '', sockets = '', seconds] = match;
    const limit = seconds === undefined ? null : Number(seconds);
    this.#group = {
      count: Number(count),
      still: Number(still),
      type: unquote(type),
      state: TurnGroup.shape.state.parse(state),
      tid: tid === '?' ? null : Number(tid),
      awaits: awaits === '-' ? null : unquote(awaits),
      ...((limit !== null || text.endsWith(', without a limit')) && { limitSeconds: limit }),
      sockets: sockets === '-' ? [] : sockets.split(',').map(Number),
      names: [],
      stack: { count: Number(count), frames: [] },
      at,
    };
    open.groups.push(this.#group);
    return true;
  }

  #readInGroup(text: string, at: number): boolean {
    if (this.#group === null) return false;
    const frame = FRAME.exec(text);
    if (frame !== null) {
      const [, name = '', file = '', line, firstLine] = frame;
      this.#group.stack.frames.push({
        function: unquote(name),
        file: unquote(file),
        line: Number(line),
        firstLine: Number(firstLine),
        signal: null,
        holds: [],
        at,
      } satisfies PythonFrame);
      return true;
    }
    const called = CALLED.exec(text);
    if (called?.[1] !== undefined) {
      for (const name of called[1].matchAll(new RegExp(NAME, 'g'))) this.#group.names.push(unquote(name[0]));
      return true;
    }
    return LEFT_OUT.test(text);
  }
}
