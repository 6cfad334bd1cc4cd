import type { Look, Observation, Quote } from '../model/index.ts';
import { children } from '../probes/children.ts';
import type { IdentifyData } from '../probes/identify.ts';
import type { SampleData, SampledThread } from '../probes/sample.ts';
import { connections, listeners } from '../reading/connections.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  type PythonView,
  quoteFrame,
  threadName,
  threadOf,
} from '../reading/python.ts';
import {
  cpuShare,
  intArgument,
  isAccept,
  isChildWait,
  isFutex,
  isReadiness,
  isReceive,
  isSleep,
  type SampledCall,
  sampledCalls,
  socketInode,
} from '../reading/syscalls.ts';
import { code, count, list, percent, visible } from '../reading/text.ts';
import { turnsText } from '../reading/turns.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** What a process does, as far as its main thread and its busy ones show, and how clear that is. */
export interface Doing {
  readonly confidence: number;
  /** `waits for requests on 127.0.0.1:8000`: after "it". */
  readonly what: string;
  readonly quotes: readonly Quote[];
}

export interface Scene {
  readonly look: Look;
  readonly who: Seen<IdentifyData>;
  readonly sampled: Seen<SampleData>;
  readonly view: PythonView | null;
}

const placeOf = (thread: PythonThreadView | null): string => {
  const stack = thread?.stacks[0];
  const frame = stack === undefined ? null : ownFrame(stack);
  return frame === null ? '' : ` in ${frameName(frame)}`;
};

const quotesOf = (scene: Scene, call: SampledCall | null, thread: SampledThread): Quote[] => {
  const python = threadOf(scene.view, thread.tid);
  const stack = python?.stacks[0];
  const frame = stack === undefined ? null : ownFrame(stack);
  return [
    scene.look.quote(scene.sampled.evidenceId, call?.at ?? thread.at),
    ...(python !== null && frame !== null ? [quoteFrame(scene.look, python, frame)] : []),
  ];
};

