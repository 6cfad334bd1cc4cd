import { type Dialect, STDERR_LIMIT, sentDialect } from './dialect.ts';
import { createFrameReader, type Frame, type HostWord, type InstalledRunner, plainText } from './frames.ts';
import { type Lines, writeLines } from './lines.ts';
import { notReady } from './not-ready.ts';
import { answeredWith, type PendingStep, unanswered, unknownTo } from './pending-step.ts';
import {
  checkFirstSteps,
  checkStep,
  type FirstSteps,
  type HostFacts,
  type HostShell,
  isSameStep,
  type RemoteStep,
  type StepResult,
} from './remote-step.ts';
import type { ShellLimits } from './shell-limits.ts';
import type { HostStream, StreamEnd } from './transports/stream.ts';

const GARBAGE_LIMIT = 256 * 1024;
const KILL_AFTER_MS = 2_000;

/** A step that was sent with the runner, and may be asked for later. */
interface First {
  readonly number: number;
  readonly step: RemoteStep;
  readonly result: Promise<StepResult>;
}

/** Starts the runner on a stream and talks with it. */
export class ResidentShell implements HostShell {
  root = false;
  /** The runner that is installed on the host, once it is known; null where one was sent. */
  installed: InstalledRunner | null = null;
  /** How the host's runner is spoken to: as to one that was sent, unless told otherwise before the first step. */
  dialect: Dialect = sentDialect();
  /** Keeps what a look found out about the host, if anybody wants it. */
  remember: (facts: HostFacts) => void = () => {};
  private readonly host: string;
  private readonly stream: HostStream;
  private readonly limits: ShellLimits;
  private readonly reader;
  private readonly pending = new Map<number, PendingStep>();
  /** Output limits of every step that was ever sent: an answer may come after we stopped waiting for it. */
  private readonly asked = new Map<number, { readonly stdout: number; readonly stderr: number }>();
  private readonly tracing: number[] = [];
  private readonly first = new Map<string, First>();
  /** When the process of the first steps started, as the host found it. */
  private found: string | null = null;
  private lost = false;
  private left = false;
  private stderr = new Uint8Array(0);
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

