import type { Look, PythonFrame, PythonStack } from '../model/index.ts';
import { type SampleData, type SampledThread, sample } from '../probes/sample.ts';
import type { SocketRate, SocketRatesData } from '../probes/socket-rates.ts';
import { listeners, splitAddress } from '../reading/connections.ts';
import { isLibraryFile, type PythonThreadView, pythonThreads } from '../reading/python.ts';
import { intArgument, isReadiness, isReceive, sampledCalls, socketInode } from '../reading/syscalls.ts';
import { turnsOf } from '../reading/turns.ts';

/** Memory that grew beside bytes that came in, of the target or of one of its children. */
export interface Inflow {
  readonly process: SocketRatesData['processes'][number];
  /** Sockets on which an answer is coming in, the one with most bytes first. */
  readonly sockets: readonly SocketRate[];
  /** KiB that resident memory grew, and bytes that came in on these sockets, in the window. */
  readonly grownKib: number;
  readonly received: number;
  /** Memory grew by a multiple of what came in: it was compressed, if it is this at all. */
  readonly swollen: boolean;
}

/** Bytes in the window and growth in KiB below which nothing is said: whole small answers are read by everybody. */
const LEAST_RECEIVED = 1 << 20;
const LEAST_GROWTH_KIB = 2048;
/** Bytes of an answer from which on it is worth not having it in memory. */
const LEAST_BODY = 4 << 20;
/** Bytes in the window from which on compressed ones may explain a growth, and how much of it in KiB. */
const LEAST_COMPRESSED = 32 << 10;
const LEAST_SWELLING_KIB = 16 << 10;
/** The part of what came in that must have stayed. Less of it is a buffer, or something else that grows. */
const KEPT = 0.3;
/** How many times what came in memory may grow by it, as it is: text takes more room than its bytes. */
const SWOLLEN = 2.5;

/** What grew, had it kept what came in? Null when nothing came, or what came did not stay. */
export const inflowOf = (
  data: SocketRatesData,
  pid: number,
  servers: ReadonlySet<number>,
): { inflow: Inflow | null; received: number } => {
  const process = data.processes.find((each) => each.pid === pid);
  const coming = data.sockets.filter(
    (socket) =>
      socket.pid === pid &&
      socket.side !== 'server' &&
      !servers.has(splitAddress(socket.local).port ?? -1) &&
      socket.received >= LEAST_COMPRESSED / 2,
  );
  const received = coming.reduce((sum, socket) => sum + socket.received, 0);
  if (process === undefined || received < LEAST_COMPRESSED) return { inflow: null, received };
  const grownKib = process.rssKib.last - process.rssKib.first;
  const large = coming.some((socket) => (socket.receivedInAll ?? socket.received) >= LEAST_BODY);
  const swollen = grownKib >= LEAST_SWELLING_KIB && grownKib * 1024 > SWOLLEN * received;
  const kept =
    received >= LEAST_RECEIVED &&
    grownKib >= LEAST_GROWTH_KIB &&
    grownKib * 1024 <= SWOLLEN * received &&
    grownKib * 1024 >= KEPT * received &&
    large;
  return { inflow: kept || swollen ? { process, sockets: coming, grownKib, received, swollen } : null, received };
};

/** Ports on which this process, or a relative through it, takes connections: what comes in there is an upload. */
export const servedPorts = (look: Look): ReadonlySet<number> =>
  new Set(listeners(look).flatMap((socket) => splitAddress(socket.local).port ?? []));

/** One answer is still coming in: nothing was asked on this connection for most of the window. */
export const oneAnswer = (socket: SocketRate, seconds: number): boolean =>
  socket.sent === 0 || socket.openedInWindow || (socket.spokeMs !== null && socket.spokeMs >= 300 * seconds);

