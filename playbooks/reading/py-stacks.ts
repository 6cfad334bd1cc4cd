import { type Evidence, evidenceErrorText, evidenceLines, type Parsed, UnseenReason } from '../model/index.ts';
import { MotionReading } from '../probes/py-stacks.motion.ts';
import type { PyStacksData, PythonThread } from '../probes/py-stacks.ts';
import { TurnsReading } from '../probes/py-stacks.turns.ts';
import { unquote } from './quoted-names.ts';

type Stack = PythonThread['stacks'][number];
type Frame = Stack['frames'][number];

// A name as the script prints it: a plain word, or in double quotes with escapes.
const NAME = String.raw`("(?:[^"\\]|\\.)*"|[^\s"\\]+)`;
const HEADER = /^python (\S+) samples (\d+) seconds ([\d.]+) interpreters-not-read (\d+)$/;
const THREAD = new RegExp(`^thread (\\d+|\\?) ${NAME} samples (\\d+) gil (\\d+) unread (\\d+) other-stacks (\\d+)$`);
const WAITS = new RegExp(`^ {2}waits for ${NAME} at (0x[0-9a-f]+) owner (\\d+|unknown)$`);
const STACK = /^ {2}stack (\d+) of \d+$/;
const FRAME = new RegExp(
  `^ {4}${NAME} {2}${NAME}:(-?\\d+) {2}\\(def at (\\d+)\\)(?: {2}\\[signal handler (\\d+) \\S+\\])?$`,
);
const HOLDS = new RegExp(`^ {6}inside with ${NAME} at (0x[0-9a-f]+)$`);
const NOTE = new RegExp(`^note ${NAME}$`);
const UNREADABLE = /^unreadable (\S+) (.+)$/;

/** What has been read so far, while going down the lines. */
class Reading {
  readonly threads: PythonThread[] = [];
  readonly partly: string[] = [];
  readonly motion = new MotionReading();
  readonly turns = new TurnsReading();
  private thread: PythonThread | undefined;
  private stack: Stack | undefined;
  private frame: Frame | undefined;
  ended = false;
  private strange = 0;

  line(text: string, at: number): void {
    if (!this.read(text, at)) this.strange += 1;
  }

  finish(): string[] {
    if (this.strange > 0) this.partly.push(`${this.strange} lines of the stacks could not be understood.`);
    if (!this.ended) this.partly.push('The output with the stacks was cut: threads at its end are missing.');
    const unread = this.threads.filter((thread) => thread.samples > 0 && thread.unread === thread.samples).length;
    if (unread > 0)
      this.partly.push(`${unread} threads changed too fast or made no sense: their stacks were never read.`);
    return this.partly;
  }

  private read(text: string, at: number): boolean {
    if (text === '') return true;
    if (text === 'end') {
      this.ended = true;
      return true;
    }
    if (text === 'cut') return true;
    if (this.turns.begin(text, at) || this.turns.read(text, at)) return true;
    this.turns.end();
    return (
      this.readFrame(text, at) ||
      this.readHolds(text) ||
      this.readStack(text) ||
      this.readThread(text, at) ||
      this.readWaits(text, at) ||
      this.readMotion(text, at) ||
      this.readOther(text)
    );
  }

  private readFrame(text: string, at: number): boolean {
    const match = FRAME.exec(text);
    if (!match || !this.stack) return false;
    const [, name = '', file = '', line = '', firstLine = '', signal] = match;
    this.frame = {
      function: unquote(name),
      file: unquote(file),
      line: Number(line),
      firstLine: Number(firstLine),
      signal: signal === undefined ? null : Number(signal),
      holds: [],
      at,
    };
    this.stack.frames.push(this.frame);
    return true;
  }

  private readHolds(text: string): boolean {
    const match = HOLDS.exec(text);
    if (!match || !this.frame) return false;
    const [, type = '', address = ''] = match;
    this.frame.holds.push({ type: unquote(type), address });
    return true;
  }

