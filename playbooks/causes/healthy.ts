import { defineCause, type FindingDraft, type Look, type Observation, type Quote } from '../model/index.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import { type SampleData, type SampledThread, sample } from '../probes/sample.ts';
import { listeners } from '../reading/connections.ts';
import { burners } from '../reading/cpu.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  type PythonView,
  pythonThreads,
  quoteFrame,
  threadName,
  threadOf,
} from '../reading/python.ts';
import {
  cpuShare,
  isAccept,
  isChildWait,
  isFutex,
  isReadiness,
  isReceive,
  isSleep,
  type SampledCall,
  sampledCalls,
  stateShare,
  unreadableShare,
} from '../reading/syscalls.ts';
import { code, count, duration, kib, list, percent, visible } from '../reading/text.ts';
import { busyLoop } from './busy-loop.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** What a process does, as far as its main thread and its busy ones show, and how clear that is. */
interface Doing {
  readonly confidence: number;
  /** `waits for requests on 127.0.0.1:8000`: after "it". */
  readonly what: string;
  readonly quotes: readonly Quote[];
}

interface Scene {
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

/** What one steady wait of the main thread means for a process of its kind. */
const waiting = (scene: Scene, call: SampledCall, thread: SampledThread): Doing => {
  const place = placeOf(threadOf(scene.view, thread.tid));
  const quotes = quotesOf(scene, call, thread);
  const on = listenText(scene.look);
  if (isAccept(call.name)) return { confidence: 0.95, what: `waits for connections${on}${place}`, quotes };
  if (isReadiness(call.name)) {
    return on === ''
      ? { confidence: 0.85, what: `waits for something to do in ${call.name}${place}`, quotes }
      : { confidence: 0.95, what: `waits for requests${on} in ${call.name}${place}`, quotes };
  }
  if (isSleep(call.name)) return { confidence: 0.9, what: `sleeps until its next turn${place}`, quotes };
  if (isChildWait(call.name)) {
    const children = scene.who.data.children.filter((child) => child.state !== 'Z');
    if (children.length === 0) return { confidence: 0.4, what: `waits for a child, and none is seen${place}`, quotes };
    const names = list(children.slice(0, 3).map((child) => `${child.pid} (${code(child.comm, 40)})`));
    return {
      confidence: 0.9,
      what: `waits for ${count(children.length, 'child', 'children')} to end: ${names}${place}`,
      quotes,
    };
  }
  if (isFutex(call.name)) return { confidence: 0.7, what: `waits for another thread, or for a signal${place}`, quotes };
  if (isReceive(call.name)) {
    return {
      confidence: 0.7,
      what: `waits for what comes next on ${code(call.fd ?? 'a descriptor', 80)}${place}`,
      quotes,
    };
  }
  return { confidence: 0.6, what: `is in ${call.name}${place}`, quotes };
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

const doingOf = (scene: Scene): Doing | null => {
  const { data } = scene.sampled;
  const main = data.threads.find((thread) => thread.tid === scene.look.target.pid) ?? data.threads[0];
  if (main === undefined) return null;
  const busy = [...data.threads]
    .filter((thread) => thread !== main && cpuShare(thread, data.seconds) > 0.05)
    .sort((a, b) => cpuShare(b, data.seconds) - cpuShare(a, data.seconds))[0];
  const [first] = sampledCalls(main);
  const share = cpuShare(main, data.seconds);
  const own = first !== undefined && first.share >= 0.9 ? waiting(scene, first, main) : mixed(scene, main, share);
  if (busy === undefined) return own;
  const other = mixed(scene, busy, cpuShare(busy, data.seconds));
  const name = threadName(threadOf(scene.view, busy.tid) ?? { tid: busy.tid, name: busy.comm, main: false });
  return {
    confidence: Math.min(0.9, Math.max(own.confidence, other.confidence)),
    what: `${own.what}, while ${name} ${other.what}`,
    quotes: [...own.quotes, ...other.quotes],
  };
};

/** What was looked at and is in order, in one sentence. */
const checked = (scene: Scene): string => {
  const { who, sampled } = scene;
  const { data } = sampled;
  const memory = data.process.rssKib;
  const grown = memory.last - memory.first;
  const parts = [
    `${count(data.threads.length, 'thread')} over ${duration(data.seconds)}`,
    `memory ${kib(memory.last)}${Math.abs(grown) < Math.max(1024, memory.first * 0.02) ? ', steady' : `, ${grown > 0 ? 'up' : 'down'} by ${kib(Math.abs(grown))}`}`,
    ...(who.data.fds === null
      ? []
      : [`${who.data.fds.open} of ${who.data.fds.softLimit ?? 'unlimited'} descriptors open`]),
  ];
  return `Looked at: ${parts.join('; ')}.`;
};

/** Why the process cannot be called healthy, though no rule may have fired; null when nothing is odd. */
const oddness = (scene: Scene): string | null => {
  const { who, sampled, look } = scene;
  const { data } = sampled;
  if (/[TtZXx]/.test(who.data.state.letter)) return `it is in state ${who.data.state.letter}`;
  const stuck = data.threads.find((thread) => stateShare(thread, 'D') >= 0.9);
  if (stuck !== undefined) return `thread ${stuck.tid} was in an uninterruptible wait (state D) for the whole window`;
  if (burners(data).length > 0) {
    const spinning = busyLoop.judge(look);
    if (spinning.verdict !== 'clear') return 'a thread burns a processor, and whether it gets on could not be told';
  }
  const main = data.threads.find((thread) => thread.tid === look.target.pid);
  if (main !== undefined && unreadableShare(main) > 0.5) {
    return 'the system calls that its threads wait in could not be read; look as root or its owner';
  }
  return null;
};

/**
 * Says what the process is doing when nothing is wrong with it. It describes only; the judge keeps it when no other cause
 * reaches 0.5.
 */
export const healthy = defineCause({
  id: 'healthy',
  title: 'Nothing is wrong with the process',
  needs: [identify, sample],
  explains: [],
  judge: (look) => {
    const who = look.see(identify);
    const sampled = look.see(sample);
    if (!who.seen) return { verdict: 'cannot-tell', why: who.why, wants: [identify.id] };
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    if (sampled.data.samples < 4 || sampled.data.seconds < 0.4) {
      return { verdict: 'cannot-tell', why: 'the window was too short to see what it does' };
    }
    const scene: Scene = { look, who, sampled, view: pythonThreads(look) };
    const odd = oddness(scene);
    if (odd !== null) return { verdict: 'cannot-tell', why: odd };
    const busy = burners(sampled.data).length > 0 ? busyLoop.judge(look) : null;
    const doing = doingOf(scene);
    if (doing === null) return { verdict: 'cannot-tell', why: 'none of its threads could be watched' };
    const progress = busy?.verdict === 'clear' ? ` ${busy.why.charAt(0).toUpperCase()}${busy.why.slice(1)}.` : '';
    const finding: FindingDraft = {
      confidence: doing.confidence,
      title: `Nothing wrong was found: it ${doing.what}`,
      summary: `The process ${doing.what}.${progress} ${checked(scene)} No rule found a fault; if it is slow or silent all the same, look again while that lasts, with a longer window.`,
      evidence: [...doing.quotes],
      fixes: [],
    };
    return { verdict: 'fires', findings: [finding] };
  },
});