/** Library functions in which the rest of a body, or a whole result, is read: library, part of the path, function. */
const WHOLE: readonly (readonly [library: Library, file: RegExp, names: RegExp])[] = [
  ['requests', /\/requests\/models\.py$/, /(^|\.)(content|text|json|iter_\w+|generate)$/],
  ['httpx', /\/httpx\/_models\.py$/, /(^|\.)(a?read|a?iter_\w+)$/],
  ['aiohttp', /\/aiohttp\/(client_reqrep|streams)\.py$/, /(^|\.)(read|text|json)$/],
  [
    'urllib3',
    /\/urllib3\/(response|connectionpool|poolmanager|_request_methods|request)\.py$/,
    /(^|\.)(data|read|urlopen|request)$/,
  ],
  ['urllib', /\/urllib\/request\.py$/, /(^|\.)(urlretrieve|read)$/],
  ['http.client', /\/(http\/client|httplib)\.py$/, /(^|\.)(read|_safe_read|_readall_chunked|_read_chunked)$/],
  ['asyncio', /\/asyncio\/streams\.py$/, /(^|\.)(read|readexactly|readuntil)$/],
  ['ftplib', /\/ftplib\.py$/, /(^|\.)(retrbinary|retrlines)$/],
  ['botocore', /\/botocore\/(response|httpsession)\.py$/, /./],
  ['database', /\/(psycopg2?|pymysql|MySQLdb|mysql\/connector|pymongo|asyncpg|clickhouse_\w+|sqlalchemy)\//, /./],
  ['redis', /\/redis\//, /./],
  [
    'socket',
    /\/(socket|ssl)\.py$|\/gevent\/_socket3?\.py$|\/eventlet\/greenio\//,
    /(^|\.)(recv\w*|read(into)?|makefile)$/,
  ],
];

/** What reads: it decides which words and which advice fit. */
export type Library =
  | 'requests'
  | 'httpx'
  | 'aiohttp'
  | 'urllib3'
  | 'urllib'
  | 'http.client'
  | 'asyncio'
  | 'ftplib'
  | 'botocore'
  | 'database'
  | 'redis'
  | 'socket';

/** Who reads, and where: a thread, or a task or greenlet of its event loop. */
export interface Reader {
  /** Its Python thread, where the stack is one's. */
  readonly thread: PythonThreadView | null;
  readonly kind: 'thread' | 'task' | 'greenlet';
  readonly sampled: SampledThread | null;
  readonly stack: PythonStack | null;
  /** The evidence that shows the frames. */
  readonly evidenceId: string | null;
  readonly library: Library | null;
  /** The program's own innermost frame, and the library's that it called. */
  readonly own: PythonFrame | null;
  readonly call: PythonFrame | null;
  /** Seen in a receive call on one of these very sockets, or in a function that reads a whole body. */
  readonly direct: boolean;
  /** The connection is read by an event loop, and who awaits the body was not seen. */
  readonly loop: boolean;
}

/** The library that reads on a stack: the outermost of its frames inside of the program's own one. */
const libraryOn = (stack: PythonStack): { library: Library; call: PythonFrame } | null => {
  const inner = stack.frames.findIndex((frame) => !isLibraryFile(frame.file));
  const frames = inner < 0 ? stack.frames : stack.frames.slice(0, inner);
  const order = WHOLE.map(([library]) => library);
  let best: { library: Library; call: PythonFrame } | null = null;
  for (const frame of frames) {
    const found = WHOLE.find(([, file, names]) => file.test(frame.file) && names.test(frame.function))?.[0];
    if (found === undefined) continue;
    // The library that the program called is built on the others.
    if (best === null || order.indexOf(found) <= order.indexOf(best.library)) best = { library: found, call: frame };
  }
  return best;
};

const LOOPS = /\/(asyncio|trio|curio|uvloop|gevent|eventlet|twisted|tornado|anyio)\/|\/selectors\.py$/;

const inLoop = (stack: PythonStack): boolean => stack.frames.slice(0, 4).some((frame) => LOOPS.test(frame.file));

/** Share of its samples in which a thread received from one of these sockets. */
const receiving = (thread: SampledThread, inodes: ReadonlySet<string>): number =>
  sampledCalls(thread)
    .filter((call) => isReceive(call.name) && inodes.has(socketInode(call.fd) ?? ''))
    .reduce((sum, call) => sum + call.share, 0);

/** Share of its samples in which it waited for descriptors. */
const waiting = (thread: SampledThread): number =>
  sampledCalls(thread)
    .filter((call) => isReadiness(call.name))
    .reduce((sum, call) => sum + call.share, 0);

/** It polls one descriptor at a time, as a read with a timeout does. */
const waitsForOne = (thread: SampledThread): boolean =>
  sampledCalls(thread).some(
    (call) => /^p?poll$/.test(call.name) && call.share >= 0.3 && intArgument(call.args, 1) === 1,
  );

const readerOf = (data: SampleData, thread: PythonThreadView, inodes: ReadonlySet<string>): Reader | null => {
  const [stack] = thread.stacks;
  const sampled = data.threads.find((each) => each.tid === thread.tid) ?? null;
  if (stack === undefined || stack.count < 0.3 * (thread.samples + thread.missed)) return null;
  // Who wakes for each piece that comes gives up its processor often; who sleeps on does not read.
  const moves =
    sampled === null || (sampled.voluntarySwitches ?? 0) > 3 || sampled.userSeconds + sampled.systemSeconds > 0.05;
  const reads = sampled === null ? 0 : receiving(sampled, inodes);
  const found = libraryOn(stack);
  if (!moves || (reads === 0 && found === null && (sampled === null || waiting(sampled) < 0.3))) return null;
  const loop = inLoop(stack) && (found === null || found.library === 'socket');
  const own = loop ? null : (stack.frames.find((frame) => !isLibraryFile(frame.file)) ?? null);
  // One thread moves, waits for one descriptor, and one connection brings something.
  const only =
    !loop &&
    inodes.size === 1 &&
    sampled !== null &&
    waitsForOne(sampled) &&
    data.threads.every((each) => each === sampled || (each.voluntarySwitches ?? 0) <= 3);
  return {
    thread,
    kind: 'thread',
    sampled,
    stack,
    evidenceId: thread.evidenceId,
    library: found?.library ?? null,
    own,
    call: found?.call ?? stack.frames[0] ?? null,
    direct: !loop && (reads > 0 || found !== null || only),
    loop,
  };
};

/** The task or greenlet that reads one of these sockets, or in whose stack a whole body is read. */
const turnOn = (look: Look, sockets: readonly SocketRate[]): Reader | null => {
  const fds = new Set(sockets.map((socket) => socket.fd));
  const found = turnsOf(look).flatMap((turn) => {
    const named = turn.sockets.some((fd) => fds.has(fd));
    const library = libraryOn(turn.stack);
    if (!named && library === null) return [];
    // What it awaits may lie where the last one lay, so that it seems to be the same wait: that it moved is no condition.
    return [{ turn, library, rank: (named ? 2 : 0) + (turn.still < turn.count ? 1 : 0) }];
  });
  const [best] = found.sort((a, b) => b.rank - a.rank);
  if (best === undefined) return null;
  const { turn, library } = best;
  return {
    thread: null,
    kind: turn.kind,
    sampled: null,
    stack: turn.stack,
    evidenceId: turn.evidenceId,
    library: library?.library ?? null,
    own: turn.stack.frames.find((frame) => !isLibraryFile(frame.file)) ?? null,
    call: library?.call ?? turn.stack.frames[0] ?? null,
    direct: true,
    loop: false,
  };
};

/** Who reads these sockets, surest first: by the call it was seen in, then by the functions that it was in. */
export const findReader = (look: Look, sockets: readonly SocketRate[]): Reader | null => {
  const sampled = look.see(sample);
  if (!sampled.seen) return null;
  const inodes = new Set(sockets.map((socket) => socket.inode));
  const view = pythonThreads(look);
  const readers = (view?.threads ?? []).flatMap((thread) => readerOf(sampled.data, thread, inodes) ?? []);
  const rank = (reader: Reader): number =>
    (reader.sampled !== null && receiving(reader.sampled, inodes) > 0 ? 4 : 0) +
    (reader.direct ? 2 : 0) +
    (reader.library === null ? 0 : 1);
  const [best] = readers.sort((a, b) => rank(b) - rank(a));
  if (best?.direct === true && !best.loop) return best;
  const turn = turnOn(look, sockets);
  if (turn !== null || best !== undefined) return turn ?? best ?? null;
  const thread = sampled.data.threads.find((each) => receiving(each, inodes) > 0);
  if (thread === undefined) return null;
  const nothing = { stack: null, evidenceId: null, library: null, own: null, call: null };
  return { thread: null, kind: 'thread', sampled: thread, ...nothing, direct: true, loop: false };
};
