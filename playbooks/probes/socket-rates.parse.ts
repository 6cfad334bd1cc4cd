import type { Parsed } from '../model/index.ts';
import type { SocketRate, SocketRatesData } from './socket-rates.ts';

type Process = SocketRatesData['processes'][number];
type NameServer = SocketRatesData['nameServers'][number];

const MEMORY = /^memory (\d{1,9}): resident (\d{1,15}) kB first, (\d{1,15}) kB last, (\d{1,15}) kB most$/;
const CURVE = /^(memory|received) curve (\d{1,20}): (.+)$/;
const SERVER =
  /^name server (udp|tcp) (\S{3,60}): asked in (\d{1,9}) of \d{1,9} looks, (\d{1,9}) sockets at once, (\d{1,9}) in all$/;
const SOCKET =
  /^tcp (\d{1,9}) fd=(\d{1,9}) ino=(\d{1,20}) (\S{1,20}) (\S{3,60}) (\S{3,60}) (client|server|\?): received (\d{1,15}) of (\d{1,15}|\?) bytes, sent (\d{1,15}) of (\d{1,15}|\?) bytes, unread (\d{1,15}), unsent (\d{1,15}), heard (\d{1,15}|\?) ms ago, spoke (\d{1,15}|\?) ms ago, sent again (\d{1,15}|\?), round trip (\d{1,9}\.\d{3}|\?) ms, (opened in the window|open before)$/;
const TOTAL =
  /^sockets: (\d{1,9}) at the end, (\d{1,9}) moved, (\d{1,9}) shown, (\d{1,9}) closed in the window, received (\d{1,15}) bytes, sent (\d{1,15}) bytes$/;

const orNull = (text: string | undefined): number | null => (text === undefined || text === '?' ? null : Number(text));

const pointsOf = (text: string): { after: number; value: number }[] =>
  [...text.matchAll(/(\d{1,6}\.\d\d) s (\d{1,15})(?=,|$)/g)].map(([, after, value]) => ({
    after: Number(after),
    value: Number(value),
  }));

const processAt = (text: string, at: number): Process | null => {
  const match = MEMORY.exec(text);
  if (match === null) return null;
  const [pid = 0, first = 0, last = 0, most = 0] = match.slice(1).map(Number);
  return { pid, rssKib: { first, last, most }, curve: [], at };
};

const serverAt = (text: string, at: number): NameServer | null => {
  const match = SERVER.exec(text);
  if (match === null) return null;
  const [, kind, peer = '', looks, most, sockets] = match;
  return {
    kind: kind === 'udp' ? 'udp' : 'tcp',
    peer,
    looks: Number(looks),
    most: Number(most),
    sockets: Number(sockets),
    at,
  };
};

const socketAt = (text: string, at: number): SocketRate | null => {
  const match = SOCKET.exec(text);
  if (match === null) return null;
  const [, pid, fd, inode = '', state = '', local = '', peer = '', side, ...rest] = match;
  const [received, receivedInAll, sent, sentInAll, unread, unsent, heard, spoke, again, trip, opened] = rest;
  return {
    pid: Number(pid),
    fd: Number(fd),
    inode,
    state,
    local,
    peer,
    side: side === 'client' || side === 'server' ? side : 'unknown',
    received: Number(received),
    receivedInAll: orNull(receivedInAll),
    sent: Number(sent),
    sentInAll: orNull(sentInAll),
    unread: Number(unread),
    unsent: Number(unsent),
    heardMs: orNull(heard),
    spokeMs: orNull(spoke),
    sentAgain: orNull(again),
    roundTripMs: orNull(trip),
    openedInWindow: opened === 'opened in the window',
    curve: [],
    at,
  };
};

/** Why the script did not look at all; null when it did. */
const refusalIn = (lines: readonly string[], pid: number): Parsed<SocketRatesData> | null => {
  const said = lines.map((line) => /^(gone|denied|refused): (.{1,200})$/.exec(line)).find((match) => match !== null);
  if (said === undefined) return null;
  const why = said?.[2] ?? `process ${pid} could not be looked at`;
  if (said?.[1] === 'gone') return { ok: false, reason: 'target-gone', why };
  if (said?.[1] === 'denied') return { ok: false, reason: 'no-permission', why };
  return { ok: false, reason: 'failed', why: `the kernel's socket statistics could not be read: ${why}` };
};

/** Reads what socket-rates.py prints. Never throws; what is missing is said in `partly`. */
export const parseSocketRates = (text: string, pid: number): Parsed<SocketRatesData> => {
  const lines = text.split('\n');
  const refused = refusalIn(lines, pid);
  if (refused !== null) return refused;
  const window = lines
    .map((line) => /^window: (\d{1,6}\.\d+) s, (\d{1,9}) looks, watching took \d{1,6}\.\d+ s of CPU$/.exec(line))
    .find((match) => match !== null);
  if (window === undefined || window === null)
    return { ok: false, reason: 'not-parsable', why: 'no window of socket statistics was printed' };
  const data: SocketRatesData = {
    seconds: Number(window[1]),
    looks: Number(window[2]),
    processes: [],
    sockets: [],
    nameServers: [],
    total: { sockets: 0, moved: 0, closed: 0, received: 0, sent: 0, at: 1 },
  };
  const partly: string[] = [];
  for (const [index, line] of lines.entries()) {
    const at = index + 1;
    const process = processAt(line, at);
    if (process !== null) data.processes.push(process);
    const server = serverAt(line, at);
    if (server !== null) data.nameServers.push(server);
    const socket = socketAt(line, at);
    if (socket !== null) data.sockets.push(socket);
    const total = TOTAL.exec(line)?.slice(1).map(Number);
    if (total !== undefined) {
      const [sockets = 0, moved = 0, shown = 0, closed = 0, received = 0, sent = 0] = total;
      data.total = { sockets, moved, closed, received, sent, at };
      if (shown < sockets && shown < moved) partly.push(`only the ${shown} busiest of ${moved} sockets are shown`);
    }
    const curve = CURVE.exec(line);
    if (curve !== null) {
      const [, kind, whose = '', points = ''] = curve;
      const found =
        kind === 'memory'
          ? data.processes.find((each) => each.pid === Number(whose))
          : data.sockets.find((each) => each.inode === whose);
      if (found !== undefined) found.curve.push(...pointsOf(points));
    }
    const gap = /^(not readable|cut): (.{1,200})$/.exec(line);
    if (gap !== null) partly.push(gap[1] === 'cut' ? (gap[2] ?? '') : `not readable: ${gap[2] ?? ''}`);
  }
  if (lines.findLast((line) => line !== '') !== 'end') partly.push('the list of socket rates breaks off');
  return { ok: true, data, partly };
};
