import { defineCause, type FindingDraft, type Look, type Verdict } from '../model/index.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { type SampleData, type SampledThread, sample } from '../probes/sample.ts';
import { type Socket, sockets } from '../probes/sockets.ts';
import { strace } from '../probes/strace.ts';
import { type LoopThread, loopThread, suspendedHub } from '../reading/event-loop.ts';
import { type PythonView, pythonThreads, quoteFrame, threadName } from '../reading/python.ts';
import { cpuShare, isReadiness, type SampledCall, sampledCalls, stateShare } from '../reading/syscalls.ts';
import { count, percent } from '../reading/text.ts';
import { overdueTurns, quoteTurn } from '../reading/turns.ts';
import { blockedTexts, type Hold } from './event-loop-blocked.texts.ts';

/** Share of the window that callbacks must have held the loop without a break to be all of it, and a part to be worth telling. */
const ALL = 0.9;
const PART = 0.3;
/** Seconds of one hold: from here on a person notices, and from here on it may still be a callback like others. */
const LONG_HOLD = 0.25;
const SHORT_HOLD = 0.08;

interface Scene {
  readonly look: Look;
  readonly data: SampleData;
  readonly evidenceId: string;
  readonly view: PythonView;
  readonly loop: LoopThread;
  readonly sampled: SampledThread;
}

/** Bytes and connections that wait for the process, and whether it has connections or a listener at all. */
const others = (look: Look): { waiting: Socket[]; serves: boolean; evidenceId: string | null } => {
  const seen = look.see(sockets);
  if (!seen.seen) return { waiting: [], serves: false, evidenceId: null };
  const real = seen.data.sockets.filter(
    (socket) => socket.state === 'LISTEN' || (socket.kind.startsWith('tcp') && socket.state !== 'UNCONN'),
  );
  return {
    waiting: real.filter((socket) => socket.receiveQueue > 0 && /^(LISTEN|ESTAB|CLOSE-WAIT)$/.test(socket.state)),
    serves: real.some((socket) => socket.state === 'LISTEN' || socket.state === 'ESTAB'),
    evidenceId: seen.evidenceId,
  };
};

/** How often the trace saw the thread ask which descriptors are ready; null without a trace of it. */
const tracedPolls = ({ look, sampled }: Scene): { polls: number; seconds: number } | null => {
  const traced = look.see(strace);
  if (!traced.seen) return null;
  if (traced.data.attached.length > 0 && !traced.data.attached.includes(sampled.tid)) return null;
  const { detail } = traced.data;
  const calls = detail.calls.filter((call) => call.tid === sampled.tid);
  const polls = calls.filter((call) => isReadiness(call.name) && call.result !== null).length;
  const seconds = Math.max(0.01, detail.seconds);
  // That it never asked takes a while to see; that it did does not.
  return polls === 0 && seconds < 0.3 ? null : { polls, seconds };
};

/**
 * How often asyncio's loop was seen to have begun another turn: `_run_once` gives `end_time` a new value in each
 * (Lib/asyncio/base_events.py). Null when that was not watched, as of a thread that does not run.
 */
const turnsSeen = ({ loop }: Scene): number | null => {
  const frame = loop.thread.motion?.frames.find((each) => /(^|\.)_run_once$/.test(each.function));
  if (frame === undefined) return null;
  if (frame.still.includes('end_time')) return 0;
  return frame.moving.find((each) => each.name === 'end_time')?.changes ?? null;
};

/** The calls in which the thread was, without the loop's own wait for events. */
const blockingCalls = ({ sampled, loop }: Scene): SampledCall[] => {
  let own = loop.waits + loop.turns + 0.05;
  return sampledCalls(sampled).flatMap((call) => {
    if (!isReadiness(call.name)) return [call];
    const share = Math.max(0, call.share - own);
    own = Math.max(0, own - call.share);
    return share > 0.02 ? [{ ...call, share }] : [];
  });
};

