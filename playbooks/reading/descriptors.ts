import type { Look } from '../model/index.ts';
import { type FdGroup, type FdsData, fds } from '../probes/fds.ts';
import { identify } from '../probes/identify.ts';
import { logTail } from '../probes/log-tail.ts';
import { sample } from '../probes/sample.ts';
import { type Socket, sockets } from '../probes/sockets.ts';
import { strace } from '../probes/strace.ts';
import { type Connection, connections, splitAddress } from './connections.ts';
import { ownThreads } from './lock-waits.ts';

/** What the open descriptors of a process say: how many, how they grow, and what they are. */

/** How a number moved through the window. */
export interface Course {
  readonly first: number;
  readonly last: number;
  /** From first to last; negative when it fell. */
  readonly grown: number;
  /** It went up most of the time and never came down by more than a small part of what it had gained. */
  readonly rises: boolean;
}

/** The course of the counts of a window. */
export const courseOf = (counts: FdsData['counts']): Course => {
  const numbers = counts.map((each) => each.open);
  const [first = 0, last = 0] = [numbers[0], numbers[numbers.length - 1]];
  let [top, fall, ups] = [first, 0, 0];
  for (const [index, number] of numbers.entries()) {
    fall = Math.max(fall, top - number);
    top = Math.max(top, number);
    if (index > 0 && number > (numbers[index - 1] ?? 0)) ups += 1;
  }
  const grown = last - first;
  const steps = Math.max(1, numbers.length - 1);
  const steady = fall <= Math.max(1, grown * 0.2) && (ups >= Math.min(3, steps) || steps < 3);
  return { first, last, grown, rises: grown >= 3 && steady };
};

/** How many descriptors a process may open: its soft limit, or what the host has left for all; null when not known. */
export const roomOf = (data: FdsData): number | null =>
  data.limits === null ? null : (data.limits.soft ?? data.host?.most ?? null);

/** Kinds of which a program may keep as many as it likes without opening them anew. */
const BACKGROUND = new Set(['device', 'other']);

/** Whether descriptors were opened there and none, or hardly any, were closed. */
export const onlyGrows = (group: FdGroup): boolean =>
  group.last - group.first >= 3 && group.closed <= 0.2 * group.opened;

/** The group that most of the growth went into, else the biggest one; null when there is none to speak of. */
export const heaviest = (data: FdsData, growing: boolean): FdGroup | null => {
  const groups = data.groups.filter((group) => !BACKGROUND.has(group.kind));
  const growth = (group: FdGroup) => group.last - group.first;
  const [grown] = [...groups].sort((a, b) => growth(b) - growth(a));
  if (growing && grown !== undefined && onlyGrows(grown)) return grown;
  return [...groups].sort((a, b) => b.last - a.last)[0] ?? null;
};

/** Connections to one peer, or of one kind of client, with what the kernel knows about each. */
export interface PeerGroup {
  /** `10.0.0.7:5432` for connections that the process opened, `clients of 0.0.0.0:8000` for those that it took. */
  readonly name: string;
  readonly side: 'client' | 'server';
  readonly connections: readonly Connection[];
}

/** Milliseconds since anything came in, an acknowledgement or the peer's FIN included (ss's lastack); null when unknown. */
export const quietMs = (look: Look, evidenceId: string, socket: Socket): number | null => {
  const found = /(?:^| )lastack:(\d{1,15})(?= |$)/.exec(look.quote(evidenceId, socket.at).text)?.[1];
  return found === undefined ? null : Number(found);
};

/**
 * The process's TCP connections by peer: those that it opened by the peer's address and port, those that it took by its own
 * port. Biggest first. Empty when sockets were not seen.
 */
export const peerGroups = (look: Look, states: RegExp = /./): PeerGroup[] => {
  const seen = look.see(sockets);
  if (!seen.seen) return [];
  const all = [...connections(look).values()].filter(
    (each) => each.socket.kind.startsWith('tcp') && states.test(each.socket.state),
  );
  const groups = new Map<string, Connection[]>();
  // A port of this process that many connections share is one that it listens on, or did.
  const own = new Map<string, number>();
  for (const each of all) own.set(each.socket.local, (own.get(each.socket.local) ?? 0) + 1);
  for (const each of all) {
    const { port } = splitAddress(each.socket.local);
    const taken = each.side === 'server' || (each.side === 'unknown' && (own.get(each.socket.local) ?? 0) > 1);
    const key = taken ? `server ${port ?? ''}` : `client ${each.socket.peer}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups]
    .map(([key, members]): PeerGroup => {
      const [side, name = ''] = key.split(' ');
      const local = members[0]?.socket.local ?? name;
      return side === 'server'
        ? { name: `clients of ${local}`, side: 'server', connections: members }
        : { name, side: 'client', connections: members };
    })
    .sort((a, b) => b.connections.length - a.connections.length);
};

/** A call of a traced thread that was refused for want of a descriptor: EMFILE, the process's limit; ENFILE, the host's. */
export interface Refused {
  readonly evidenceId: string;
  readonly name: string;
  readonly errno: string;
  readonly tid: number;
  readonly args: string;
  readonly count: number;
  readonly at: number;
}

/** Calls of the process itself that failed with one of these errors, by thread, name and error, most often first. */
export const failedCalls = (look: Look, errors: ReadonlySet<string>): Refused[] => {
  const traced = look.see(strace);
  if (!traced.seen) return [];
  const own = ownThreads(look);
  const groups = new Map<string, Refused>();
  for (const call of traced.data.detail.calls) {
    if (call.errno === null || !errors.has(call.errno) || !own.has(call.tid)) continue;
    const key = `${call.tid} ${call.name} ${call.errno}`;
    const known = groups.get(key);
    groups.set(key, {
      evidenceId: traced.evidenceId,
      name: call.name,
      errno: call.errno,
      tid: call.tid,
      args: known?.args ?? call.args,
      count: (known?.count ?? 0) + 1,
      at: known?.at ?? call.at,
    });
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
};

/** The process's descriptors, when they were seen. */
export const seenFds = (look: Look) => {
  const seen = look.see(fds);
  return seen.seen ? seen : null;
};

/** Complaints of the process's own logs that no descriptor was left. */
export interface ToldFull {
  readonly evidenceId: string;
  /** The line of the evidence that shows the last one. */
  readonly at: number;
  readonly times: number;
  /** Seconds before the look at which the last one was written; null when it says no time. */
  readonly agoSeconds: number | null;
}

/** What its own logs say since it started; null when they say nothing of it, or were not read. */
export const toldFull = (look: Look): ToldFull | null => {
  const [seen, who, sampled] = [look.see(logTail), look.see(identify), look.see(sample)];
  if (!seen.seen || !who.seen) return null;
  const ticks = sampled.seen ? sampled.data.ticksPerSecond : 100;
  const started = who.data.host.bootedAt + Number(who.data.startTime) / ticks;
  const now = started + who.data.ageSeconds;
  const lines = seen.data.lines.filter((line) => {
    const written = line.file === null ? null : (seen.data.files[line.file]?.written ?? null);
    // A log may go back to before this process; what stands in one that was not written to since is older too.
    return line.kind === 'files' && !line.before && (line.time ?? written ?? started) >= started - 1;
  });
  const last = lines.at(-1);
  if (last === undefined) return null;
  const ago = last.time === null ? null : Math.max(0, now - last.time);
  return { evidenceId: seen.evidenceId, at: last.at, times: lines.length, agoSeconds: ago };
};
