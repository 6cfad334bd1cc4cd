import { LookFailed } from '../../playbooks/model/index.ts';
import { type Dialect, STDERR_LIMIT, sentDialect } from './dialect.ts';
import { createFrameReader, type Frame, type HostWord, type InstalledRunner, plainText } from './frames.ts';
import { checkStep, type HostShell, type RemoteStep, type StepResult } from './remote-step.ts';
import type { HostStream, StreamEnd } from './transports/stream.ts';

export interface ShellLimits {
  /** Milliseconds for connection and login. */
  readonly connectMs: number;
  /** Milliseconds for the runner to say that it is ready. */
  readonly readyMs: number;
  /** Milliseconds beyond a step's own limits after which its answer is no longer waited for. */
  readonly graceMs: number;
  /** Milliseconds for the host to clear up when the shell is closed. */
  readonly closeMs: number;
}

export const SHELL_LIMITS: ShellLimits = { connectMs: 15_000, readyMs: 20_000, graceMs: 6_000, closeMs: 8_000 };

const GARBAGE_LIMIT = 256 * 1024;
const KILL_AFTER_MS = 2_000;
const NOTHING = new Uint8Array(0);

interface Pending {
  readonly step: RemoteStep;
  readonly seconds: number;
  /** What starts it, one or more lines for the runner. */
  readonly lines: string;
  readonly resolve: (result: StepResult) => void;
  cancelled: boolean;
  startedAt: number;
  deadline: NodeJS.Timeout | null;
}

/** What the runner could not do without, as a sentence about `host`. */
const refusal = (host: string, reason: string): LookFailed => {
  const [code, ...rest] = reason.split(' ');
  const what = rest.join(' ');
  if (code === 'no-proc') {
    return new LookFailed(
      'not-linux',
      `${host} has no readable /proc, so it is not a Linux host that can be examined.`,
    );
  }
  if (code === 'not-installed') {
    const how = 'install it there (`straceback host-kit FOLDER` has it), or set runner: auto';
    return new LookFailed('host-garbage', `${host} has no installed runner, and its settings ask for one; ${how}.`);
  }
  if (code === 'busy') {
    return new LookFailed(
      'busy',
      `The runner on ${host} has all the sessions that it takes; ask again when some are done.`,
    );
  }
  if (code === 'missing') {
    const need = `The command \`${what}\` is missing on ${host}`;
    return new LookFailed('host-garbage', `${need}; install coreutils (or a current busybox) there and ask again.`);
  }
  const where = '/dev/shm, /tmp and $TMPDIR';
  return new LookFailed(
    'host-garbage',
    `${host} has no folder to write to (${where}); make room in one and ask again.`,
  );
};

const isTimeLimit = (frame: Frame, seconds: number): boolean =>
  (frame.exit === 124 || frame.exit === 137 || frame.exit === 143) && frame.milliseconds >= seconds * 1000 - 20;

/** Starts the runner on a stream and talks with it. */
export class ResidentShell implements HostShell {
  root = false;
  /** The runner that is installed on the host, once it is known; null where one was sent. */
  installed: InstalledRunner | null = null;
  /** How the host's runner is spoken to: as to one that was sent, unless told otherwise before the first step. */
  dialect: Dialect = sentDialect('/');
  private readonly host: string;
  private readonly stream: HostStream;
  private readonly limits: ShellLimits;
  private readonly reader;
  private readonly pending = new Map<number, Pending>();
  /** Output limits of every step that was ever sent: an answer may come after we stopped waiting for it. */
  private readonly asked = new Map<number, { readonly stdout: number; readonly stderr: number }>();
  private readonly tracing: number[] = [];
  private lost = false;
  private stderr = NOTHING;
  private onReady: ((word: HostWord | StreamEnd | null) => void) | null = null;

  constructor(host: string, stream: HostStream, nonce: string, limits: ShellLimits) {
    this.host = host;
    this.stream = stream;
    this.limits = limits;
    this.reader = createFrameReader(nonce, { garbage: GARBAGE_LIMIT, of: (step) => this.asked.get(step) });
    // A write to a far end that has gone is reported by `closed`.
    stream.stdin.on('error', () => {});
    stream.stdout.on('error', () => {});
    stream.stderr.on('error', () => {});
    stream.stdout.on('data', (chunk: Buffer) => this.hear(chunk));
    stream.stderr.on('data', (chunk: Buffer) => {
      if (this.stderr.length < 2_000) this.stderr = Buffer.concat([this.stderr, chunk.subarray(0, 2_000)]);
    });
    void stream.closed.then((end) => {
      this.lose();
      this.onReady?.(end);
    });
  }