/** A callback that waits in the kernel: for how long without a break, on average. */
const waitingHold = (scene: Scene): Hold | null => {
  const { sampled, data, loop } = scene;
  const calls = blockingCalls(scene);
  const [call] = calls;
  const waited = calls.reduce((sum, each) => sum + each.share, 0);
  if (call === undefined || waited < PART || loop.callback < PART) return null;
  const held = Math.min(waited, loop.callback);
  // Where the loop waits for events in between, about every second wait is its own.
  const waits = (sampled.voluntarySwitches ?? 0) * (loop.waits > 0.02 ? 0.5 : 1);
  // One stack all the while is one call that waits again and again inside of itself: a database that tries for its lock.
  const [stack] = loop.thread.stacks;
  const one =
    loop.callback >= 0.95 && (stack?.count ?? 0) >= 0.9 * loop.thread.samples && (tracedPolls(scene)?.polls ?? 0) === 0;
  const seconds = one ? held * data.seconds : (held * data.seconds) / (waits + 1);
  return { kind: 'waits', share: loop.callback, seconds, call: call.name, turns: null };
};

/** A callback that computes, and does not come back to the loop. */
const computingHold = (scene: Scene): Hold | null => {
  const { sampled, data, loop } = scene;
  // On a host that is short of processors it gets less than it wants.
  if (Math.max(cpuShare(sampled, data.seconds), stateShare(sampled, 'R')) < 0.7 || loop.callback < ALL) return null;
  const turns = turnsSeen(scene);
  const traced = tracedPolls(scene);
  const began = traced !== null && traced.polls > 0 ? (traced.polls / traced.seconds) * data.seconds : turns;
  return {
    kind: 'computes',
    share: loop.callback,
    seconds: data.seconds / ((began ?? 0) + 1),
    call: null,
    turns: began,
  };
};

interface Sureness {
  readonly confidence: number;
  readonly inferred: string | null;
}

const sureOfWaiting = (scene: Scene, hold: Hold): Sureness => {
  if (hold.seconds >= LONG_HOLD && (scene.sampled.voluntarySwitches ?? 0) * LONG_HOLD > 2 * scene.data.seconds) {
    return tracedPolls(scene)?.polls === 0
      ? { confidence: 0.95, inferred: null }
      : {
          confidence: 0.8,
          inferred: 'that it is one callback all the while; it was in the same stack, but system calls were not traced',
        };
  }
  if (hold.share >= ALL && hold.seconds >= LONG_HOLD) return { confidence: 0.95, inferred: null };
  if (hold.seconds >= LONG_HOLD)
    return { confidence: 0.75, inferred: 'that the loop has other work during the part of the time that it is held' };
  return { confidence: hold.share >= ALL ? 0.7 : 0.4, inferred: 'that single holds this short add up to a delay' };
};

const sureOfComputing = (scene: Scene, hold: Hold, served: { waiting: number; serves: boolean }): Sureness => {
  const traced = tracedPolls(scene);
  const silent = traced !== null && traced.polls === 0;
  if (!served.serves && served.waiting === 0) {
    return { confidence: 0.4, inferred: 'that anybody waits for the loop: it has no connection and no listener' };
  }
  if (hold.turns === 0 || silent) {
    if (silent || served.waiting > 0) return { confidence: 0.92, inferred: null };
    return { confidence: 0.8, inferred: 'that somebody waits: nothing unread was seen on its sockets' };
  }
  if (hold.turns !== null) {
    return {
      confidence: 0.7,
      inferred: 'that each of the callbacks takes long; how long was worked out from how often the loop turned',
    };
  }
  return { confidence: 0.45, inferred: 'that it is one callback and not many; system calls were not traced' };
};

const findingOf = (scene: Scene, hold: Hold, sureness: Sureness): FindingDraft => {
  const { look, loop, sampled } = scene;
  const { waiting, evidenceId } = others(look);
  const name = threadName(loop.thread);
  const [call] = blockingCalls(scene);
  const texts = blockedTexts({ look, name, loop, hold, waiting, seconds: scene.data.seconds });
  const inner = loop.frames[0];
  return {
    confidence: sureness.confidence,
    title: texts.title,
    summary: `${texts.summary}${sureness.inferred === null ? '' : ` Inferred: ${sureness.inferred}.`}`,
    evidence: [
      look.quote(scene.evidenceId, hold.kind === 'waits' && call !== undefined ? call.at : sampled.at),
      ...(inner === undefined ? [] : [quoteFrame(look, loop.thread, inner)]),
      ...(texts.own === null || texts.own === inner ? [] : [quoteFrame(look, loop.thread, texts.own)]),
      ...(texts.outer === null || texts.outer === inner || texts.outer === texts.own
        ? []
        : [quoteFrame(look, loop.thread, texts.outer)]),
      ...overdueTurns(look, loop.thread.tid)
        .slice(0, 1)
        .flatMap((turn) => quoteTurn(look, turn)),
      ...(evidenceId === null ? [] : waiting.slice(0, 2).map((socket) => look.quote(evidenceId, socket.at))),
    ],
    fixes: texts.fixes,
  };
};

