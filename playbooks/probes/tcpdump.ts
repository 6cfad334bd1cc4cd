import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseTcpdump } from './tcpdump.parse.ts';

/** Packets that are looked at, over all connections. */
const MOST_PACKETS = 2000;

const Direction = z.object({
  packets: z.number().int(),
  /** Bytes that the packets carried, without headers; what was sent twice counts twice. */
  bytes: z.number(),
  /** Packets whose bytes had been sent before. */
  again: z.number().int(),
  /** Packets that said that there is no room for more. */
  noRoom: z.number().int(),
});

export const TcpdumpData = z.object({
  /** Seconds between the first packet and the last; 0 when there was none. */
  seconds: z.number(),
  captured: z.number().int(),
  /** Packets that the kernel dropped before they could be counted. */
  dropped: z.number().int(),
  connections: z.array(
    z.object({
      local: z.string(),
      peer: z.string(),
      sent: Direction,
      received: Direction,
      /** Packets that ask for a connection (SYN), and that break it off (RST). */
      asks: z.number().int(),
      resets: z.number().int(),
      /** The longest time between two packets of the connection, in seconds. */
      longestGap: z.number(),
      /** The line of its first packet. */
      at: LineNumber,
    }),
  ),
});
export type TcpdumpData = z.infer<typeof TcpdumpData>;

/**
 * Headers of the packets of the process's own TCP connections, bounded in packets and seconds (tcpdump(8)): who speaks, what
 * is sent again, who has no room. Nothing that packets carry is kept. It needs root, and costs each packet some time.
 */
export const tcpdump = defineProbe<TcpdumpData>({
  id: 'tcpdump',
  title: 'Headers of its TCP packets',
  phase: 3,
  impacts: ['slows'],
  ptraces: false,
  needs: { anyOf: [['tcpdump']], privilege: 'root' },
  limits: { seconds: ({ windowSeconds }) => windowSeconds + 6, bytes: 600_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: TcpdumpData,
  command: ({ target, windowSeconds }) => ({
    argv: ['sh', '{script:tcpdump.sh}', String(target.pid), String(windowSeconds), String(MOST_PACKETS)],
    scripts: ['tcpdump.sh'],
  }),
  parse: (evidence, { target }) => parseTcpdump(evidenceText(evidence), target.pid, MOST_PACKETS),
});
