import type { FindingDraft, Fix, Look, Observation, Quote } from '../model/index.ts';
import type { SampleData } from '../probes/sample.ts';
import { type Socket, sockets } from '../probes/sockets.ts';
import { type Connection, listeners, splitAddress } from '../reading/connections.ts';
import { frameName, quoteFrame, threadName } from '../reading/python.ts';
import { isSend } from '../reading/syscalls.ts';
import { bytes, code, count, duration, list, shellCommand, visible } from '../reading/text.ts';
import { quoteTurn } from '../reading/turns.ts';
import type { Wait } from './blocked-on-network.seen.ts';
import type { Sureness } from './blocked-on-network.sureness.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** What went over a connection and when, in a sentence. */
export const ageOf = (connection: Connection): string => {
  const { kind, lastSentMs, lastReceivedMs, bytesSent, bytesReceived } = connection.socket;
  if (bytesSent === null && bytesReceived === null)
    return kind.startsWith('unix') ? 'The kernel does not count what goes over unix sockets.' : '';
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

/** The other end, by its address. */
export const peerName = (wait: Wait): string => {
  const { socket } = wait.connection;
  return socket.kind.startsWith('tcp') ? visible(socket.peer) : `${socket.kind} socket ${visible(socket.peer)}`;
};

const timeoutCode = ({ purpose, python, turn }: Wait): string => {
  if (turn?.kind === 'greenlet')
    return 'with gevent.Timeout(30):        # eventlet.Timeout(30) under eventlet\n    answer = ask(…)';
  if (turn?.kind === 'task')
    return 'async with asyncio.timeout(30):     # Python 3.11; before: await asyncio.wait_for(ask(…), 30)\n    answer = await ask(…)\n# aiohttp: aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30, sock_connect=5))';
  if (python === null)
    return 'setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, …)   /* SO_SNDTIMEO for sending; or poll(2) with a limit before each call: socket(7) */';
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

const fixesFor = (wait: Wait, full: Socket | null): Fix[] => {
  const { connection, own } = wait;
  const where = own === null ? '' : ` at ${code(`${own.file}:${own.line}`, 200)}`;
  const { address, port } = connection.peer;
  const here = /^(127\.|::1$)/.test(address);
  const fixes: Fix[] = [
    {
      title: `Give the call${where} a timeout`,
      detail:
        wait.timeoutMs === null
          ? wait.loop || wait.turn !== undefined
            ? 'Whatever awaits this answer has no timer running. Bound each request (`asyncio.timeout`, `asyncio.wait_for`, a request timeout of the client library), and decide what happens then.'
            : 'It waits without one, so it would wait for ever. Set a timeout for connecting and one for each answer, and decide what happens then: retry a bounded number of times with growing pauses, only what may safely be done twice.'
          : wait.loop
            ? 'Its timeout only wakes the loop, which then waits again. Set a limit for the whole request, and decide what happens then.'
            : `Its timeout is ${duration(wait.timeoutMs / 1000)}: longer than whoever waits for this process will. Set a shorter one, and decide what happens then.`,
      code: timeoutCode(wait),
    },
  ];
  if (port !== null) {
    fixes.push({
      title: `See what ${visible(connection.socket.peer)} is doing`,
      detail:
        connection.socket.state === 'SYN-SENT'
          ? full !== null
            ? 'It is a socket of this very process: something in it must accept connections while others are made, or take fewer of them.'
            : 'Nobody answers the request to connect: the host is down, a firewall drops it, or its queue of connections is full.'
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

/** The call, the socket and the frames. */
export const quotesFor = (look: Look, sampled: Seen<SampleData>, wait: Wait): Quote[] => {
  const seen = look.see(sockets);
  const { python, own, turn } = wait;
  const inner = python?.stacks[0]?.frames[0] ?? null;
  if (turn !== undefined) {
    const socket = seen.seen ? [look.quote(seen.evidenceId, wait.connection.socket.at)] : [];
    return [...socket, ...quoteTurn(look, turn)];
  }
  return [
    look.quote(sampled.evidenceId, wait.call.at),
    ...(seen.seen ? [look.quote(seen.evidenceId, wait.connection.socket.at)] : []),
    ...(python !== null && inner !== null ? [quoteFrame(look, python, inner)] : []),
    ...(python !== null && own !== null && own !== inner ? [quoteFrame(look, python, own)] : []),
  ];
};

/** Who waits, for the middle of a sentence. */
export const waiterName = (wait: Wait): string =>
  threadName(wait.python ?? { tid: wait.thread.tid, name: wait.thread.comm, main: wait.main });

/**
 * The listening socket of the same process that is asked for, when its queue is full: more wait than its backlog (ss(8);
 * the kernel drops requests to connect then, sk_acceptq_is_full in include/net/sock.h).
 */
const fullQueue = (look: Look, { connection }: Wait): Socket | null =>
  connection.socket.state !== 'SYN-SENT'
    ? null
    : (listeners(look).find(
        ({ kind, local, receiveQueue, sendQueue }) =>
          kind.startsWith('tcp') &&
          splitAddress(local).port === connection.peer.port &&
          [connection.peer.address, '0.0.0.0', '*', '::'].includes(splitAddress(local).address) &&
          receiveQueue > sendQueue,
      ) ?? null);

const fullText = (full: Socket | null): string =>
  full === null
    ? ''
    : ` It is a listening socket of this very process, and its queue is full: ${count(full.receiveQueue, 'connection')} to be accepted, with a backlog of ${full.sendQueue}.`;

const quoteSocket = (look: Look, socket: Socket | null): Quote[] => {
  const seen = look.see(sockets);
  return socket === null || !seen.seen ? [] : [look.quote(seen.evidenceId, socket.at)];
};

/** Who waits, at the beginning of a sentence: threads, tasks or greenlets. */
const waitersText = (waits: readonly Wait[]): string => {
  const [first] = waits;
  const number = waits.reduce((sum, each) => sum + (each.turn?.count ?? 1), 0);
  const noun = first?.turn?.kind ?? 'thread';
  if (number > 1) return `${count(number, noun)} wait`;
  if (first?.turn !== undefined) return `A ${noun} waits`;
  return `${first === undefined ? 'A thread' : waiterName(first).replace(/^t/, 'T')} waits`;
};

const titleFor = (wait: Wait, waits: readonly Wait[]): string => {
  const who = waitersText(waits);
  const where = wait.own === null ? '' : ` in ${frameName(wait.own)}`;
  const { state } = wait.connection.socket;
  const what = state === 'SYN-SENT' ? 'to connect to' : isSend(wait.call.name) ? 'to send to' : 'for an answer of';
  const limit =
    wait.timeoutMs === null
      ? wait.turn === undefined
        ? 'without a timeout'
        : 'with no limit around it'
      : `${wait.loop ? 'again and again ' : ''}with a timeout of ${duration(wait.timeoutMs / 1000)}`;
  if (wait.loop)
    return `${who}${where} in ${wait.call.name} and has an unanswered question to ${peerName(wait)}, ${limit}`;
  return `${who}${where} ${what} ${peerName(wait)}, ${limit}`;
};

/** The finding for threads that hang at the same place. */
export const draftFor = (
  look: Look,
  sampled: Seen<SampleData>,
  waits: readonly Wait[],
  sure: Sureness,
): FindingDraft | null => {
  const [wait] = waits;
  if (wait === undefined) return null;
  const { socket } = wait.connection;
  const full = fullQueue(look, wait);
  const asks =
    wait.purpose.kind === 'answer' ? ` It is in ${wait.purpose.library} (${frameName(wait.purpose.frame)}).` : '';
  const state =
    socket.state === 'SYN-SENT'
      ? `The connection is still being asked for (SYN-SENT): nothing has answered.${fullText(full)}`
      : `${ageOf(wait.connection)} ${socket.receiveQueue === 0 ? 'Nothing is waiting to be read.' : ''}${socket.sendQueue > 0 ? (socket.kind === 'unix' ? ' What it sent lies there: the other side has not read it.' : ` ${bytes(socket.sendQueue)} are not acknowledged or not taken by the other side.`) : ''}`;
  const others =
    waits.length > 1 && wait.turn === undefined
      ? ` ${count(waits.length, 'thread')} wait in the same way: ${list(waits.slice(0, 6).map((each) => String(each.thread.tid)))}.`
      : '';
  return {
    confidence: Math.round(Math.max(0, Math.min(0.97, sure.confidence)) * 100) / 100,
    title: titleFor(wait, waits),
    summary:
      `${wait.turn === undefined ? `It was in ${wait.call.name}${wait.loop ? ', and its only open connection is' : ' on'}` : 'It awaited the same thing at the beginning and at the end, on'} ${socket.kind} ${visible(socket.local)} to ${peerName(wait)} (${socket.state})${wait.turn === undefined ? ` in all samples of ${duration(sampled.data.seconds)}` : `, ${duration(sampled.data.seconds)} apart`}.${asks} ${state}${others}` +
      (sure.inferred === null ? '' : ` Inferred: ${sure.inferred}.`),
    evidence: [...quotesFor(look, sampled, wait), ...quoteSocket(look, full)],
    fixes: fixesFor(wait, full),
  };
};
