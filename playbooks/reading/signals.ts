import type { PythonFrame, PythonStack } from '../model/index.ts';
import type { SignalRecord, StraceData, SyscallRecord } from '../probes/strace.ts';
import { splitArguments } from './syscalls.ts';

/** What stacks and traces say about signals. */

/** Numbers of signal(7) that are the same on all architectures that Python runs on, save MIPS, Alpha and SPARC. */
const NAMES: readonly string[] = (
  '- HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG ' +
  'XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ');

/** `SIGTERM` for 15; `signal 40` for one without a name. */
export const signalName = (number: number): string => {
  const name = number > 0 ? NAMES[number] : undefined;
  return name === undefined ? `signal ${number}` : `SIG${name}`;
};

/** Signals by which a process is asked or made to end. SIGHUP is one too, but also the usual way to ask for a reload. */
const ENDING = new Set(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGKILL', 'SIGHUP']);

/** Whether somebody who sends this signal usually wants the receiver to end. */
export const asksToEnd = (signal: string): boolean => ENDING.has(signal);

/** Whether a mask of /proc/PID/status (SigCgt, SigIgn, …: hex, bit 0 is signal 1; proc_pid_status(5)) has a signal. */
export const inMask = (mask: string | null, signal: string): boolean => {
  const number = NAMES.indexOf(signal.replace(/^SIG/, ''));
  if (mask === null || number < 1 || !/^[0-9a-f]{1,32}$/i.test(mask)) return false;
  return ((BigInt(`0x${mask}`) >> BigInt(number - 1)) & 1n) === 1n;
};

/** One run of a signal handler on a stack: it interrupted the code of the frames further out. */
export interface HandlerRun {
  readonly signal: number;
  /** The handler's own frame. */
  readonly handler: PythonFrame;
  /** Frames that the handler called, itself last; innermost first. */
  readonly inside: readonly PythonFrame[];
  /** Frames that were interrupted and go on only when the handler has returned; innermost first. */
  readonly interrupted: readonly PythonFrame[];
}

/** The handler runs of a stack, innermost first. Several when signals interrupted handlers. */
export const handlerRuns = (stack: PythonStack): HandlerRun[] =>
  stack.frames.flatMap((frame, index) =>
    frame.signal === null
      ? []
      : [
          {
            signal: frame.signal,
            handler: frame,
            inside: stack.frames.slice(0, index + 1),
            interrupted: stack.frames.slice(index + 1),
          },
        ],
  );

/** Whether a signal handler is on the stack. */
export const inHandler = (stack: PythonStack): boolean => stack.frames.some((frame) => frame.signal !== null);

/** One signal that was sent or delivered several times, between the same two. */
export interface Repeated {
  readonly signal: string;
  /** Receiver when sent (negative: a process group, kill(2)), sender when received. */
  readonly peer: number;
  /** Threads that made the calls, or that took the signal. */
  readonly tids: readonly number[];
  /** Seconds since the trace began, ascending. */
  readonly times: readonly number[];
  /** Evidence lines, one for each time. */
  readonly lines: readonly number[];
}

/** Where the calls that send signals have the receiver and the signal (kill(2), tgkill(2)). */
const SENDERS: Readonly<Record<string, readonly [number, number]>> = { kill: [0, 1], tkill: [0, 1], tgkill: [0, 2] };

const numberAt = (parts: readonly string[], index: number): number | null => {
  // `4711<name>` with -Y, a name in a comment with others.
  const match = /^(-?\d{1,10})(?:$|[<\s/])/.exec(parts[index] ?? '');
  return match?.[1] === undefined ? null : Number(match[1]);
};

const sentBy = (call: SyscallRecord): { peer: number; signal: string } | null => {
  if (call.result !== '0') return null;
  const parts = splitArguments(call.args);
  const where = SENDERS[call.name];
  if (where !== undefined) {
    const peer = numberAt(parts, where[0]);
    const signal = /^SIG[A-Z0-9_]+/.exec(parts[where[1]] ?? '')?.[0];
    return peer === null || signal === undefined ? null : { peer, signal };
  }
  if (call.name !== 'pidfd_send_signal') return null;
  // With -y: `5<pid:4711>`.
  const peer = /^\d+<pid:(\d{1,10})>/.exec(parts[0] ?? '')?.[1];
  const signal = /^SIG[A-Z0-9_]+/.exec(parts[1] ?? '')?.[0];
  return peer === undefined || signal === undefined ? null : { peer: Number(peer), signal };
};

const gather = (
  events: readonly { signal: string; peer: number; tid: number; time: number; at: number }[],
): Repeated[] => {
  const groups = new Map<string, typeof events>();
  for (const event of events) {
    const key = `${event.signal} ${event.peer}`;
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const ordered = group.toSorted((a, b) => a.time - b.time || a.at - b.at);
    return [
      {
        signal: first.signal,
        peer: first.peer,
        tids: [...new Set(group.map((event) => event.tid))],
        times: ordered.map((event) => event.time),
        lines: ordered.map((event) => event.at),
      },
    ];
  });
};

/**
 * Signals that the process with these threads (its pid among them) sent to others, by receiver and signal. What it sent
 * to itself, to pid 0 or to everybody is left out, and what its children sent, which a trace follows.
 */
export const sentSignals = (data: StraceData, own: ReadonlySet<number>): Repeated[] =>
  gather(
    data.detail.calls.flatMap((call) => {
      const sent = own.has(call.tid) ? sentBy(call) : null;
      return sent === null || own.has(sent.peer) || sent.peer === 0 || sent.peer === -1
        ? []
        : [{ ...sent, tid: call.tid, time: call.time, at: call.at }];
    }),
  );

/** Codes that say that a process sent it by kill(2), sigqueue(3) or tgkill(2), and not the kernel or a timer. */
const BY_A_PROCESS = new Set(['SI_USER', 'SI_QUEUE', 'SI_TKILL']);

/** Signals that other processes sent to the one with these threads (its pid among them), by sender and signal. */
export const receivedSignals = (data: StraceData, own: ReadonlySet<number>): Repeated[] =>
  gather(
    data.detail.signals.flatMap((record: SignalRecord) =>
      record.pid === null ||
      own.has(record.pid) ||
      !own.has(record.tid) ||
      record.code === null ||
      !BY_A_PROCESS.has(record.code)
        ? []
        : [{ signal: record.signal, peer: record.pid, tid: record.tid, time: record.time, at: record.at }],
    ),
  );

/** Seconds since the trace began at which these children were reported dead (SIGCHLD), by pid. */
export const childEnds = (data: StraceData): ReadonlyMap<number, number> =>
  new Map(
    data.detail.signals.flatMap((record): [number, number][] =>
      record.signal === 'SIGCHLD' && record.pid !== null && /^CLD_(EXITED|KILLED|DUMPED)$/.test(record.code ?? '')
        ? [[record.pid, record.time]]
        : [],
    ),
  );

/** The middle one of the pauses between the times, and whether all are near it: a beat and not a coincidence. */
export const beat = (times: readonly number[]): { seconds: number; steady: boolean } | null => {
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time));
  const middle = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)];
  if (middle === undefined) return null;
  const near = gaps.filter((gap) => gap >= 0.5 * middle - 0.005 && gap <= 2 * middle + 0.005);
  return { seconds: middle, steady: near.length >= 0.8 * gaps.length };
};
