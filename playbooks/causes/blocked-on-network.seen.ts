import type { PythonFrame } from '../model/index.ts';
import type { SampleData, SampledThread } from '../probes/sample.ts';
import type { Socket } from '../probes/sockets.ts';
import type { Connection } from '../reading/connections.ts';
import { ownFrame, type PythonThreadView, type PythonView, threadOf } from '../reading/python.ts';
import {
  intArgument,
  isReadiness,
  isReceive,
  isSend,
  type SampledCall,
  sampledCalls,
  socketInode,
  waitLimit,
} from '../reading/syscalls.ts';
import type { TurnView } from '../reading/turns.ts';
import { type Purpose, purposeOf, steadyStack } from './blocked-on-network.waits.ts';

/** A thread that was in one wait on the network for the whole window. */
export interface Wait {
  readonly thread: SampledThread;
  readonly python: PythonThreadView | null;
  readonly call: SampledCall;
  readonly connection: Connection;
  readonly purpose: Purpose;
  /** The program's own frame that waits, and the innermost one of all. */
  readonly own: PythonFrame | null;
  /** Null without a timeout, else its length in milliseconds. */
  readonly timeoutMs: number | null;
  /** The socket was not named by the call itself but told from what the process has open. */
  readonly guessed: boolean;
  /** It is the process's main thread. */
  readonly main: boolean;
  /** It waits in a loop over several descriptors or with a timeout that has come and gone: so it may wait for something else. */
  readonly loop: boolean;
  /** The tasks or greenlets that wait, when it is not the thread itself: its loop waits for many things. */
  readonly turn?: TurnView;
}

/** Samples of the thread that must be in the same call. */
const WHOLE = 0.97;
/** A timeout so long that to a person it is none. */
const LONG_MS = 30_000;
/** Who sleeps through the window gives up its processor once at most; who wakes more often is given something to go on. */
const SLEEPS_ON = 1;

/** The call that a thread was in for (nearly) all samples; null when there is none. */
export const steadyCall = (thread: SampledThread): SampledCall | null => {
  const [first] = sampledCalls(thread);
  return first !== undefined && first.share >= WHOLE && thread.samples >= 4 ? first : null;
};

/** The connection that a readiness call waits for: the only one on which the other side owes something. */
const owing = (all: ReadonlyMap<string, Connection>): Connection | null => {
  const candidates = [...all.values()].filter(
    (each) =>
      each.socket.kind.startsWith('tcp') &&
      each.side !== 'server' &&
      (each.socket.state === 'SYN-SENT' ||
        (each.socket.state === 'ESTAB' && each.spokeLast && each.socket.receiveQueue === 0)),
  );
  return candidates.length === 1 ? (candidates[0] ?? null) : null;
};

/** The wait of a thread on one connection, which its call or the only open question names; null when it is in none. */
export const waitOf = (
  thread: SampledThread,
  pid: number,
  view: PythonView | null,
  all: ReadonlyMap<string, Connection>,
): Wait | null => {
  const call = steadyCall(thread);
  if (call === null || (thread.voluntarySwitches ?? 0) > SLEEPS_ON) return null;
  const python = threadOf(view, thread.tid);
  const stack = python === null ? null : steadyStack(python);
  const purpose: Purpose = stack === null ? { kind: 'unknown' } : purposeOf(stack);
  const own = stack === null ? null : ownFrame(stack);
  const base = { thread, python, call, purpose, own, main: python?.main ?? thread.tid === pid, loop: false };
  if (isReceive(call.name) || isSend(call.name) || call.name === 'connect') {
    const connection = all.get(socketInode(call.fd) ?? '');
    return connection === undefined ? null : { ...base, connection, timeoutMs: null, guessed: false };
  }
  // An epoll or select loop over many descriptors is a server's way to wait; a single poll is how clients wait.
  if (!isReadiness(call.name) || !/^p?poll$/.test(call.name)) return null;
  const limit = waitLimit(call.name, call.args);
  const timeoutMs = limit === 'some' && call.name === 'poll' ? intArgument(call.args, 2) : null;
  if (limit === 'now' || (limit === 'some' && (timeoutMs === null || timeoutMs < LONG_MS))) return null;
  if (intArgument(call.args, 1) !== 1) return null;
  const connection = owing(all);
  return connection === null ? null : { ...base, connection, timeoutMs, guessed: true };
};

/** Modules whose frames say that a loop waits, and nothing of what for. */
export const LOOPS = /\/(asyncio|trio|curio|uvloop|gevent|eventlet|twisted|tornado)\/|\/(selectors|asyncore)\.py$/;

/**
 * Somebody else's bytes may come by it: not the pair of unix sockets by which a loop wakes itself, and not what was given
 * as its standard streams, such as the journal's socket that systemd gives to services.
 */
const outside = (socket: Socket, all: ReadonlyMap<string, Connection>): boolean =>
  socket.state === 'ESTAB' &&
  !(
    socket.kind === 'unix' &&
    ((socket.fd !== null && socket.fd <= 2) || all.has(/:(\d+)$/.exec(socket.peer)?.[1] ?? ''))
  );

/**
 * The one connection of a process that serves nobody and can hear from nobody else over a socket: it spoke last there,
 * as a client. Null when there is none, or more than it.
 */
const onlyQuestion = (all: ReadonlyMap<string, Connection>): Connection | null => {
  const connection = owing(all);
  if (connection === null || connection.side !== 'client' || connection.socket.state !== 'ESTAB') return null;
  const others = [...all.values()].filter((each) => each !== connection && outside(each.socket, all));
  return others.length === 0 ? connection : null;
};

/**
 * A loop that has nothing to wait for but the answer on its only connection, as far as can be seen: nobody else's bytes
 * came or went in the window. With a timeout that comes again and again (`poll` each second) it must have woken for
 * nothing: a single wait with a timeout ends by itself. A registered descriptor is not seen, so it stays a hint.
 */
export const loopWaitOf = (
  thread: SampledThread,
  data: SampleData,
  pid: number,
  view: PythonView | null,
  all: ReadonlyMap<string, Connection>,
): Wait | null => {
  const call = steadyCall(thread);
  if (call === null || !isReadiness(call.name)) return null;
  const connection = onlyQuestion(all);
  const { io } = data.process;
  if (connection === null || (io !== null && io.rchar + io.wchar > 0)) return null;
  const limit = waitLimit(call.name, call.args);
  const switches = thread.voluntarySwitches ?? 0;
  let timeoutMs: number | null = null;
  if (limit === 'some') {
    timeoutMs = intArgument(call.args, call.name === 'poll' ? 2 : 3);
    if (!/^(poll|epoll_p?wait)$/.test(call.name) || timeoutMs === null) return null;
    const rounds = (data.seconds * 1000) / timeoutMs;
    if (switches < 2 || switches > rounds + 5 || (connection.socket.lastSentMs ?? 0) < 1.5 * timeoutMs) return null;
  } else if (limit !== 'none' || switches > 5) return null;
  const python = threadOf(view, thread.tid);
  const stack = python === null ? null : steadyStack(python);
  const frames = stack === null ? [] : stack.frames.filter((frame) => !LOOPS.test(frame.file));
  const purpose: Purpose = stack === null ? { kind: 'unknown' } : purposeOf({ ...stack, frames });
  const own = stack === null ? null : ownFrame(stack);
  const main = python?.main ?? thread.tid === pid;
  return { thread, python, call, purpose, own, main, connection, timeoutMs, guessed: true, loop: true };
};
