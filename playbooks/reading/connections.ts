import type { Look } from '../model/index.ts';
import { type Socket, sockets } from '../probes/sockets.ts';

/** Which side of a connection the process is on. */
export type Side = 'client' | 'server' | 'unknown';

/** A socket with what can be told about it. */
export interface Connection {
  readonly socket: Socket;
  readonly side: Side;
  /** The process sent last, or sent and never got anything: if the protocol takes turns, it is the other side's. */
  readonly spokeLast: boolean;
  readonly peer: { readonly address: string; readonly port: number | null };
}

/** `127.0.0.1:5432`, `[::1]:80`, `[::ffff:10.0.0.1%eth0]:443`; the part after the last colon is the port. */
export const splitAddress = (text: string): { address: string; port: number | null } => {
  const colon = text.lastIndexOf(':');
  const port = colon < 0 ? '' : text.slice(colon + 1);
  if (!/^\d{1,5}$/.test(port)) return { address: text, port: null };
  return { address: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
};

const detail = (line: string, name: string): number | null => {
  const found = new RegExp(`(?:^| )${name}:(\\d{1,18})(?= |$)`).exec(line)?.[1];
  return found === undefined ? null : Number(found);
};

/**
 * The side of a TCP connection. The kernel counts the SYN of an active opener among its acknowledged bytes, and not the
 * SYN-ACK of a passive one (tcp_ack in net/ipv4/tcp_input.c), so a client's `bytes_acked` is one more than its
 * `bytes_sent` once all is acknowledged. A local port that the process also listens on is a server's.
 */
const sideOf = (socket: Socket, line: string, listening: ReadonlySet<number>): Side => {
  if (socket.state === 'SYN-SENT') return 'client';
  // What stands behind the colon of a unix socket's name is its inode, not a port.
  if (!socket.kind.startsWith('tcp')) return 'unknown';
  const { port } = splitAddress(socket.local);
  if (port !== null && listening.has(port)) return 'server';
  const acked = detail(line, 'bytes_acked') ?? 0;
  const sent = socket.bytesSent ?? detail(line, 'bytes_sent') ?? 0;
  if (acked === sent + 1) return 'client';
  if (socket.sendQueue === 0 && acked === sent && /(?:^| )(bytes_received|bytes_sent|segs_in):/.test(line))
    return 'server';
  return 'unknown';
};

const spokeLast = (socket: Socket): boolean => {
  if ((socket.bytesSent ?? 0) === 0) return false;
  if ((socket.bytesReceived ?? 0) === 0) return true;
  return socket.lastSentMs !== null && socket.lastReceivedMs !== null && socket.lastSentMs <= socket.lastReceivedMs;
};

/** The process's sockets by inode; empty when they were not seen. */
export const connections = (look: Look): ReadonlyMap<string, Connection> => {
  const seen = look.see(sockets);
  const found = new Map<string, Connection>();
  if (!seen.seen) return found;
  const listening = new Set(
    seen.data.sockets
      .filter((socket) => socket.state === 'LISTEN' && socket.kind.startsWith('tcp'))
      .map((socket) => splitAddress(socket.local).port)
      .filter((port) => port !== null),
  );
  for (const socket of seen.data.sockets) {
    if (socket.inode === null || socket.state === 'LISTEN') continue;
    const line = look.quote(seen.evidenceId, socket.at).text;
    found.set(socket.inode, {
      socket,
      side: sideOf(socket, line, listening),
      spokeLast: spokeLast(socket),
      peer: splitAddress(socket.peer),
    });
  }
  return found;
};

/** The sockets on which the process takes connections. */
export const listeners = (look: Look): Socket[] => {
  const seen = look.see(sockets);
  return seen.seen ? seen.data.sockets.filter((socket) => socket.state === 'LISTEN') : [];
};
