import type { Look } from '../model/index.ts';
import { fds } from '../probes/fds.ts';
import { courseOf, peerGroups } from '../reading/descriptors.ts';

/** Connections that a server took, and that become more: a load that grows, and with it what is kept for each. */
export interface Crowd {
  /** Open now, early in the look. */
  readonly open: number;
  readonly perSecond: number;
}

/** Fewer connections are no crowd. */
const CROWD = 20;
/** What is kept for a connection: a task has a few objects of one kind, but not a hundred. */
const EACH_LEAST = 0.3;
const EACH_MOST = 8;
/** Seconds by which the sockets may have been listed before the objects were counted. */
const LATER = 12;
const NEAR = 1.6;

/** The clients that come and stay, when most new descriptors of the window are theirs; null when none do. */
export const crowdOf = (look: Look): Crowd | null => {
  const seen = look.see(fds);
  if (!seen.seen || seen.data.seconds <= 0) return null;
  const course = courseOf(seen.data.counts);
  const sockets = seen.data.groups
    .filter((group) => group.kind === 'socket')
    .reduce((sum, group) => sum + group.last - group.first, 0);
  if (!course.rises || sockets < 0.7 * course.grown) return null;
  const open = peerGroups(look, /^ESTAB$/)
    .filter((group) => group.side === 'server')
    .reduce((sum, group) => sum + group.connections.length, 0);
  return open < CROWD ? null : { open, perSecond: course.grown / seen.data.seconds };
};

/** Whether something of which there are `items`, `perSecond` more a second, is what is kept for each of them, no more and no less. */
export const goesWith = (crowd: Crowd | null, items: number, perSecond: number): boolean => {
  if (crowd === null || perSecond <= 0) return false;
  const each = perSecond / crowd.perSecond;
  if (each < EACH_LEAST || each > EACH_MOST) return false;
  const connections = items / each;
  return connections >= crowd.open / NEAR && connections <= NEAR * (crowd.open + LATER * crowd.perSecond);
};