  /**
   * Sends the runner, and right behind it the first steps in the dialect that it is thought to speak; waits until it is ready.
   * `run` then takes their answers. Rejects with LookFailed; the stream is given up then. Throws TypeError for steps that cannot
   * be sent.
   */
  async start(runner: string, first: FirstSteps | null = null): Promise<void> {
    if (first !== null) checkFirstSteps(first);
    const [quick = [], ...others] = (first?.steps ?? []).map((step) => this.begin(step));
    const wait = others.length > 0 && quick.length > 0 ? [this.dialect.wait] : [];
    const word = await new Promise<HostWord | StreamEnd | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), this.limits.readyMs);
      this.onReady = (heard) => {
        this.onReady = null;
        clearTimeout(timer);
        if (heard !== null && 'kind' in heard && heard.kind === 'ready') this.ready(heard);
        resolve(heard);
      };
      writeLines(this.stream.stdin, [runner, ...quick, ...wait, ...others.flat()]);
    });
    this.onReady = null;
    if (word !== null && 'kind' in word && word.kind === 'ready') return;
    this.lose();
    this.stream.destroy();
    const known =
      word !== null && !('kind' in word) && this.reader.heard() === ''
        ? this.stream.explain?.(word, Buffer.from(this.stderr).toString('latin1'))
        : undefined;
    throw known ?? notReady(this.host, word, this.reader.heard() || plainText(this.stderr), this.limits.readyMs);
  }

  run(step: RemoteStep): Promise<StepResult> {
    checkStep(step);
    const first = this.first.get(step.id);
    if (first !== undefined) {
      this.first.delete(step.id);
      // Only what would be asked for now in just the same words counts as asked for.
      if (isSameStep(first.step, this.found, step)) return first.result;
      this.cancelNumber(first.number);
    }
    return this.ask(step);
  }

  /** Writes down a first step, which is on its way with the runner; empty for one that this host does not run. */
  private begin(step: RemoteStep): Lines {
    let written: Lines = [];
    const number = this.asked.size + 1;
    const result = this.ask(step, (lines) => {
      written = lines;
    });
    if (written.length > 0) this.first.set(step.id, { number, step, result });
    return written;
  }

  /** The runner is ready, and with it the first steps have started. */
  private ready(word: HostWord & { readonly kind: 'ready' }): void {
    this.root = word.uid === 0;
    this.installed = word.installed;
    this.found = word.first;
    for (const { number } of this.first.values()) {
      const pending = this.pending.get(number);
      if (pending !== undefined) this.startClock(number, pending);
    }
  }

  private ask(step: RemoteStep, early?: (lines: Lines) => void): Promise<StepResult> {
    const seconds = Math.ceil(step.seconds);
    const stderrBytes = Math.min(step.bytes, STDERR_LIMIT);
    const number = this.asked.size + 1;
    const lines = this.dialect.lines(number, step, seconds);
    if (lines === null) return Promise.resolve(unknownTo(this.host, step));
    this.asked.set(number, { stdout: step.bytes, stderr: stderrBytes });
    return new Promise((resolve) => {
      const now = Date.now();
      const pending: PendingStep = { step, seconds, lines, resolve, cancelled: false, startedAt: now, deadline: null };
      if (this.lost || this.left) {
        resolve(unanswered(pending, 'connection-lost'));
        return;
      }
      this.pending.set(number, pending);
      if (step.ptraces) this.tracing.push(number);
      if (early !== undefined) early(lines);
      else if (!step.ptraces || this.tracing[0] === number) this.send(number, pending);
    });
  }

  cancel(stepId: string): void {
    for (const [number, pending] of this.pending) {
      if (pending.step.id === stepId) this.cancelNumber(number);
    }
  }

  leave(): void {
    // What waits for its turn could not be sent any more.
    if (this.left || this.lost || this.tracing.length > 0) return;
    for (const { number } of this.first.values()) this.cancelNumber(number);
    this.left = true;
    this.stream.stdin.end('sb_leave\n');
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

  private cancelNumber(number: number): void {
    const pending = this.pending.get(number);
    if (pending === undefined || pending.cancelled) return;
    pending.cancelled = true;
    if (pending.deadline !== null && !this.left) this.stream.stdin.write(`sb_end ${number}\n`);
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
    this.settle(frame.step, pending, answeredWith(frame, pending));
  }

  private settle(number: number, pending: PendingStep, result: StepResult): void {
    if (pending.deadline !== null) clearTimeout(pending.deadline);
    this.pending.delete(number);
    const place = this.tracing.indexOf(number);
    if (place !== -1) this.tracing.splice(place, 1);
    pending.resolve(result);
    const next = this.tracing[0];
    const waiting = next === undefined ? undefined : this.pending.get(next);
    if (next !== undefined && waiting?.deadline === null && !this.lost) this.send(next, waiting);
  }

  private startClock(number: number, pending: PendingStep): void {
    const ms = pending.seconds * 1000 + KILL_AFTER_MS + this.limits.graceMs;
    pending.deadline = setTimeout(() => this.settle(number, pending, unanswered(pending, 'timed-out')), ms);
    pending.startedAt = Date.now();
  }

  private send(number: number, pending: PendingStep): void {
    this.startClock(number, pending);
    // Told of the end before the start, the runner answers without running anything.
    writeLines(this.stream.stdin, pending.cancelled ? [`sb_end ${number}\n`, ...pending.lines] : pending.lines);
  }

  private lose(): void {
    this.lost = true;
    for (const [number, pending] of [...this.pending]) {
      this.settle(number, pending, unanswered(pending, 'connection-lost'));
    }
  }
}
