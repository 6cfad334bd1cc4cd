import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseSocketRates } from './socket-rates.parse.ts';

/** A value over the window: seconds after its beginning, and what it was then. */
const Curve = z.array(z.object({ after: z.number(), value: z.number() }));

export const SocketRate = z.object({
  /** The target, or a direct child of it. */
  pid: z.number().int(),
  fd: z.number().int(),
  inode: z.string(),
  /** ss's word: ESTAB, CLOSE-WAIT, … */
  state: z.string(),
  local: z.string(),
  peer: z.string(),
  /** `unknown` while something sent is not acknowledged, and on kernels before 4.19. */
  side: z.enum(['client', 'server', 'unknown']),
  /** Bytes in the window, and since the connection was made; null where the kernel does not count them. */
  received: z.number(),
  receivedInAll: z.number().nullable(),
  sent: z.number(),
  sentInAll: z.number().nullable(),
  unread: z.number(),
  unsent: z.number(),
  /** Milliseconds since the last data, at the end of the window. */
  heardMs: z.number().nullable(),
  spokeMs: z.number().nullable(),
  /** Segments that had to be sent again since the connection was made. */
  sentAgain: z.number().nullable(),
  roundTripMs: z.number().nullable(),
  openedInWindow: z.boolean(),
  /** Bytes received since the connection was made, over the window; empty for all but the three busiest. */
  curve: Curve,
  at: LineNumber,
});
export type SocketRate = z.infer<typeof SocketRate>;

export const SocketRatesData = z.object({
  seconds: z.number(),
  looks: z.number().int(),
  /** Resident memory of the target, which is the first, and of its direct children. */
  processes: z.array(
    z.object({
      pid: z.number().int(),
      rssKib: z.object({ first: z.number(), last: z.number(), most: z.number() }),
      curve: Curve,
      at: LineNumber,
    }),
  ),
  /** Those with most bytes first. */
  sockets: z.array(SocketRate),
  /** Name servers to which the target had a socket open, and in how many of the looks. */
  nameServers: z.array(
    z.object({
      kind: z.enum(['udp', 'tcp']),
      peer: z.string(),
      looks: z.number().int(),
      /** Sockets to it at once, and over the window: more of them are more questions. */
      most: z.number().int(),
      sockets: z.number().int(),
      at: LineNumber,
    }),
  ),
  total: z.object({
    sockets: z.number().int(),
    moved: z.number().int(),
    closed: z.number().int(),
    received: z.number(),
    sent: z.number(),
    at: LineNumber,
  }),
});
export type SocketRatesData = z.infer<typeof SocketRatesData>;

/**
 * Bytes that each TCP socket of the process and of its direct children received and sent in the window, from struct
 * tcp_info (sock_diag(7), linux/tcp.h), beside their memory; and which name servers are being asked. In the process's own
 * network namespace. On a host with very many sockets it looks twice only, else about four times a second.
 */
export const socketRates = defineProbe<SocketRatesData>({
  id: 'socket-rates',
  title: 'Bytes over each socket, beside memory',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: ({ windowSeconds }) => windowSeconds + 10, bytes: 500_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: SocketRatesData,
  command: ({ target, windowSeconds, known }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:socket-rates.py}',
      String(target.pid),
      target.startTime,
      String(windowSeconds),
    ],
    scripts: ['socket-rates.py', 'socket_diag.py', 'proc_files.py'],
  }),
  parse: (evidence, { target }) => parseSocketRates(evidenceText(evidence), target.pid),
});
