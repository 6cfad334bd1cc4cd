import type { PythonView } from '../reading/python.ts';
import { isSend } from '../reading/syscalls.ts';
import { duration } from '../reading/text.ts';
import type { Wait } from './blocked-on-network.seen.ts';

/** A confidence from 0 to 1 and the link that was inferred; null for none. */
export interface Sureness {
  readonly confidence: number;
  readonly inferred: string | null;
}

/** A timeout after which nobody waits any more. */
const ENDLESS_MS = 120_000;

/** Ports of brokers, on which asking and then waiting long for the next thing is what clients are there for. */
const BROKERS = new Set([6379, 5672, 5671, 9092, 4222, 1883, 8883, 61_613, 61_616, 2181, 11_300, 4150]);

/** Ports and libraries of databases, in which a question may take long to answer and be answered all the same. */
const DATABASES = new Set([5432, 6432, 3306, 33_060, 1433, 1521, 27_017, 9042, 8123, 9000, 50_000, 5439, 10_000]);
const DATABASE_LIBRARIES = /^(psycopg|pymysql|pymongo|asyncpg)$/;

/** Seconds since the question was asked, at the end of the window; null when that is not known. */
const ageOfQuestion = ({ connection }: Wait, windowSeconds: number): number | null => {
  const { lastSentMs, bytesSent, sendQueue, state } = connection.socket;
  // What the other side has not even taken is no question that it thinks about.
  return lastSentMs === null || (bytesSent ?? 0) === 0 || sendQueue > 0 || state !== 'ESTAB'
    ? null
    : lastSentMs / 1000 + windowSeconds;
};

/** A young question may still be answered: how sure one can be at the most, by its age and by who was asked. */
const aged = (sure: Sureness, wait: Wait, windowSeconds: number, silence: number): Sureness => {
  const atEnd = ageOfQuestion(wait, windowSeconds);
  if (atEnd === null) return sure;
  const age = atEnd + silence;
  const { purpose, connection } = wait;
  const database =
    DATABASES.has(connection.peer.port ?? 0) || (purpose.kind === 'answer' && DATABASE_LIBRARIES.test(purpose.library));
  const limit = database ? (age < 15 ? 0.45 : age < 60 ? 0.7 : 1) : age < 6 ? 0.78 : age < 20 ? 0.86 : 1;
  if (sure.confidence <= limit) return sure;
  const young = `that no answer comes any more: it was asked ${duration(age)} ago, and a slow answer${database ? ', such as that of a long query,' : ''} may still come`;
  return { confidence: limit, inferred: sure.inferred === null ? young : `${sure.inferred}; and ${young}` };
};

/** Loops of consumers, of subscribers and of those that only send look the same: never more than a hint. */
const loopSureness = ({ connection, purpose, timeoutMs, call }: Wait): Sureness | null => {
  const never = connection.socket.bytesReceived === 0;
  if (purpose.kind === 'messages' || BROKERS.has(connection.peer.port ?? 0)) return null;
  const inferred =
    'that it asked something and an answer is owed; that its loop waits for nothing else, such as a pipe; and that the other side does not just have nothing to say';
  const confidence = timeoutMs === null ? (never ? 0.45 : 0.35) : never && call.name === 'poll' ? 0.4 : 0.3;
  return { confidence, inferred };
};

/**
 * How sure it is that the other side owes something, with the link that was inferred; null when it is no fault at all.
 * `windowSeconds`: how long the window was. `silence`: how many seconds after it packets were watched and none came.
 */
export const sureness = (
  wait: Wait,
  view: PythonView | null,
  othersBusy: boolean,
  serves: boolean,
  windowSeconds: number,
  silence: number,
): Sureness | null => {
  const sure = atAnyAge(wait, view, othersBusy, serves);
  return sure === null || wait.loop ? sure : aged(sure, wait, windowSeconds, silence);
};

const atAnyAge = (wait: Wait, view: PythonView | null, othersBusy: boolean, serves: boolean): Sureness | null => {
  const { connection, purpose, call } = wait;
  const { socket } = connection;
  if (socket.state === 'SYN-SENT') return { confidence: 0.95, inferred: null };
  if (connection.side === 'server' || purpose.kind === 'requests') return null;
  if (wait.loop) return loopSureness(wait);
  if (isSend(call.name)) {
    return socket.sendQueue > 0 ? { confidence: 0.92, inferred: null } : null;
  }
  if (socket.state !== 'ESTAB' || socket.receiveQueue > 0) return null;
  if (socket.sendQueue > 0 && /^on\b/.test(socket.timer ?? '')) return { confidence: 0.93, inferred: null };
  // A window of nothing: the other side has room for no more, and what was given to the kernel lies there.
  if (wait.turn !== undefined && socket.sendQueue > 0 && /^persist\b/.test(socket.timer ?? ''))
    return { confidence: 0.92, inferred: null };
  const tcp = socket.kind.startsWith('tcp');
  // Of unix sockets the kernel counts nothing, nor does /proc of others.
  const never = socket.bytesReceived === 0;
  let confidence = 0;
  let inferred: string | null = 'that the other side owes an answer, and does not just have nothing to say';
  if (purpose.kind === 'answer') {
    confidence = never ? 0.9 : 0.86;
    inferred = never
      ? null
      : `that what ${purpose.library} waits for is owed now: something had come on this connection before`;
  } else if (purpose.kind === 'messages') {
    return {
      confidence: 0.25,
      inferred: 'its functions are named as those of a consumer, for which waiting is normal',
    };
  } else if (tcp && connection.spokeLast) {
    confidence = never ? 0.75 : 0.62;
    if (purpose.kind === 'asking') confidence += 0.08;
    if (BROKERS.has(connection.peer.port ?? 0) && purpose.kind !== 'asking') confidence = 0.4;
  } else if (tcp && connection.side === 'client') {
    const silent = never && (socket.bytesSent ?? 0) === 0;
    confidence = purpose.kind === 'asking' ? 0.6 : silent ? 0.5 : 0.3;
    if (BROKERS.has(connection.peer.port ?? 0)) confidence = 0.3;
    inferred = silent ? 'that the other side should have spoken first' : 'that more was to come';
  } else {
    // What lies in the send queue of a unix socket is what the other side has not even read (unix(7), ss(8)).
    confidence = purpose.kind !== 'asking' ? 0.3 : socket.kind === 'unix' && socket.sendQueue > 0 ? 0.6 : 0.45;
  }
  if (tcp && connection.side === 'unknown' && purpose.kind !== 'answer') confidence -= 0.1;
  if (wait.guessed) {
    confidence -= purpose.kind === 'answer' ? 0.06 : 0.15;
    inferred = `${inferred === null ? '' : `${inferred}; and `}which connection it waits for: it is the only one with an answer outstanding`;
  }
  // Beside threads that get on, a thread in the background may wait as long as it likes.
  if (!wait.main && othersBusy && !serves && purpose.kind !== 'answer') confidence = Math.min(confidence, 0.45);
  // With a timeout the wait has an end that somebody chose; one of minutes comes too late for whoever waits for this process.
  if (wait.timeoutMs !== null) confidence = Math.min(confidence, wait.timeoutMs >= ENDLESS_MS ? 0.6 : 0.45);
  if (view === null && purpose.kind === 'unknown') confidence = Math.min(confidence, 0.6);
  return { confidence, inferred };
};