  private readStack(text: string): boolean {
    const match = STACK.exec(text);
    if (!match || !this.thread) return false;
    this.stack = { count: Number(match[1]), frames: [] };
    this.frame = undefined;
    this.thread.stacks.push(this.stack);
    return true;
  }

  private readThread(text: string, at: number): boolean {
    const match = THREAD.exec(text);
    if (!match) return false;
    const [, tid = '', name = '', samples, gil, unread, otherStacks] = match;
    this.thread = {
      tid: tid === '?' ? null : Number(tid),
      name: unquote(name),
      samples: Number(samples),
      gil: Number(gil),
      stacks: [],
      unread: Number(unread),
      otherStacks: Number(otherStacks),
      waitsFor: null,
      motion: null,
      at,
    };
    this.stack = undefined;
    this.frame = undefined;
    this.threads.push(this.thread);
    return true;
  }

  private readWaits(text: string, at: number): boolean {
    const match = WAITS.exec(text);
    if (!match || !this.thread) return false;
    const [, type = '', address = '', owner = ''] = match;
    this.thread.waitsFor = {
      type: unquote(type),
      address,
      ownerTid: owner === 'unknown' ? null : Number(owner),
      at,
    };
    return true;
  }

  private readMotion(text: string, at: number): boolean {
    const begun = this.motion.begin(text, at);
    if (begun === null) return this.motion.read(text, at);
    if (!this.thread) return false;
    this.thread.motion = begun;
    return true;
  }

  private readOther(text: string): boolean {
    const note = NOTE.exec(text);
    if (note) {
      this.partly.push(unquote(note[1] ?? ''));
      return true;
    }
    if (/^ {4}\.\.\. /.test(text) && this.stack) {
      const of = this.thread?.tid === null ? 'a thread' : `thread ${this.thread?.tid}`;
      const sentence = `Stacks of ${of} are so deep that some of their frames are not shown.`;
      if (!this.partly.includes(sentence)) this.partly.push(sentence);
      return true;
    }
    return false;
  }
}

/** Why there is nothing, when the output does not begin with the header. */
const failed = (evidence: Evidence, first: string): Parsed<PyStacksData> => {
  const match = UNREADABLE.exec(first);
  const reason = UnseenReason.safeParse(match?.[1]);
  if (match?.[2] && reason.success) return { ok: false, reason: reason.data, why: match[2] };
  if (evidence.end === 'timed-out') {
    return { ok: false, reason: 'timed-out', why: 'Reading the Python stacks did not end in time.' };
  }
  if (evidence.end === 'connection-lost') {
    return { ok: false, reason: 'connection-lost', why: 'The connection was lost while the Python stacks were read.' };
  }
  if (evidence.end === 'target-gone') {
    return { ok: false, reason: 'target-gone', why: 'The process ended before its Python stacks were read.' };
  }
  const complaint = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  return {
    ok: false,
    reason: evidence.exit === 126 || evidence.exit === 127 ? 'missing-tool' : 'failed',
    why: complaint === '' ? 'The Python stacks were not printed.' : `The Python stacks were not printed: ${complaint}`,
  };
};

/**
 * Reads what the script py-stacks.py prints: a header, then per thread its stacks, innermost frame first; an `end` line
 * shows that nothing was cut. Or one line `unreadable REASON SENTENCE`. Never throws.
 */
export const parsePyStacks = (evidence: Evidence): Parsed<PyStacksData> => {
  const [first = '', ...rest] = evidenceLines(evidence);
  const header = HEADER.exec(first);
  if (!header) return failed(evidence, first);
  const reading = new Reading();
  rest.forEach((text, index) => {
    reading.line(text, index + 2);
  });
  const [, version = '', samples, seconds, notRead] = header;
  return {
    ok: true,
    data: {
      version,
      samples: Number(samples),
      seconds: Number(seconds),
      threads: reading.threads,
      interpretersNotRead: Number(notRead),
      source: reading.motion.source,
      ...(reading.turns.tasks && { tasks: reading.turns.tasks }),
      ...(reading.turns.greenlets && { greenlets: reading.turns.greenlets }),
    },
    partly: reading.finish(),
  };
};
