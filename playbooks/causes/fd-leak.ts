import { defineCause, type FindingDraft, type Look, type Verdict } from '../model/index.ts';
import { type FdGroup, type FdsData, fds } from '../probes/fds.ts';
import { sockets } from '../probes/sockets.ts';
import { strace } from '../probes/strace.ts';
import {
  type Course,
  courseOf,
  failedCalls,
  heaviest,
  onlyGrows,
  type PeerGroup,
  peerGroups,
  type Refused,
  roomOf,
  type ToldFull,
  toldFull,
} from '../reading/descriptors.ts';
import { type Opener, openerOf } from '../reading/openers.ts';
import { pythonThreads, samplesWhere } from '../reading/python.ts';
import { handlerRuns } from '../reading/signals.ts';
import { code, count, list } from '../reading/text.ts';
import {
  closeFix,
  courseWords,
  groupWords,
  leftWords,
  levelWords,
  openerWords,
  roomFix,
  toldWords,
  verifyFix,
} from './fd-leak.texts.ts';

const STARVED = new Set(['EMFILE', 'ENFILE']);
/** Share of the limit from which a process is near it. */
const NEAR = 0.8;
/** Sockets at the beginning of the window that stand for those that come in it. */
const LISTED_LEAST = 20;
/** Milliseconds after which a connection that nothing came or went on is not in use just now. */
const QUIET_MS = 1000;

/** What the sockets among the descriptors are: those of clients are load, those that nobody uses any more are not. */
type Use = 'load' | 'used' | 'idle' | 'unknown';

interface Scene {
  readonly look: Look;
  readonly evidenceId: string;
  readonly data: FdsData;
  readonly course: Course;
  readonly room: number | null;
  readonly group: FdGroup | null;
  readonly peers: PeerGroup | null;
  readonly use: Use;
  readonly refused: readonly Refused[];
  readonly told: ToldFull | null;
  readonly opener: Opener | null;
  /** Signal handlers that stand on each other: each keeps what it has opened until those above it have returned. */
  readonly stacked: number;
}

/**
 * Whether most of the sockets are connections that the process took at a Unix socket of its own and that somebody still has
 * at the other end. ss shows the listener's path for the end that was taken, `*` for the other one, and of a peer that is
 * gone the inode 0.
 */
const unixLoad = (look: Look, count: number): boolean => {
  const seen = look.see(sockets);
  if (!seen.seen) return false;
  const path = (local: string) => local.replace(/:\d+$/, '');
  const own = seen.data.sockets.filter((each) => each.kind === 'unix' && !each.local.startsWith('*'));
  const heard = new Set(own.filter((each) => each.state === 'LISTEN').map((each) => path(each.local)));
  const taken = own.filter((each) => each.state === 'ESTAB' && heard.has(path(each.local)));
  const used = taken.filter((each) => /:[1-9]\d*$/.test(each.peer));
  return taken.length >= count * 0.5 && used.length >= taken.length * 0.7;
};

/** Who is at the other end of most of the sockets, and whether they are used. */
const useOf = (look: Look, all: number): { peers: PeerGroup | null; use: Use } => {
  const [peers] = peerGroups(look, /^(ESTAB|CLOSE-WAIT|SYN-SENT|FIN-WAIT)/);
  if (peers === undefined || peers.connections.length < all * 0.5)
    return { peers: null, use: unixLoad(look, all) ? 'load' : 'unknown' };
  const open = peers.connections.filter((each) => each.socket.state === 'ESTAB');
  if (open.length < peers.connections.length * 0.5) return { peers, use: 'idle' };
  if (peers.side === 'server') return { peers, use: 'load' };
  const quiet = open.filter(({ socket }) => {
    const ages = [socket.lastReceivedMs, socket.lastSentMs].filter((age) => age !== null);
    return ages.length > 0 && Math.min(...ages) > QUIET_MS;
  });
  return { peers, use: quiet.length >= open.length * 0.7 ? 'idle' : 'used' };
};

