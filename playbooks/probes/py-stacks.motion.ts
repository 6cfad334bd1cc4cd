import { z } from 'zod';
import { LineNumber } from '../model/index.ts';
import { unquote } from '../reading/quoted-names.ts';

/** How one thing that a frame refers to changed over the looks. Values of anything but numbers are not shown. */
export const MotionVariable = z.object({
  /**
   * A local or global variable, an attribute (`self.rounds`), a size (`len(pending)`), `@iterator0` for what a `for` loop
   * goes over (outer loops first) or `@instruction` for where the frame is.
   */
  name: z.string(),
  /** Type of the value; `mixed` when it changed, `size` for a length, `endless` for a count without an end. */
  type: z.string(),
  looks: z.number().int(),
  /** Looks in which it was another value than in the one before. */
  changes: z.number().int(),
  /** Changes of a number, a size or an iterator's position to a larger or a smaller one. */
  up: z.number().int(),
  down: z.number().int(),
  /** Changes back to a value that it had had before. */
  back: z.number().int(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  /** How many looks at a number fit into a course that only rises; null when it is no number. */
  rising: z.number().int().nullable(),
  /** The same for one that only falls. */
  falling: z.number().int().nullable(),
  at: LineNumber,
});
export type MotionVariable = z.infer<typeof MotionVariable>;

/** A call of a compiled regular expression that the innermost frame was in. */
export const PatternCall = z.object({
  /** `match`, `search`, `sub`, … */
  method: z.string(),
  /** The pattern's text, at most its first 400 characters; null when it could not be read. */
  pattern: z.string().nullable(),
  /** Type and length of the text that it is matched with; its content is not read. */
  subject: z.object({ type: z.string(), length: z.number() }),
  /** Looks in which it was this call, of those at this frame. */
  looks: z.number().int(),
  of: z.number().int(),
  at: LineNumber,
});
export type PatternCall = z.infer<typeof PatternCall>;

export const MotionFrame = z.object({
  /** 0 is the outermost frame. */
  depth: z.number().int(),
  function: z.string(),
  file: z.string(),
  firstLine: z.number().int(),
  /** What was the same in all looks. */
  still: z.array(z.string()),
  moving: z.array(MotionVariable),
  /** The call of a compiled regular expression that it was most often in; absent when it was in none. */
  matching: PatternCall.optional(),
  at: LineNumber,
});
export type MotionFrame = z.infer<typeof MotionFrame>;

/** What the variables of a thread's frames did, seen in those samples in which it held the interpreter lock. */
export const Motion = z.object({
  looks: z.number().int(),
  /** Whether everything that the frames refer to could be looked at. */
  complete: z.boolean(),
  frames: z.array(MotionFrame),
  at: LineNumber,
});
export type Motion = z.infer<typeof Motion>;

/** A line of the source of a function in which a running thread was for most of the window. */
export const SourceLine = z.object({ file: z.string(), line: z.number().int(), text: z.string(), at: LineNumber });
export type SourceLine = z.infer<typeof SourceLine>;

const NAME = String.raw`("(?:[^"\\]|\\.)*"|[^\s"\\]+)`;
const HEAD = /^ {2}variables in (\d{1,9}) looks while it ran: (all|some)$/;
const FRAME = new RegExp(`^ {4}frame (\\d{1,9}) ${NAME} {2}${NAME} {2}\\(def at (\\d{1,9})\\)$`);
const MATCHING = new RegExp(
  `^ {6}calls (\\w+) of pattern ${NAME} on (\\w+) of (\\d{1,15}) in (\\d{1,9}) of (\\d{1,9}) looks$`,
);
const STILL = new RegExp(`^ {6}still: (${NAME}(?: {2}${NAME})*)$`);
const MOVING = new RegExp(
  `^ {6}${NAME}: ${NAME}, (\\d{1,9}) changes in (\\d{1,9}) looks, (\\d{1,9}) up, (\\d{1,9}) down, (\\d{1,9}) back(?:, from (\\S+) to (\\S+?))?(?:, of which (\\d{1,9}) rising (\\d{1,9}) falling)?$`,
);
const SOURCE = new RegExp(`^source ${NAME}$`);
const TEXT = /^ {2}(\d{1,9})\| (.*)$/;

/** Reads the lines that py-motion.py adds to a thread's, and those with source text. */
export class MotionReading {
  readonly source: SourceLine[] = [];
  #file: string | null = null;
  #motion: Motion | null = null;
  #frame: MotionFrame | null = null;

  /** A line of this kind that begins a thread's part, or null. */
  begin(text: string, at: number): Motion | null {
    const match = HEAD.exec(text);
    if (match === null) return null;
    this.#frame = null;
    this.#motion = { looks: Number(match[1]), complete: match[2] === 'all', frames: [], at };
    return this.#motion;
  }

  /** Whether the line was one of a motion or of source text, and has been taken in. */
  read(text: string, at: number): boolean {
    return (
      this.#readFrame(text, at) ||
      this.#readStill(text) ||
      this.#readMatching(text, at) ||
      this.#readMoving(text, at) ||
      this.#readSource(text, at)
    );
  }

  #readFrame(text: string, at: number): boolean {
    const match = FRAME.exec(text);
    if (match === null || this.#motion === null) return false;
    const [, depth, name = '', file = '', firstLine] = match;
    this.#frame = {
      depth: Number(depth),
      function: unquote(name),
      file: unquote(file),
      firstLine: Number(firstLine),
      still: [],
      moving: [],
      at,
    };
    this.#motion.frames.push(this.#frame);
    return true;
  }

  #readStill(text: string): boolean {
    const match = STILL.exec(text);
    if (match === null || this.#frame === null) return false;
    for (const name of (match[1] ?? '').match(new RegExp(NAME, 'g')) ?? []) this.#frame.still.push(unquote(name));
    return true;
  }

  #readMatching(text: string, at: number): boolean {
    const match = MATCHING.exec(text);
    if (match === null || this.#frame === null) return false;
    const [, method = '', pattern = '', type = '', length, looks, of] = match;
    this.#frame.matching = {
      method,
      pattern: pattern === '?' ? null : unquote(pattern),
      subject: { type, length: Number(length) },
      looks: Number(looks),
      of: Number(of),
      at,
    };
    return true;
  }

  #readMoving(text: string, at: number): boolean {
    const match = MOVING.exec(text);
    if (match === null || this.#frame === null) return false;
    const [, name = '', type = '', changes, looks, up, down, back, from, to, rising, falling] = match;
    this.#frame.moving.push({
      name: unquote(name),
      type: unquote(type),
      looks: Number(looks),
      changes: Number(changes),
      up: Number(up),
      down: Number(down),
      back: Number(back),
      from: from ?? null,
      to: to ?? null,
      rising: rising === undefined ? null : Number(rising),
      falling: falling === undefined ? null : Number(falling),
      at,
    });
    return true;
  }

  #readSource(text: string, at: number): boolean {
    const head = SOURCE.exec(text);
    if (head !== null) {
      this.#file = unquote(head[1] ?? '');
      return true;
    }
    const match = TEXT.exec(text);
    if (match === null || this.#file === null) return false;
    this.source.push({ file: this.#file, line: Number(match[1]), text: match[2] ?? '', at });
    return true;
  }
}
