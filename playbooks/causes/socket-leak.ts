import { defineCause, type FindingDraft, type Fix, type Look, type Verdict } from '../model/index.ts';
import { sockets } from '../probes/sockets.ts';
import { type PeerGroup, peerGroups, quietMs, roomOf, seenFds } from '../reading/descriptors.ts';
import { type Opener, openerOf } from '../reading/openers.ts';
import { frameName, isLibraryFile, pythonThreads } from '../reading/python.ts';
import { code, count, duration, percent, shellCommand } from '../reading/text.ts';

/** From how many on connections that the peer closed are many: libraries keep ten idle ones a peer and close them at next use. */
const MANY = 20;
/** Milliseconds within which a program that works closes its side too. */
const SOON_MS = 1000;

/** Connections to one peer that the peer has closed and the process has not. */
interface Left {
  readonly group: PeerGroup;
  readonly evidenceId: string;
  /** Milliseconds since the peer closed each, the youngest first; those that ss could not tell are left out. */
  readonly ages: readonly number[];
  /** Connections with bytes that were never read, besides the end of file, which counts as one. */
  readonly unread: number;
  /** The youngest are much younger than the oldest: more came all the time. */
  readonly growing: boolean;
}

/** Whether closings are spread over time up to now, as those of a leak that goes on are, and did not all happen at once. */
const spread = (ages: readonly number[]): boolean => {
  const [youngest, oldest] = [ages[0], ages[ages.length - 1]];
  if (youngest === undefined || oldest === undefined || ages.length < 8) return false;
  const gap = (oldest - youngest) / (ages.length - 1);
  return oldest - youngest > 1000 && youngest <= Math.max(3000, 4 * gap);
};

const leftBehind = (look: Look, evidenceId: string): Left[] =>
  peerGroups(look, /^CLOSE-WAIT$/).map((group): Left => {
    const ages = group.connections
      .map(({ socket }) => quietMs(look, evidenceId, socket))
      .filter((age) => age !== null)
      .sort((a, b) => a - b);
    const unread = group.connections.filter(({ socket }) => socket.receiveQueue > 1).length;
    return { group, evidenceId, ages, unread, growing: spread(ages) };
  });