/** How many runs of signal handlers stand on each other in the deepest stack of a thread that is mostly in such stacks; else 0. */
const stackedHandlers = (look: Look): number => {
  const nested = (pythonThreads(look)?.threads ?? []).filter(
    (thread) => samplesWhere(thread, (stack) => handlerRuns(stack).length >= 2) >= 0.5 * thread.samples,
  );
  return Math.max(0, ...nested.flatMap((thread) => thread.stacks.map((stack) => handlerRuns(stack).length)));
};

const sceneOf = (look: Look, data: FdsData, evidenceId: string): Scene => {
  const course = courseOf(data.counts);
  const group = heaviest(data, course.rises);
  // The sockets are listed as the window begins, and may become many more in it.
  const listed = group === null ? 0 : group.first >= LISTED_LEAST ? group.first : group.last;
  const { peers, use } = group?.kind === 'socket' ? useOf(look, listed) : { peers: null, use: 'unknown' as const };
  return {
    look,
    evidenceId,
    data,
    course,
    room: roomOf(data),
    group,
    peers,
    use,
    refused: failedCalls(look, STARVED),
    told: toldFull(look),
    opener: group === null ? null : openerOf(look, group.kind, group.name),
    stacked: stackedHandlers(look),
  };
};

/** How sure growth alone makes it: many of one name that only become more are no start-up and no burst. */
const growthSureness = ({ group, use, course, opener, stacked }: Scene, near: boolean): number => {
  if (!course.rises || group === null || !onlyGrows(group)) return 0;
  // The symptom of handlers that do not return: why they do not is the question.
  if (stacked >= 2 && group.last - group.first <= 2 * stacked) return 0.45;
  // More clients than before are no fault, as long as there is room for them.
  if (use === 'load' || use === 'used') return near ? 0.4 : 0;
  const same = group.name !== null && group.names === 1;
  const many = group.last;
  const traced = opener !== null && opener.call !== null ? 0.07 : 0;
  const sure = same ? (many >= 20 ? 0.9 : many >= 8 ? 0.75 : 0) : many >= 30 ? 0.85 : many >= 12 ? 0.65 : 0;
  return sure < 0.5 ? sure : Math.min(0.94, sure + (near ? 0.05 : 0) + traced);
};

const surenessOf = (scene: Scene): number => {
  const { room, group, use, refused, told, course } = scene;
  const share = room === null || room === 0 ? 0 : course.last / room;
  const main = group !== null && group.last >= course.last * 0.5;
  const grows = growthSureness(scene, share >= NEAR);
  const load = use === 'load';
  if (refused.length > 0) return load ? 0.7 : 0.95;
  // What the program itself wrote when it was refused says as much as a trace, while there is still no room.
  const full = room !== null && course.last >= room - 1;
  if (told !== null && (full || share >= NEAR)) return load ? 0.65 : full ? 0.93 : Math.max(grows, main ? 0.85 : 0.6);
  // A trace would show who is refused: it is worth its time unless the place is known.
  const placed = scene.opener?.by === 'line';
  if (full) return load ? 0.6 : !main ? 0.8 : placed ? 0.93 : 0.89;
  if (share >= NEAR) return Math.max(grows, load ? 0.4 : use === 'used' ? 0.45 : main ? 0.7 : 0.5);
  // One name a hundred times over is nothing that a program needs, also when no work comes in just now.
  const pile = group !== null && group.kind === 'file' && group.names === 1 && group.last >= 100;
  return Math.max(grows, pile && share >= 0.4 ? 0.6 : 0);
};

const inferredOf = (scene: Scene, confidence: number): string => {
  if (confidence >= 0.9) return '';
  if (scene.use === 'load' || scene.use === 'used')
    return ' Not seen directly: that they are more than its work needs; they are connections in use, so this may be load.';
  if (scene.stacked >= 2 && confidence < 0.5)
    return ` ${scene.stacked} runs of signal handlers stand on each other, and each keeps what it has opened until those above it return: most likely a symptom of that.`;
  if (scene.course.rises) return ' Inferred: that none of them is closed later; in the window hardly one was.';
  return ' Inferred: that they are not needed any more; the number did not rise in the window.';
};

