import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import type { ChangeFeed } from './changes.ts';
import type { Ack, Attempt, Transport } from './delivery.ts';

const AckMessage = z.object({ envelope_id: z.string(), payload: z.unknown().optional() });
const PING_EVERY_MS = 10_000;
const END_GRACE_MS = 200;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** The Socket Mode side of Slack: the open sockets of the app, and what travels over them. */
export interface SocketHub extends Transport {
  /** A ticket for `apps.connections.open`; it admits one socket. */
  newTicket(): string;
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, ticket: string | null): void;
  readonly open: number;
  /** Cuts the TCP connection of `count` sockets, the oldest first; all by default. Returns how many. */
  drop(count?: number): number;
  /** Sends `disconnect`, as Slack does before it recycles a connection, to all sockets. */
  disconnect(reason: DisconnectReason): void;
  /** Acts as if the next `count` acknowledgements had been lost on the way. */
  loseAcks(count: number): void;
  close(): void;
}

export type DisconnectReason = 'warning' | 'refresh_requested' | 'link_disabled';

/** Makes a hub without sockets. */
export function createSocketHub(appId: string, changes: ChangeFeed): SocketHub {
  const tickets = new Set<string>();
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  const sockets: WebSocket[] = [];
  const isOpen = (socket: WebSocket): boolean => socket.readyState === socket.OPEN;
  const waiting = new Map<string, (payload: unknown) => void>();
  let turn = 0;
  let acksToLose = 0;
  const pinging = setInterval(() => {
    for (const socket of sockets) socket.ping();
  }, PING_EVERY_MS);
  pinging.unref();

  function onText(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    const ack = AckMessage.safeParse(message);
    if (!ack.success) return;
    if (acksToLose > 0) {
      acksToLose -= 1;
      return;
    }
    waiting.get(ack.data.envelope_id)?.(ack.data.payload);
  }

  function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, ticket: string | null): void {
    if (ticket === null || !tickets.delete(ticket)) {
      stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    // A request that is no valid handshake is answered 400 by the library.
    server.handleUpgrade(request, stream, head, admit);
  }

  function admit(socket: WebSocket): void {
    sockets.push(socket);
    socket.on('message', (data, isBinary) => {
      if (isBinary) socket.close(1003, 'only text is understood');
      else onText(data.toString());
    });
    // What a client did wrong closes its socket, which `close` tells.
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.splice(sockets.indexOf(socket), 1);
      changes.tell({ kind: 'sockets', open: sockets.length });
    });
    socket.send(
      JSON.stringify({
        type: 'hello',
        num_connections: sockets.length,
        debug_info: { host: 'local-slack', build_number: 1, approximate_connection_time: 18_060 },
        connection_info: { app_id: appId },
      }),
    );
    socket.ping();
    changes.tell({ kind: 'sockets', open: sockets.length });
  }

  /** One envelope to one of the open sockets, in turn. */
  function send(attempt: Attempt, timeoutMs: number): Promise<Ack> {
    const open = sockets.filter(isOpen);
    turn += 1;
    const socket = open[turn % Math.max(1, open.length)];
    if (socket === undefined) return Promise.resolve({ acked: false, reason: 'no_connection' });
    const envelope: Record<string, unknown> = {
      envelope_id: attempt.envelopeId,
      payload: attempt.payload,
      type: attempt.type,
      accepts_response_payload: attempt.type !== 'events_api',
    };
    if (attempt.type === 'events_api') {
      envelope.retry_attempt = attempt.number;
      envelope.retry_reason = attempt.number === 0 ? '' : 'timeout';
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        waiting.delete(attempt.envelopeId);
        resolve({ acked: false, reason: 'timeout' });
      }, timeoutMs);
      timer.unref();
      waiting.set(attempt.envelopeId, (payload) => {
        clearTimeout(timer);
        waiting.delete(attempt.envelopeId);
        resolve({ acked: true, payload });
      });
      socket.send(JSON.stringify(envelope));
    });
  }

  return {
    send,
    upgrade,
    newTicket() {
      const ticket = randomBytes(24).toString('base64url');
      tickets.add(ticket);
      return ticket;
    },
    get open() {
      return sockets.filter(isOpen).length;
    },
    drop(count = sockets.length) {
      const victims = sockets.slice(0, count);
      for (const socket of victims) socket.terminate();
      return victims.length;
    },
    disconnect(reason) {
      const message = JSON.stringify({ type: 'disconnect', reason, debug_info: { host: randomUUID() } });
      for (const socket of sockets) socket.send(message);
    },
    loseAcks(count) {
      acksToLose += count;
    },
    close() {
      clearInterval(pinging);
      for (const socket of [...sockets]) {
        socket.close(1001, 'going away');
        setTimeout(() => socket.terminate(), END_GRACE_MS).unref();
      }
      server.close();
    },
  };
}