const listenText = (look: Look): string => {
  const names = [...new Set(listeners(look).map((socket) => visible(socket.local)))];
  return names.length === 0
    ? ''
    : ` on ${list(names.slice(0, 3))}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
};

/** What a receive call reads from: the other end of its connection, a pipe, a file; `on` or `from` before it. */
const sourceOf = (look: Look, call: SampledCall): string => {
  const inode = socketInode(call.fd);
  const connection = inode === null ? undefined : connections(look).get(inode);
  const standard = call.fdNumber === 0 ? 'its standard input' : null;
  if (connection?.socket.kind.startsWith('tcp') === true)
    return `from ${visible(connection.socket.peer)} (TCP, ${connection.socket.state})`;
  if (connection !== undefined) return `on a ${connection.socket.kind} socket (${visible(connection.socket.peer)})`;
  if (call.fd?.startsWith('pipe:') === true) return `on a pipe (${standard ?? `descriptor ${call.fdNumber ?? '?'}`})`;
  return `on ${standard === null ? '' : `${standard}, `}${code(call.fd ?? 'a descriptor', 80)}`;
};

/** Children of the same name that hold a socket on which the process listens: they take its connections. */
const workers = (look: Look): number => {
  const seen = look.see(children);
  if (!seen.seen) return 0;
  const own = seen.data.processes.find((each) => each.relation === 'target');
  const shared = new Set(listeners(look).flatMap((socket) => socket.inode ?? []));
  return seen.data.processes.filter(
    (each) =>
      each.relation === 'descendant' &&
      each.depth === 1 &&
      each.comm === own?.comm &&
      each.sockets.some((socket) => shared.has(socket.inode)),
  ).length;
};

/** The only peer of a process that polls a single descriptor and serves nobody; null when that cannot be told. */
const askedPeer = (look: Look, call: SampledCall): string | null => {
  if (!/^p?poll$/.test(call.name) || intArgument(call.args, 1) !== 1) return null;
  const peers = [...connections(look).values()].filter(
    ({ socket, side }) => socket.kind.startsWith('tcp') && side === 'client' && socket.state === 'ESTAB',
  );
  return peers.length === 1 && peers[0] !== undefined ? visible(peers[0].socket.peer) : null;
};

/** What one steady wait of the main thread means for a process of its kind. */
const waiting = (scene: Scene, call: SampledCall, thread: SampledThread): Doing => {
  const place = placeOf(threadOf(scene.view, thread.tid));
  const quotes = quotesOf(scene, call, thread);
  const on = listenText(scene.look);
  if (isAccept(call.name)) return { confidence: 0.95, what: `waits for connections${on}${place}`, quotes };
  if (isReadiness(call.name)) {
    const served = workers(scene.look);
    if (on !== '' && served > 0) {
      const what = `is the master of ${count(served, 'process', 'processes')} of its kind that serve requests${on}, and waits in ${call.name}${place}`;
      return { confidence: 0.9, what, quotes };
    }
    const asked = askedPeer(scene.look, call);
    if (asked !== null && on === '')
      return { confidence: 0.75, what: `waits for ${asked} to say something${place}`, quotes };
    const turns = turnsText(scene.look, thread.tid);
    const also = turns === null ? '' : `; ${turns}`;
    return on === ''
      ? { confidence: 0.85, what: `waits for something to do in ${call.name}${place}${also}`, quotes }
      : { confidence: 0.95, what: `waits for requests${on} in ${call.name}${place}${also}`, quotes };
  }
  if (isSleep(call.name)) return { confidence: 0.9, what: `sleeps until its next turn${place}`, quotes };
  if (isChildWait(call.name)) {
    const alive = scene.who.data.children.filter((child) => child.state !== 'Z');
    if (alive.length === 0) return { confidence: 0.4, what: `waits for a child, and none is seen${place}`, quotes };
    const names = list(alive.slice(0, 3).map((child) => `${child.pid} (${code(child.comm, 40)})`));
    return {
      confidence: 0.9,
      what: `waits for ${count(alive.length, 'child', 'children')} to end: ${names}${place}`,
      quotes,
    };
  }
  if (isFutex(call.name)) return { confidence: 0.7, what: `waits for another thread, or for a signal${place}`, quotes };
  if (isReceive(call.name))
    return { confidence: 0.7, what: `waits for what comes next ${sourceOf(scene.look, call)}${place}`, quotes };
  return { confidence: 0.6, what: `is in ${call.name}${place}`, quotes };
};

/** Other threads that wake now and then, so that something goes on in them. */
const moversBeside = (scene: Scene, main: SampledThread): number =>
  scene.sampled.data.threads.filter((thread) => thread !== main && (thread.voluntarySwitches ?? 0) > 3).length;

/** Its other threads that wait and its children, when there are any: ` with 7 other threads that wait, master of 4 processes`. */
const crewOf = (scene: Scene, main: SampledThread): string => {
  const idle = scene.sampled.data.threads.filter((thread) => {
    const [first] = sampledCalls(thread);
    return (
      thread !== main &&
      (thread.voluntarySwitches ?? 0) <= 3 &&
      first !== undefined &&
      first.share >= 0.9 &&
      isFutex(first.name)
    );
  });
  const [first] = sampledCalls(main);
  const moving = moversBeside(scene, main);
  const offspring = scene.who.data.children.filter((child) => child.state !== 'Z');
  const parts = [
    ...(moving === 0 ? [] : [`${count(moving, 'other thread')} ${moving === 1 ? 'gets' : 'get'} on`]),
    ...(idle.length === 0
      ? []
      : [`${count(idle.length, 'other thread')} ${idle.length === 1 ? 'waits' : 'wait'} for work`]),
    ...(offspring.length === 0 || workers(scene.look) > 0 || (first !== undefined && isChildWait(first.name))
      ? []
      : [
          `it has ${count(offspring.length, 'child', 'children')} (${list([...new Set(offspring.map((child) => code(child.comm, 40)))].slice(0, 3))})`,
        ]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
};

/** What a thread that moves between running and waiting does. */
const mixed = (scene: Scene, thread: SampledThread, share: number): Doing => {
  const calls = sampledCalls(thread)
    .slice(0, 3)
    .map((call) => call.name);
  const place = placeOf(threadOf(scene.view, thread.tid));
  const between = calls.length === 0 ? '' : `, in and between ${list(calls)}`;
  return {
    confidence: 0.85,
    what: `works${place} (${percent(share)} of a processor${between})`,
    quotes: quotesOf(scene, null, thread),
  };
};

/** What the process does: its main thread, and the busiest other one. Null when no thread could be watched. */
export const doingOf = (scene: Scene): Doing | null => {
  const { data } = scene.sampled;
  const main = data.threads.find((thread) => thread.tid === scene.look.target.pid) ?? data.threads[0];
  if (main === undefined) return null;
  const busy = [...data.threads]
    .filter((thread) => thread !== main && cpuShare(thread, data.seconds) > 0.05)
    .sort((a, b) => cpuShare(b, data.seconds) - cpuShare(a, data.seconds))[0];
  const [first] = sampledCalls(main);
  const share = cpuShare(main, data.seconds);
  const own = first !== undefined && first.share >= 0.9 ? waiting(scene, first, main) : mixed(scene, main, share);
  const crew = crewOf(scene, main);
  if (busy === undefined) {
    // A main thread that only waits for its threads is no riddle when these get on.
    const confidence = moversBeside(scene, main) > 0 ? Math.max(own.confidence, 0.8) : own.confidence;
    return { ...own, confidence, what: `${own.what}${crew}` };
  }
  const other = mixed(scene, busy, cpuShare(busy, data.seconds));
  const name = threadName(threadOf(scene.view, busy.tid) ?? { tid: busy.tid, name: busy.comm, main: false });
  return {
    confidence: Math.min(0.9, Math.max(own.confidence, other.confidence)),
    what: `${own.what}${crew}, while ${name} ${other.what}`,
    quotes: [...own.quotes, ...other.quotes],
  };
};
