import { z } from 'zod';
import { LineNumber } from '../model/index.ts';

export const Socket = z.object({
  fd: z.number().int().nullable(),
  /** `tcp`, `udp`, `unix`, … */
  kind: z.string(),
  /** ss's word: ESTAB, LISTEN, CLOSE-WAIT, SYN-SENT, UNCONN, … */
  state: z.string(),
  local: z.string(),
  peer: z.string(),
  receiveQueue: z.number(),
  sendQueue: z.number(),
  inode: z.string().nullable(),
  bytesReceived: z.number().nullable(),
  bytesSent: z.number().nullable(),
  /** Milliseconds since data last came in or went out (ss lastrcv, lastsnd). */
  lastReceivedMs: z.number().nullable(),
  lastSentMs: z.number().nullable(),
  timer: z.string().nullable(),
  at: LineNumber,
});
export type Socket = z.infer<typeof Socket>;
export const SocketsData = z.object({ sockets: z.array(Socket) });
export type SocketsData = z.infer<typeof SocketsData>;