const titleOf = (scene: Scene): string => {
  const { course, room, group, refused, peers, use } = scene;
  const what = group === null ? '' : `: ${groupWords(group, peers?.name ?? null)}`;
  if (refused.length > 0 || (room !== null && course.last >= room - 1)) {
    const why = use === 'load' ? ', by its load' : '';
    return `No descriptor is left, ${levelWords(course.last, room)}${why}${what}`;
  }
  if (course.rises) return `Descriptors are opened and not closed, ${levelWords(course.last, room)}${what}`;
  return `Descriptors are nearly used up, ${levelWords(course.last, room)}${what}`;
};

const draftOf = (scene: Scene, confidence: number): FindingDraft => {
  const { look, data, course, room, group, refused, told, opener, evidenceId, use, peers } = scene;
  const [first] = refused;
  const errors = list([...new Set(refused.map((each) => each.errno))]);
  const refusal =
    first === undefined
      ? ''
      : ` The trace shows ${code(first.name)} fail with ${errors} ${count(
          refused.reduce((sum, each) => sum + each.count, 0),
          'time',
        )}.`;
  const soft = data.limits?.soft ?? null;
  const gain =
    soft === null || (room !== null && course.last < room * 0.5)
      ? null
      : roomFix(look, soft, data.limits?.hard ?? null);
  const lines = [
    ...(first === undefined ? [] : [{ evidenceId: first.evidenceId, at: first.at }]),
    ...(told === null ? [] : [{ evidenceId: told.evidenceId, at: told.at }]),
    { evidenceId, at: data.countsAt },
    ...(data.limits === null ? [] : [{ evidenceId, at: data.limits.at }]),
    ...(group === null ? [] : [{ evidenceId, at: group.at }]),
    ...(opener === null ? [] : [{ evidenceId: opener.thread.evidenceId, at: opener.frame.at }]),
    ...(opener?.call ? [{ evidenceId: opener.call.evidenceId, at: opener.call.at }] : []),
  ];
  const load = use === 'load' || use === 'used';
  return {
    confidence,
    title: titleOf(scene),
    summary:
      `${courseWords(course, data.seconds)}${leftWords(course, data.seconds, room)}` +
      `${group === null ? '' : ` Most are ${groupWords(group, peers?.name ?? null)}; ${group.opened} were opened and ${group.closed} closed in the window.`}` +
      `${refusal}${toldWords(told)}${load ? '' : openerWords(opener)}${inferredOf(scene, confidence)}`,
    evidence: [...new Map(lines.map((line) => [`${line.evidenceId} ${line.at}`, line])).values()].map((line) =>
      look.quote(line.evidenceId, line.at),
    ),
    fixes: [
      ...(load || group === null ? [] : [closeFix(group, opener)]),
      ...(gain === null ? [] : [gain]),
      verifyFix(look, group),
    ],
  };
};

const judge = (look: Look): Verdict => {
  const seen = look.see(fds);
  if (!seen.seen) return { verdict: 'cannot-tell', why: seen.why, wants: [fds.id] };
  const scene = sceneOf(look, seen.data, seen.evidenceId);
  const confidence = surenessOf(scene);
  const { course, room, use, group } = scene;
  const near = room !== null && course.last >= room * NEAR;
  if (confidence >= 0.35) {
    const open = confidence < 0.9 && (near || confidence >= 0.5 || scene.stacked >= 2) && use !== 'load';
    return {
      verdict: 'fires',
      findings: [draftOf(scene, confidence)],
      ...(open ? { wants: [strace.id] } : {}),
    };
  }
  const level = levelWords(course.last, room);
  if (course.rises && group !== null)
    return { verdict: 'clear', why: `${level}; it opened some in the window, but no one kind piles up` };
  const earlier = toldWords(scene.told).replace(
    /^ Its own log says (.*)\.$/,
    '; its own log says $1, but by now it has room',
  );
  return { verdict: 'clear', why: `${level}, far from the limit and not rising${earlier}` };
};

/** A process that opens descriptors and does not close them, until none is left. */
export const fdLeak = defineCause({
  id: 'fd-leak',
  title: 'Descriptors are opened and not closed',
  needs: [fds],
  explains: ['native-memory-growth', 'python-heap-growth'],
  judge,
});