  /** Sends the runner and waits until it is ready. Rejects with LookFailed; the stream is given up then. */
  async start(runner: string): Promise<void> {
    const word = await new Promise<HostWord | StreamEnd | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), this.limits.readyMs);
      this.onReady = (first) => {
        clearTimeout(timer);
        resolve(first);
      };
      this.stream.stdin.write(runner);
    });
    this.onReady = null;
    if (word !== null && 'kind' in word && word.kind === 'ready') {
      this.root = word.uid === 0;
      this.installed = word.installed;
      this.dialect = sentDialect(word.folder);
      return;
    }
    this.lose();
    this.stream.destroy();
    throw this.notReady(word);
  }

  run(step: RemoteStep): Promise<StepResult> {
    checkStep(step);
    const seconds = Math.ceil(step.seconds);
    const stderrBytes = Math.min(step.bytes, STDERR_LIMIT);
    const number = this.asked.size + 1;
    const lines = this.dialect.lines(number, step, seconds);
    if (lines === null) return Promise.resolve(this.unknownStep(step));
    this.asked.set(number, { stdout: step.bytes, stderr: stderrBytes });
    return new Promise((resolve) => {
      const now = Date.now();
      const pending: Pending = { step, seconds, lines, resolve, cancelled: false, startedAt: now, deadline: null };
      if (this.lost) {
        resolve(this.without(pending, 'connection-lost'));
        return;
      }
      this.pending.set(number, pending);
      if (step.ptraces) this.tracing.push(number);
      if (!step.ptraces || this.tracing[0] === number) this.send(number, pending);
    });
  }

  cancel(stepId: string): void {
    for (const [number, pending] of this.pending) {
      if (pending.step.id !== stepId || pending.cancelled) continue;
      pending.cancelled = true;
      if (pending.deadline !== null) this.stream.stdin.write(`sb_end ${number}\n`);
    }
  }

  async close(): Promise<void> {
    if (!this.stream.stdin.writableEnded) this.stream.stdin.end();
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.limits.closeMs);
    });
    await Promise.race([this.stream.closed, enough]);
    clearTimeout(timer);
    this.lose();
    this.stream.destroy();
  }

  private hear(chunk: Uint8Array): void {
    for (const word of this.reader.push(chunk)) {
      if (word.kind === 'frame') this.answer(word.frame);
      else if (this.onReady !== null) this.onReady(word);
      else if (word.kind === 'garbage') {
        this.lose();
        this.stream.destroy();
      }
    }
  }

  private answer(frame: Frame): void {
    const pending = this.pending.get(frame.step);
    if (pending === undefined) return;
    const timedOut = frame.how === 'exited' && isTimeLimit(frame, pending.seconds);
    const end = timedOut ? 'timed-out' : frame.how;
    this.settle(frame.step, pending, {
      end,
      exit: end === 'exited' ? frame.exit : null,
      startedAt: pending.startedAt,
      seconds: frame.milliseconds / 1000,
      stdout: frame.stdout,
      stderr: frame.stderr,
      dropped: frame.dropped,
    });
  }

  private settle(number: number, pending: Pending, result: StepResult): void {
    if (pending.deadline !== null) clearTimeout(pending.deadline);
    this.pending.delete(number);
    const place = this.tracing.indexOf(number);
    if (place !== -1) this.tracing.splice(place, 1);
    pending.resolve(result);
    const next = this.tracing[0];
    const waiting = next === undefined ? undefined : this.pending.get(next);
    if (next !== undefined && waiting?.deadline === null && !this.lost) this.send(next, waiting);
  }

  private send(number: number, pending: Pending): void {
    const ms = pending.seconds * 1000 + KILL_AFTER_MS + this.limits.graceMs;
    pending.deadline = setTimeout(() => this.settle(number, pending, this.without(pending, 'timed-out')), ms);
    pending.startedAt = Date.now();
    // Told of the end before the start, the runner answers without running anything.
    this.stream.stdin.write(pending.cancelled ? `sb_end ${number}\n${pending.lines}` : pending.lines);
  }

  private without(pending: Pending, end: 'timed-out' | 'connection-lost'): StepResult {
    const seconds = (Date.now() - pending.startedAt) / 1000;
    return { end, exit: null, startedAt: pending.startedAt, seconds, stdout: NOTHING, stderr: NOTHING, dropped: 0 };
  }

  private lose(): void {
    this.lost = true;
    for (const [number, pending] of [...this.pending]) {
      this.settle(number, pending, this.without(pending, 'connection-lost'));
    }
  }

  private unknownStep(step: RemoteStep): StepResult {
    const said = `The runner that is installed on ${this.host} does not run this command of ${step.id}`;
    const stderr = new TextEncoder().encode(`${said}, or not with what was asked for.\n`);
    return { end: 'exited', exit: 126, startedAt: Date.now(), seconds: 0, stdout: NOTHING, stderr, dropped: 0 };
  }

  private notReady(word: HostWord | StreamEnd | null): LookFailed {
    if (word !== null && 'kind' in word && word.kind === 'refused') return refusal(this.host, word.reason);
    if (word !== null && !('kind' in word) && this.reader.heard() === '') {
      const known = this.stream.explain?.(word, Buffer.from(this.stderr).toString('latin1'));
      if (known !== undefined) return known;
    }
    const heard = this.reader.heard() || plainText(this.stderr);
    if (word === null && heard === '') {
      const waited = `${Math.round(this.limits.readyMs / 1000)} seconds`;
      const sentence = `${this.host} let us in but gave no shell within ${waited}; log in by hand and see what holds it up.`;
      return new LookFailed('unreachable', sentence);
    }
    const quote = heard === '' ? 'nothing' : `“${heard}”`;
    const sentence = `${this.host} gave no usable shell but answered ${quote}; check the account's login shell and start-up files there.`;
    return new LookFailed('host-garbage', sentence);
  }
}
