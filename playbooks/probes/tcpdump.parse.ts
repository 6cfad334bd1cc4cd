import type { Parsed } from '../model/index.ts';
import type { TcpdumpData } from './tcpdump.ts';

type Connection = TcpdumpData['connections'][number];
type Direction = Connection['sent'];

/** A line of tcpdump -nn -tt -S; interface and direction are there since 4.99. */
const PACKET =
  /^(\d{1,12}\.\d{1,9}) (?:\S{1,20} +(?:In|Out|M|B|P) +)?IP6? (\S{3,60})\.(\d{1,5}) > (\S{3,60})\.(\d{1,5}): Flags \[([A-Za-z.]{1,10})\](?:, seq (\d{1,10})(?::(\d{1,10}))?)?.*, length (\d{1,7})$/;

interface Packet {
  readonly time: number;
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly flags: string;
  readonly start: number | null;
  readonly end: number | null;
  readonly window: number | null;
  readonly length: number;
}

const endName = (address: string, port: string): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

const packetIn = (line: string): Packet | null => {
  const match = PACKET.exec(line);
  if (match === null) return null;
  const [, time, from = '', fromPort = '', to = '', toPort = '', flags = '', start, end, length] = match;
  const window = /, win (\d{1,10}),/.exec(line)?.[1];
  return {
    time: Number(time),
    from: endName(from, fromPort),
    to: endName(to, toPort),
    fromPort: Number(fromPort),
    flags,
    start: start === undefined ? null : Number(start),
    end: end === undefined ? null : Number(end),
    window: window === undefined ? null : Number(window),
    length: Number(length),
  };
};

const direction = (): Direction => ({ packets: 0, bytes: 0, again: 0, noRoom: 0 });

/** Sequence numbers go round at 2^32: whether `a` comes after `b`. */
const after = (a: number, b: number): boolean => a !== b && (a - b + 4_294_967_296) % 4_294_967_296 < 2_147_483_648;

const reasonIn = (lines: readonly string[], pid: number): Parsed<TcpdumpData> | null => {
  if (lines.some((line) => line.startsWith('== gone: ')))
    return { ok: false, reason: 'target-gone', why: `process ${pid} had ended before its packets could be looked at` };
  if (lines.some((line) => line.startsWith('== denied: ')))
    return { ok: false, reason: 'no-permission', why: 'packets may be looked at only by root' };
  if (lines.some((line) => line === '== failed'))
    return { ok: false, reason: 'failed', why: 'tcpdump did not say what it saw' };
  if (!lines.some((line) => /^== (ports|none)/.test(line)))
    return { ok: false, reason: 'not-parsable', why: 'nothing of tcpdump was printed' };
  return null;
};

/** Reads what tcpdump.sh prints. Never throws. */
export const parseTcpdump = (text: string, pid: number, most: number): Parsed<TcpdumpData> => {
  const lines = text.split('\n');
  const refused = reasonIn(lines, pid);
  if (refused !== null) return refused;
  const ports = new Set(
    lines.flatMap((line) => /^== ports ([\d ]{1,600})$/.exec(line)?.[1]?.split(' ').map(Number) ?? []),
  );
  const found = new Map<string, { connection: Connection; last: number; highest: Map<string, number> }>();
  let first: number | null = null;
  let last = 0;
  for (const [index, line] of lines.entries()) {
    const packet = packetIn(line);
    if (packet === null) continue;
    first ??= packet.time;
    last = Math.max(last, packet.time);
    const known = found.has(`${packet.to} ${packet.from}`);
    const outwards = !known && (ports.has(packet.fromPort) || found.has(`${packet.from} ${packet.to}`));
    const [local, peer] = outwards ? [packet.from, packet.to] : [packet.to, packet.from];
    const key = `${local} ${peer}`;
    const entry = found.get(key) ?? {
      connection: {
        local,
        peer,
        sent: direction(),
        received: direction(),
        asks: 0,
        resets: 0,
        longestGap: 0,
        at: index + 1,
      },
      last: packet.time,
      highest: new Map<string, number>(),
    };
    found.set(key, entry);
    const { connection, highest } = entry;
    const way = packet.from === local ? connection.sent : connection.received;
    way.packets += 1;
    way.bytes += packet.length;
    if (packet.flags.includes('S') && !packet.flags.includes('.')) connection.asks += 1;
    if (packet.flags.includes('R')) connection.resets += 1;
    else if (packet.window === 0) way.noRoom += 1;
    const had = highest.get(packet.from);
    if (packet.end !== null && packet.length > 0) {
      // A probe that asks whether the other side is alive repeats one byte on purpose.
      if (had !== undefined && packet.length > 1 && !after(packet.end, had)) way.again += 1;
      if (had === undefined || after(packet.end, had)) highest.set(packet.from, packet.end);
    }
    connection.longestGap = Math.max(connection.longestGap, packet.time - entry.last);
    entry.last = packet.time;
  }
  const end = lines
    .map((line) => /^== end: captured (\d{1,9}), dropped (\d{1,9})$/.exec(line))
    .find((match) => match !== null);
  const captured = Number(end?.[1] ?? 0);
  const partly: string[] = [];
  const none = lines.some((line) => line.startsWith('== none: '));
  if (end === undefined && !none) partly.push('the list of packets breaks off');
  if (captured >= most) partly.push(`only the first ${most} packets were looked at`);
  if (Number(end?.[2] ?? 0) > 0) partly.push(`the kernel dropped ${end?.[2]} packets before they were looked at`);
  const connections = [...found.values()].map((entry) => entry.connection);
  connections.sort((a, b) => b.sent.bytes + b.received.bytes - a.sent.bytes - a.received.bytes);
  return {
    ok: true,
    data: {
      seconds: first === null ? 0 : last - first,
      captured,
      dropped: Number(end?.[2] ?? 0),
      connections: connections.slice(0, 100),
    },
    partly,
  };
};
