/** One step's answer. Bytes stay bytes until the frame is whole. */
export interface Frame {
  readonly step: number;
  readonly how: 'exited' | 'target-gone';
  readonly exit: number;
  readonly milliseconds: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly dropped: number;
}

/** A runner that an administrator installed on the host, which runs only what it knows. */
export interface InstalledRunner {
  readonly version: string;
  /** The impacts that its administrator allows, as the host says them. */
  readonly allows: readonly string[];
}

/** What the far side says, in order. Nothing follows `garbage`. */
export type HostWord =
  | {
      readonly kind: 'ready';
      readonly uid: number;
      readonly folder: string;
      readonly installed: InstalledRunner | null;
      /** When the process of the first steps started, as the host read it before them; null when it was not asked or has none. */
      readonly first: string | null;
    }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'garbage'; readonly why: string };

export interface FrameReader {
  /** Takes the next bytes, cut anywhere; returns what became whole. Never throws. */
  readonly push: (chunk: Uint8Array) => HostWord[];
  /** The first bytes that belonged to no frame (a login message, an error), as text for a person; at most 300 characters. */
  readonly heard: () => string;
}

export interface FrameLimits {
  /** Bytes that may belong to no frame: messages at login, output of start-up files. */
  readonly garbage: number;
  /** The most bytes of a stream that a step may answer with; undefined for a step that was never asked for. */
  readonly of: (step: number) => { readonly stdout: number; readonly stderr: number } | undefined;
}

interface Body {
  readonly step: number;
  readonly how: Frame['how'];
  readonly exit: number;
  readonly milliseconds: number;
  readonly stdoutBytes: number;
  readonly dropped: number;
  readonly bytes: Uint8Array;
  filled: number;
}

const LINE_LIMIT = 512;
const HEARD_LIMIT = 300;
const NEWLINE = 0x0a;
const READY =
  /^ready 1 (\d{1,10}) (\/[A-Za-z0-9_./-]{1,200})(?: installed ([0-9a-f]{12}) ([a-z,-]{1,100}))?(?: first (?:(\d{1,20})|gone))?$/;
const REFUSED = /^refused ([ -~]{1,200})$/;
const STEP = /^step (\d{1,9}) (exited|target-gone) (\d{1,3}) (\d{1,12}) (\d{1,12}) (\d{1,15}) (\d{1,12}) (\d{1,15})$/;

/** Text from a host for a sentence that a person reads: one line, no control characters, at most `limit` characters. */
export const plainText = (bytes: Uint8Array, limit = HEARD_LIMIT): string => {
  const text = new TextDecoder()
    .decode(bytes)
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim();
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
};

/** Reads frames whose header lines begin with `nonce`; everything between frames that does not is skipped up to a limit. */
export const createFrameReader = (nonce: string, limits: FrameLimits): FrameReader => {
  const prefix = `${nonce} `;
  const line = new Uint8Array(LINE_LIMIT);
  const heard: number[] = [];
  let lineBytes = 0;
  let garbage = 0;
  let body: Body | null = null;
  let dead = false;

  const die = (why: string): HostWord => {
    dead = true;
    body = null;
    return { kind: 'garbage', why };
  };

  const whole = (done: Body): HostWord => ({
    kind: 'frame',
    frame: {
      step: done.step,
      how: done.how,
      exit: done.exit,
      milliseconds: done.milliseconds,
      stdout: done.bytes.subarray(0, done.stdoutBytes),
      stderr: done.bytes.subarray(done.stdoutBytes),
      dropped: done.dropped,
    },
  });

  const startBody = (fields: RegExpExecArray): HostWord | null => {
    const [step, exit, milliseconds, stdoutBytes, stdoutRest, stderrBytes, stderrRest] = [1, 3, 4, 5, 6, 7, 8].map(
      (index) => Number(fields[index]),
    ) as [number, number, number, number, number, number, number];
    const most = limits.of(step);
    if (most === undefined) return die('it answered a step that was never asked for');
    if (stdoutBytes > most.stdout || stderrBytes > most.stderr) return die('it answered with more than was asked for');
    const next: Body = {
      step,
      how: fields[2] === 'exited' ? 'exited' : 'target-gone',
      exit,
      milliseconds,
      stdoutBytes,
      dropped: stdoutRest + stderrRest,
      bytes: new Uint8Array(stdoutBytes + stderrBytes),
      filled: 0,
    };
    if (next.bytes.length === 0) return whole(next);
    body = next;
    return null;
  };

  const endLine = (): HostWord | null => {
    const text = lineBytes > LINE_LIMIT ? '' : Buffer.from(line.buffer, 0, lineBytes).toString('latin1');
    const skipped = lineBytes;
    lineBytes = 0;
    if (!text.startsWith(prefix)) {
      garbage += skipped + 1;
      if (heard.length < HEARD_LIMIT) heard.push(...line.subarray(0, Math.min(skipped, LINE_LIMIT)), NEWLINE);
      return garbage > limits.garbage ? die('it answered with something that is not ours') : null;
    }
    const words = text.slice(prefix.length);
    const step = STEP.exec(words);
    if (step !== null) return startBody(step);
    const ready = READY.exec(words);
    if (ready !== null) {
      const [, uid, folder = '', version, allows = '', first = null] = ready;
      const installed = version === undefined ? null : { version, allows: allows.split(',') };
      return { kind: 'ready', uid: Number(uid), folder, installed, first };
    }
    const refused = REFUSED.exec(words);
    if (refused !== null) return { kind: 'refused', reason: refused[1] ?? '' };
    return die('it answered with a line that makes no sense');
  };

  /** Takes bytes of a line up to its newline; returns how many were used. */
  const takeLine = (bytes: Uint8Array): number => {
    const newline = bytes.indexOf(NEWLINE);
    const part = newline === -1 ? bytes : bytes.subarray(0, newline);
    if (lineBytes < LINE_LIMIT) line.set(part.subarray(0, LINE_LIMIT - lineBytes), lineBytes);
    lineBytes += part.length;
    return part.length;
  };

  const takeBody = (open: Body, bytes: Uint8Array): number => {
    const part = bytes.subarray(0, open.bytes.length - open.filled);
    open.bytes.set(part, open.filled);
    open.filled += part.length;
    return part.length;
  };

  const push = (chunk: Uint8Array): HostWord[] => {
    const words: HostWord[] = [];
    let at = 0;
    while (at < chunk.length && !dead) {
      const rest = chunk.subarray(at);
      let word: HostWord | null = null;
      if (body !== null) {
        at += takeBody(body, rest);
        if (body.filled === body.bytes.length) {
          word = whole(body);
          body = null;
        }
      } else {
        const used = takeLine(rest);
        at += used;
        if (at < chunk.length) {
          at += 1;
          word = endLine();
        } else if (lineBytes + garbage > limits.garbage + LINE_LIMIT) {
          word = die('it answered with something that is not ours');
        }
      }
      if (word !== null) words.push(word);
    }
    return words;
  };

  const openLine = () => line.subarray(0, Math.min(lineBytes, LINE_LIMIT));
  return { push, heard: () => plainText(Uint8Array.from([...heard, ...openLine()])) };
};