/** Libraries by which connections are made, as paths of frames and words in source lines name them. */
const LIBRARIES: readonly (readonly [name: string, file: RegExp, text: RegExp])[] = [
  ['requests', /\/requests\//, /\brequests\.|\bSession\(/],
  ['urllib3', /\/urllib3\//, /\burllib3\.|\bPoolManager\(/],
  ['httpx', /\/httpx\//, /\bhttpx\./],
  ['aiohttp', /\/aiohttp\//, /\baiohttp\.|\bClientSession\(/],
  ['http.client', /\/http\/client\.py$|\/httplib\.py$/, /\bHTTPS?Connection\(|\bhttp\.client\b/],
  ['urllib', /\/urllib\/request\.py$|\/urllib2\.py$/, /\burlopen\(/],
  ['redis', /\/redis\//, /\bredis\./],
  ['psycopg2', /\/psycopg2?\//, /\bpsycopg2?\./],
  ['socket', /\/socket\.py$/, /\bcreate_connection\(|\bsocket\.socket\(/],
];

const libraryOf = (look: Look): string | null => {
  const view = pythonThreads(look);
  const frames = view?.threads.flatMap((thread) => thread.stacks.flatMap((stack) => stack.frames)) ?? [];
  const own = view?.source.filter((line) => !isLibraryFile(line.file)) ?? [];
  return (
    LIBRARIES.find(([, file]) => frames.some((frame) => file.test(frame.file)))?.[0] ??
    LIBRARIES.find(([, , text]) => own.some((line) => text.test(line.text)))?.[0] ??
    null
  );
};

const surenessOf = (left: Left, room: number | null): number => {
  const number = left.group.connections.length;
  const old = left.ages.filter((age) => age >= SOON_MS).length;
  // Without ages the number alone speaks.
  const settled = left.ages.length === 0 ? number * 0.8 : old;
  const part = room === null ? 0 : number / room;
  if (settled < 8) return 0;
  if (settled < MANY) {
    if (part >= 0.25) return 0.85;
    return left.growing && number >= 12 ? 0.6 : 0.35;
  }
  // Clients that gave up a server that is stuck look the same: what keeps it from closing is another fault.
  const server = left.group.side === 'server' ? 0.1 : 0;
  // What lies in a pool for its next use has been read to the end.
  if (left.group.side === 'client' && left.unread >= number * 0.5) return 0.93;
  if (part >= 0.25 || number >= 50) return 0.93 - server * (left.growing ? 0 : 1);
  return (left.growing ? 0.92 : 0.8) - server;
};

const SNIPPETS: Readonly<Record<string, string>> = {
  requests:
    'session = requests.Session()              # one for all calls, made once\nwith session.get(url, timeout=10) as answer:\n    data = answer.content                 # read to the end: the connection goes back to the pool',
  urllib3:
    "pool = urllib3.PoolManager()              # one for all calls\nanswer = pool.request('GET', url, timeout=10)   # or, with preload_content=False:\nanswer.release_conn()",
  'http.client':
    'with contextlib.closing(http.client.HTTPConnection(host, timeout=10)) as connection:\n    connection.request("GET", path)\n    data = connection.getresponse().read()',
  urllib: 'with urllib.request.urlopen(url, timeout=10) as answer:\n    data = answer.read()',
  aiohttp:
    'async with session.get(url) as answer:    # one ClientSession for all calls\n    data = await answer.read()',
  httpx: 'with httpx.Client(timeout=10) as client:  # one for all calls\n    data = client.get(url).content',
};

const fixesOf = (look: Look, left: Left, library: string | null, opener: Opener | null): Fix[] => {
  const { group } = left;
  const server = group.side === 'server';
  const where = opener === null ? 'Where these connections are made' : `In ${frameName(opener.frame)}`;
  const plain = server
    ? 'try:\n    while data := connection.recv(65536):\n        handle(data)\nfinally:\n    connection.close()               # recv() that returns b"" says that the client is gone'
    : 'with socket.create_connection(address, timeout=10) as connection:\n    while data := connection.recv(65536):   # b"" says that the peer has closed\n        handle(data)';
  const peer = group.connections[0]?.socket.peer ?? group.name;
  return [
    {
      title: server
        ? 'Close the connection when the client is gone'
        : 'Close every answer, and use one session for all',
      detail:
        `${where}: the kernel keeps a socket in CLOSE-WAIT until the process itself closes it; no timeout ever does. ` +
        `${server ? 'Close it when a read returns nothing, in a `finally`.' : 'Use `with`, read answers to the end, and keep one session instead of a new one for each call; drop what still refers to old answers.'}`,
      code: (server ? null : SNIPPETS[library ?? '']) ?? plain,
    },
    {
      title: 'Verify: the number of sockets in CLOSE-WAIT stays at 0',
      detail: 'It is what to watch and to alert on, for this process as for others.',
      code: `ss -tnp state close-wait ${server ? '' : `${shellCommand(['dst', peer])} `}| grep -c ${shellCommand([`pid=${look.target.pid},`])}`,
    },
    {
      title: 'Restart the process in an orderly way to get its descriptors back',
      detail: 'Nothing from outside closes them, and the peer has forgotten these connections long ago.',
    },
  ];
};

const draftOf = (look: Look, left: Left, room: number | null, confidence: number): FindingDraft => {
  const { group, ages, unread, evidenceId, growing } = left;
  const number = group.connections.length;
  const opener = openerOf(look, 'socket', null);
  const library = group.side === 'client' ? libraryOf(look) : null;
  const [youngest, oldest] = [ages[0], ages[ages.length - 1]];
  const age =
    oldest === undefined || youngest === undefined
      ? ''
      : ` The peer closed the first of them ${duration(oldest / 1000)} ago and the last ${duration(youngest / 1000)} ago${growing ? ', evenly in between: more come all the time' : ''}.`;
  const limit =
    room === null ? '' : ` Of ${room} descriptors that the process may have, they take ${percent(number / room)}.`;
  const place =
    opener === null
      ? ''
      : ` ${opener.by === 'line' ? 'Connections are made' : 'The code that ran is'} in ${frameName(opener.frame)}${opener.source === null ? '' : ` (${code(opener.source.text, 100)})`}.`;
  const oldestFirst = [...group.connections].sort(
    (a, b) => (quietMs(look, evidenceId, b.socket) ?? 0) - (quietMs(look, evidenceId, a.socket) ?? 0),
  );
  const fds = seenFds(look);
  const kind = fds?.data.kinds.find((each) => each.kind === 'socket');
  const lines = [
    ...[oldestFirst[0], oldestFirst[1], oldestFirst.at(-1)].flatMap((each) =>
      each === undefined ? [] : [{ evidenceId, at: each.socket.at }],
    ),
    ...(fds === null || kind === undefined ? [] : [{ evidenceId: fds.evidenceId, at: kind.at }]),
    ...(opener === null ? [] : [{ evidenceId: opener.thread.evidenceId, at: opener.frame.at }]),
  ];
  return {
    confidence,
    title: `${count(number, 'connection')} ${group.side === 'server' ? `of ${group.name}` : `to ${group.name}`} ${number === 1 ? 'is' : 'are'} closed by the other side and not by this process (CLOSE-WAIT)`,
    summary:
      `The other side has ended these connections, and the process has not noticed or not cared: it neither reads the end nor closes its own side.${age}${limit}` +
      `${unread === 0 ? '' : ` On ${unread} of them bytes came that were never read.`}${library === null ? '' : ` They seem to be made with ${code(library)}.`}${place}` +
      `${confidence >= 0.9 ? '' : ' Inferred: that they are never closed, and not kept for the next use, when a pool would close them.'}`,
    evidence: [...new Map(lines.map((line) => [`${line.evidenceId} ${line.at}`, line])).values()].map((line) =>
      look.quote(line.evidenceId, line.at),
    ),
    fixes: fixesOf(look, left, library, opener),
  };
};

const judge = (look: Look): Verdict => {
  const seen = look.see(sockets);
  if (!seen.seen) return { verdict: 'cannot-tell', why: seen.why, wants: [sockets.id] };
  const fds = seenFds(look);
  const room = fds === null ? null : roomOf(fds.data);
  const all = leftBehind(look, seen.evidenceId);
  const findings = all
    .map((left) => ({ left, confidence: surenessOf(left, room) }))
    .filter(({ confidence }) => confidence >= 0.3)
    .map(({ left, confidence }) => draftOf(look, left, room, confidence))
    .sort((a, b) => b.confidence - a.confidence)
    .slice(0, 2);
  if (findings.length > 0) return { verdict: 'fires', findings };
  const total = all.reduce((sum, { group }) => sum + group.connections.length, 0);
  const cut = seen.partly.find((gap) => /sockets are missing|broken off/.test(gap));
  if (cut !== undefined && total === 0) return { verdict: 'cannot-tell', why: cut };
  return {
    verdict: 'clear',
    why:
      total === 0
        ? 'no connection waits for this process to close it'
        : `${count(total, 'connection')} in CLOSE-WAIT, no more than pools keep, or closed just now`,
  };
};

/** Connections that the peer has closed and the process never closes. */
export const socketLeak = defineCause({
  id: 'socket-leak',
  title: 'Connections are left in CLOSE-WAIT',
  needs: [sockets],
  explains: ['fd-leak'],
  judge,
});
