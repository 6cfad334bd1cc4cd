import {
  defineCause,
  type FindingDraft,
  type Fix,
  type Look,
  type Observation,
  type PythonFrame,
  type Quote,
} from '../model/index.ts';
import { type SampleData, type SampledThread, sample } from '../probes/sample.ts';
import { sockets } from '../probes/sockets.ts';
import { type Connection, connections, listeners } from '../reading/connections.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  type PythonView,
  pythonThreads,
  quoteFrame,
  threadName,
  threadOf,
} from '../reading/python.ts';
import {
  cpuShare,
  intArgument,
  isReadiness,
  isReceive,
  isSend,
  type SampledCall,
  sampledCalls,
  socketInode,
  unreadableShare,
  waitLimit,
} from '../reading/syscalls.ts';
import { bytes, code, count, duration, list, shellCommand, visible } from '../reading/text.ts';
import { type Purpose, purposeOf, steadyStack } from './blocked-on-network.waits.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** A thread that was in one wait on the network for the whole window. */
interface Wait {
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
}

/** Samples of the thread that must be in the same call. */
const WHOLE = 0.97;
/** A timeout so long that to a person it is none. */
const LONG_MS = 30_000;

/** Ports of brokers, on which asking and then waiting long for the next thing is what clients are there for. */
const BROKERS = new Set([6379, 5672, 5671, 9092, 4222, 1883, 8883, 61_613, 61_616, 2181, 11_300, 4150]);

