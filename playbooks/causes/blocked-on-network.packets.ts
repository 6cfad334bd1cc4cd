import type { Look, Quote } from '../model/index.ts';
import { tcpdump } from '../probes/tcpdump.ts';
import type { Wait } from './blocked-on-network.seen.ts';

/** What was seen of a connection's packets after the window. */
export interface Packets {
  /** Seconds for which no data came from the other side; 0 when some came, or packets were not looked at. */
  readonly silence: number;
  readonly quotes: readonly Quote[];
}

/** Whether the other side said anything while headers of packets were watched. */
export const packetsOf = (look: Look, wait: Wait, windowSeconds: number): Packets => {
  const seen = look.see(tcpdump);
  const { socket } = wait.connection;
  if (!seen.seen || seen.partly.length > 0 || !socket.kind.startsWith('tcp')) return { silence: 0, quotes: [] };
  const found = seen.data.connections.find((each) => each.local === socket.local && each.peer === socket.peer);
  if (found !== undefined && found.received.bytes > 0) return { silence: 0, quotes: [] };
  return { silence: windowSeconds, quotes: [look.quote(seen.evidenceId, found?.at ?? 1)] };
};