/** A trace can still be asked for: it was neither tried nor refused. */
const canAsk = (look: Look): boolean => {
  const traced = look.see(strace);
  return !traced.seen && (traced.reason === 'not-run' || traced.reason === 'not-needed');
};

const judgeLoop = (scene: Scene): Verdict => {
  const { loop, sampled, data } = scene;
  const name = threadName(loop.thread);
  const waits = waitingHold(scene);
  const served = others(scene.look);
  if (waits !== null && waits.seconds >= SHORT_HOLD) {
    return {
      verdict: 'fires',
      findings: [findingOf(scene, waits, sureOfWaiting(scene, waits))],
      ...(canAsk(scene.look) ? { wants: [strace.id] } : {}),
    };
  }
  const computes = computingHold(scene);
  if (computes !== null && computes.seconds >= LONG_HOLD) {
    const overdue = overdueTurns(scene.look, loop.thread.tid).reduce((sum, turn) => sum + turn.still, 0);
    const sureness = sureOfComputing(scene, computes, {
      waiting: served.waiting.length + overdue,
      serves: served.serves,
    });
    return {
      verdict: 'fires',
      findings: [findingOf(scene, computes, sureness)],
      ...(canAsk(scene.look) && served.serves ? { wants: [strace.id] } : {}),
    };
  }
  const busy = cpuShare(sampled, data.seconds);
  const traced = tracedPolls(scene);
  const polled =
    traced === null ? '' : `, and asked for events ${count(traced.polls, 'time')} in ${traced.seconds.toFixed(1)} s`;
  return {
    verdict: 'clear',
    why: `the ${loop.kind} loop of ${name} waited for events in ${percent(loop.waits)} of the samples, and used ${percent(busy)} of a processor${polled}: its callbacks come back`,
  };
};

/** A callback of an event loop does not come back: the loop asks for no events, and everything else in it stands still. */
export const eventLoopBlocked = defineCause({
  id: 'event-loop-blocked',
  title: 'A callback holds up the event loop',
  needs: [sample, pyStacks],
  // The place to change is the call in the callback; who keeps it waiting is the second question.
  explains: ['blocked-on-network', 'db-lock-wait', 'dns-stall', 'file-lock-wait', 'waiting-forever'],
  judge: (look) => {
    const sampled = look.see(sample);
    const view = pythonThreads(look);
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    if (view === null || !view.sampled) {
      return { verdict: 'cannot-tell', why: 'no Python stacks were read over a window' };
    }
    const { data, evidenceId } = sampled;
    if (data.seconds < 0.4) return { verdict: 'cannot-tell', why: 'the window was too short' };
    const stacks = look.see(pyStacks);
    const greenlets = stacks.seen ? stacks.data.greenlets : undefined;
    const scenes = view.threads.flatMap((thread): Scene[] => {
      const loop = thread.samples < 4 ? null : loopThread(thread, suspendedHub(greenlets, thread.tid));
      const own = data.threads.find((each) => each.tid === thread.tid);
      return loop === null || own === undefined ? [] : [{ look, data, evidenceId, view, loop, sampled: own }];
    });
    if (scenes.length === 0) return { verdict: 'clear', why: 'no thread runs an event loop in Python' };
    const verdicts = scenes.map(judgeLoop);
    const fired = verdicts.flatMap((verdict) => (verdict.verdict === 'fires' ? verdict.findings : []));
    if (fired.length === 0) return verdicts[0] ?? { verdict: 'clear', why: 'no thread runs an event loop in Python' };
    const wants = verdicts.flatMap((verdict) => (verdict.verdict === 'fires' ? (verdict.wants ?? []) : []));
    return { verdict: 'fires', findings: fired, wants };
  },
});