const steadyCall = (thread: SampledThread): SampledCall | null => {
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

const waitOf = (thread: SampledThread, view: PythonView | null, all: ReadonlyMap<string, Connection>): Wait | null => {
  const call = steadyCall(thread);
  if (call === null) return null;
  const python = threadOf(view, thread.tid);
  const stack = python === null ? null : steadyStack(python);
  const purpose: Purpose = stack === null ? { kind: 'unknown' } : purposeOf(stack);
  const own = stack === null ? null : ownFrame(stack);
  const base = { thread, python, call, purpose, own };
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

/** How sure it is that the other side owes something, with the link that was inferred; null when it is no fault at all. */
const sureness = (
  wait: Wait,
  view: PythonView | null,
  othersBusy: boolean,
  serves: boolean,
): { confidence: number; inferred: string | null } | null => {
  const { connection, purpose, call, thread } = wait;
  const { socket } = connection;
  const main = wait.python?.main ?? false;
  if (socket.state === 'SYN-SENT') return { confidence: 0.95, inferred: null };
  if (connection.side === 'server' || purpose.kind === 'requests') return null;
  if (isSend(call.name)) {
    return socket.sendQueue > 0 ? { confidence: 0.92, inferred: null } : null;
  }
  if (socket.state !== 'ESTAB' || socket.receiveQueue > 0) return null;
  if (socket.sendQueue > 0 && /^on\b/.test(socket.timer ?? '')) return { confidence: 0.93, inferred: null };
  const never = (socket.bytesReceived ?? 0) === 0;
  const tcp = socket.kind.startsWith('tcp');
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
    confidence = 0.3;
  }
  if (tcp && connection.side === 'unknown' && purpose.kind !== 'answer') confidence -= 0.1;
  if (wait.guessed) {
    confidence -= purpose.kind === 'answer' ? 0.06 : 0.15;
    inferred = `${inferred === null ? '' : `${inferred}; and `}which connection it waits for: it is the only one with an answer outstanding`;
  }
  // Beside threads that get on, a thread in the background may wait as long as it likes.
  if (!main && othersBusy && !serves && purpose.kind !== 'answer') confidence = Math.min(confidence, 0.45);
  // With a timeout, however long, the wait has an end that somebody chose.
  if (wait.timeoutMs !== null) confidence = Math.min(confidence, 0.45);
  if (view === null && thread.tid !== 0 && purpose.kind === 'unknown') confidence = Math.min(confidence, 0.6);
  return { confidence, inferred };
};

const ageOf = (connection: Connection): string => {
  const { lastSentMs, lastReceivedMs, bytesSent, bytesReceived } = connection.socket;
  const sent =
    (bytesSent ?? 0) > 0 && lastSentMs !== null
      ? `it sent ${bytes(bytesSent ?? 0)}, the last of them ${duration(lastSentMs / 1000)} before the look`
      : 'it has sent nothing';
  const got =
    (bytesReceived ?? 0) > 0 && lastReceivedMs !== null
      ? `got ${bytes(bytesReceived ?? 0)}, the last ${duration(lastReceivedMs / 1000)} before`
      : 'has never got a byte';
  return `On this connection ${sent}, and ${got}.`;
};

const peerName = (wait: Wait): string => {
  const { socket } = wait.connection;
  return socket.kind.startsWith('tcp') ? visible(socket.peer) : `${socket.kind} socket ${visible(socket.peer)}`;
};

const timeoutCode = (purpose: Purpose): string => {
  const library = purpose.kind === 'answer' ? purpose.library : '';
  if (library === 'requests') return 'session.get(url, timeout=(3.05, 30))   # connect and read, on every call';
  if (library === 'urllib' || library === 'urllib3')
    return 'urllib.request.urlopen(url, timeout=30)   # urllib3.Timeout(connect=3, read=30)';
  if (library === 'http.client')
    return 'http.client.HTTPConnection(host, timeout=30)   # urlopen(url, timeout=30), requests.get(url, timeout=(3.05, 30))';
  if (library === 'psycopg')
    return 'psycopg2.connect(dsn, connect_timeout=5, options="-c statement_timeout=30000", tcp_user_timeout=30000)';
  if (library === 'pymysql') return 'pymysql.connect(..., connect_timeout=5, read_timeout=30, write_timeout=30)';
  if (library === 'redis')
    return 'redis.Redis(..., socket_connect_timeout=3, socket_timeout=10, health_check_interval=30)';
  if (/^(smtplib|ftplib|imaplib|poplib|nntplib|telnetlib)$/.test(library))
    return `${library} classes take timeout=30 when the connection is made`;
  return 'sock = socket.create_connection(address, timeout=5)\nsock.settimeout(30)   # recv and sendall then raise TimeoutError';
};

const fixesFor = (wait: Wait): Fix[] => {
  const { connection, own, purpose } = wait;
  const where = own === null ? '' : ` at ${code(`${own.file}:${own.line}`, 200)}`;
  const { address, port } = connection.peer;
  const here = /^(127\.|::1$)/.test(address);
  const fixes: Fix[] = [
    {
      title: `Give the call${where} a timeout`,
      detail:
        wait.timeoutMs === null
          ? 'It waits without one, so it would wait for ever. Set a timeout for connecting and one for each answer, and decide what happens then: retry a bounded number of times with growing pauses, only what may safely be done twice.'
          : `Its timeout is ${duration(wait.timeoutMs / 1000)}: longer than whoever waits for this process will. Set a shorter one, and decide what happens then.`,
      code: timeoutCode(purpose),
    },
  ];
  if (port !== null) {
    fixes.push({
      title: `See what ${visible(connection.socket.peer)} is doing`,
      detail:
        connection.socket.state === 'SYN-SENT'
          ? 'Nobody answers the request to connect: the host is down, a firewall drops it, or its queue of connections is full.'
          : here
            ? 'It is on this host: find the process and diagnose it too.'
            : 'The other side may be overloaded, hung or gone without closing (a dropped NAT or firewall entry looks like this). Keepalive would notice that in minutes.',
      code: here
        ? `${shellCommand(['ss', '-ltnp', `sport = :${port}`])}`
        : `${shellCommand(['ss', '-tnoi', 'dst', address, 'and', 'dport', '=', `:${port}`])}\n${shellCommand(['nc', '-vz', '-w', '3', address, String(port)])}`,
    });
  }
  return fixes;
};

const quotesFor = (look: Look, sampled: Seen<SampleData>, wait: Wait): Quote[] => {
  const seen = look.see(sockets);
  const { python, own } = wait;
  const inner = python?.stacks[0]?.frames[0] ?? null;
  return [
    look.quote(sampled.evidenceId, wait.call.at),
    ...(seen.seen ? [look.quote(seen.evidenceId, wait.connection.socket.at)] : []),
    ...(python !== null && inner !== null ? [quoteFrame(look, python, inner)] : []),
    ...(python !== null && own !== null && own !== inner ? [quoteFrame(look, python, own)] : []),
  ];
};

const titleFor = (wait: Wait, threads: number): string => {
  const who =
    threads > 1
      ? `${count(threads, 'thread')} wait`
      : `${threadName(wait.python ?? { tid: wait.thread.tid, name: wait.thread.comm, main: false }).replace(/^t/, 'T')} waits`;
  const where = wait.own === null ? '' : ` in ${frameName(wait.own)}`;
  const { state } = wait.connection.socket;
  const what = state === 'SYN-SENT' ? 'to connect to' : isSend(wait.call.name) ? 'to send to' : 'for an answer of';
  const limit = wait.timeoutMs === null ? 'without a timeout' : `with a timeout of ${duration(wait.timeoutMs / 1000)}`;
  return `${who}${where} ${what} ${peerName(wait)}, ${limit}`;
};

const draftFor = (
  look: Look,
  sampled: Seen<SampleData>,
  waits: readonly Wait[],
  sure: { confidence: number; inferred: string | null },
): FindingDraft | null => {
  const [wait] = waits;
  if (wait === undefined) return null;
  const { socket } = wait.connection;
  const asks =
    wait.purpose.kind === 'answer' ? ` It is in ${wait.purpose.library} (${frameName(wait.purpose.frame)}).` : '';
  const state =
    socket.state === 'SYN-SENT'
      ? 'The connection is still being asked for (SYN-SENT): nothing has answered.'
      : `${ageOf(wait.connection)} ${socket.receiveQueue === 0 ? 'Nothing is waiting to be read.' : ''}${socket.sendQueue > 0 ? ` ${bytes(socket.sendQueue)} are not acknowledged or not taken by the other side.` : ''}`;
  const others =
    waits.length > 1
      ? ` ${count(waits.length, 'thread')} wait in the same way: ${list(waits.slice(0, 6).map((each) => String(each.thread.tid)))}.`
      : '';
  return {
    confidence: Math.max(0, Math.min(0.97, sure.confidence)),
    title: titleFor(wait, waits.length),
    summary:
      `It was in ${wait.call.name} on ${socket.kind} ${visible(socket.local)} to ${peerName(wait)} (${socket.state}) in all samples of ${duration(sampled.data.seconds)}.${asks} ${state}${others}` +
      (sure.inferred === null ? '' : ` Inferred: ${sure.inferred}.`),
    evidence: quotesFor(look, sampled, wait),
    fixes: fixesFor(wait),
  };
};

/** One finding a peer and place: all threads that hang there together. */
const grouped = (waits: readonly Wait[]): Wait[][] => {
  const groups = new Map<string, Wait[]>();
  for (const wait of waits) {
    const key = `${wait.connection.socket.peer} ${wait.own?.file ?? ''}:${wait.own?.line ?? ''} ${wait.call.name}`;
    groups.set(key, [...(groups.get(key) ?? []), wait]);
  }
  return [...groups.values()];
};

/** A thread has waited for the network for the whole window, with nothing that would end the wait but the other side. */
export const blockedOnNetwork = defineCause({
  id: 'blocked-on-network',
  title: 'A thread waits for the network without end',
  needs: [sample, sockets],
  explains: ['waiting-forever', 'event-loop-blocked', 'file-lock-wait', 'db-lock-wait'],
  judge: (look) => {
    const sampled = look.see(sample);
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    const { data } = sampled;
    if (data.seconds < 0.4 || data.samples < 4)
      return { verdict: 'cannot-tell', why: 'the window was too short to call a wait long' };
    if (data.threads.length > 0 && data.threads.every((thread) => unreadableShare(thread) > 0.5)) {
      return {
        verdict: 'cannot-tell',
        why: 'the system calls that its threads wait in could not be read; look as root or its owner',
      };
    }
    const view = pythonThreads(look);
    const all = connections(look);
    const waits = data.threads.flatMap((thread) => waitOf(thread, view, all) ?? []);
    const serves = listeners(look).length > 0;
    const findings = grouped(waits).flatMap((group) => {
      const [wait] = group;
      if (wait === undefined) return [];
      const others = data.threads.filter((thread) => !group.some((each) => each.thread === thread));
      const othersBusy = others.some(
        (thread) => cpuShare(thread, data.seconds) > 0.02 || (thread.voluntarySwitches ?? 0) > 10,
      );
      const sure = sureness(wait, view, othersBusy, serves);
      const draft = sure === null || sure.confidence < 0.3 ? null : draftFor(look, sampled, group, sure);
      return draft === null ? [] : [draft];
    });
    if (findings.length > 0) return { verdict: 'fires', findings };
    const messages = waits.find((wait) => wait.purpose.kind === 'messages');
    if (messages !== undefined && messages.own !== null) {
      return {
        verdict: 'clear',
        why: `it waits for what ${peerName(messages)} sends next, as a consumer does (${frameName(messages.own)})`,
      };
    }
    return {
      verdict: 'clear',
      why:
        waits.length > 0
          ? 'it waits on the network only as a server does for its clients'
          : 'no thread was in one wait on a connection for the whole window',
    };
  },
});
