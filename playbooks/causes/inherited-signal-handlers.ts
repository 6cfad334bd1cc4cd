import { defineCause, type FindingDraft, type Look, type Verdict } from '../model/index.ts';
import { children } from '../probes/children.ts';
import { strace } from '../probes/strace.ts';
import { nappingThreads, ownThreads } from '../reading/lock-waits.ts';
import { caughtSignals, type Family, familyOf } from '../reading/processes.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  pythonThreads,
  quoteFrame,
  shareWhere,
  threadOf,
} from '../reading/python.ts';
import { type HandlerRun, handlerRuns, inHandler, signalName } from '../reading/signals.ts';
import { code, count, list } from '../reading/text.ts';
import { type Dealing, dealings, intruders } from './inherited-signal-handlers.evidence.ts';
import { fixesOf } from './inherited-signal-handlers.texts.ts';

/** Share of the samples in which a handler must be on the stack to be said to hang there. */
const INSIDE = 0.9;

interface Scene {
  readonly look: Look;
  readonly family: Family;
  readonly signals: readonly number[];
  readonly thread: PythonThreadView | null;
  /** The handler that is on the main thread's stack nearly all the time, if one is. */
  readonly run: HandlerRun | null;
}

const namesOf = (signals: readonly number[]): string => list(signals.slice(0, 5).map(signalName));

/** A worker that was forked from its parent and has the very handlers of it. */
const workerDraft = (scene: Scene, dealt: readonly Dealing[]): FindingDraft | null => {
  const { look, family, signals, thread, run } = scene;
  const parent = family.data.processes.find((each) => each.relation === 'parent');
  if (parent === undefined) return null;
  const [first] = dealt;
  const handler = run === null ? null : frameName(run.handler);
  const where = run === null ? null : ownFrame({ count: 1, frames: [...run.inside] });
  const inside =
    handler === null
      ? ''
      : ` It is inside of the handler ${handler}, for ${signalName(run?.signal ?? 0)}${where === null || where === run?.handler ? '' : `, in ${frameName(where)}`}.`;
  const confidence = first === undefined ? (run === null ? 0.3 : 0.45) : run === null ? 0.75 : 0.93;
  const did = dealt
    .slice(0, 3)
    .map(
      (each) =>
        `${each.asks ? 'asks again and again whether' : `sends ${each.signal} to`} ${each.to}${each.asks ? ' is alive' : ''} (${count(each.lines.length, 'time')})`,
    );
  return {
    confidence,
    title:
      first === undefined
        ? `This worker still has its master's signal handlers (${namesOf(signals)})${handler === null ? '' : `, and hangs in ${handler}`}`
        : `A worker runs its master's signal handler${handler === null ? '' : ` ${handler}`}: it ${did[0]}`,
    summary:
      `Process ${family.target.pid} was forked from process ${parent.pid} (${code(parent.command, 80)}) without an exec since, and catches exactly the same signals: ${namesOf(signals)}.${inside} ` +
      (first === undefined
        ? 'fork(2) copies handlers with everything else: a signal that is meant for one worker alone then runs what the master does to stop all of them.'
        : `During the trace it ${list(did)}: what the master does to its children a worker does to its siblings, so that one worker's signal stops the others.`) +
      (confidence >= 0.9
        ? ''
        : ` Not seen directly: ${first === undefined ? 'that the worker’s handlers are the master’s functions, and that they do harm' : 'the handler’s frame; that the signals come from it is inferred'}.`),
    evidence: [
      ...(run !== null && thread !== null ? [quoteFrame(look, thread, run.handler)] : []),
      ...(where !== null && where !== run?.handler && thread !== null ? [quoteFrame(look, thread, where)] : []),
      ...dealt.slice(0, 2).flatMap((each) => each.lines.slice(0, 1).map((line) => look.quote(each.evidenceId, line))),
      look.quote(family.evidenceId, family.target.at),
      ...[family.target, parent].flatMap((each) =>
        each.signals === null ? [] : [look.quote(family.evidenceId, each.signals.at)],
      ),
    ].slice(0, 7),
    fixes: fixesOf(family, run, signals),
    related: [
      { pid: parent.pid, why: 'it is the master, whose handlers this worker has' },
      ...dealt
        .filter((each) => each.pid > 1)
        .slice(0, 3)
        .map((each) => ({
          pid: each.pid,
          why: each.asks ? 'this worker waits for its end' : `it gets ${each.signal} from this worker`,
        })),
    ].filter((each, index, all) => all.findIndex((other) => other.pid === each.pid) === index),
  };
};

/** A process that a relative signals which has inherited handlers: the other side. */
const victimDraft = (scene: Scene): FindingDraft | null => {
  const { look, family } = scene;
  const [intruder] = intruders(look, family);
  if (intruder === undefined) return null;
  const { process, repeated, evidenceId } = intruder;
  const role = process.relation === 'sibling' ? 'a sibling' : 'a worker of it';
  return {
    confidence: 0.82,
    title: `Gets ${repeated.signal} from ${role}, process ${process.pid}, which has its master's signal handlers`,
    summary:
      `${repeated.signal} came ${count(repeated.times.length, 'time')} from process ${process.pid} (${code(process.command, 80)}), ${role}. That one was forked without an exec since and catches the same signals as its master, so what the master does to stop all runs in a worker. ` +
      'Not seen directly: that the sender was inside of such a handler; look at it.',
    evidence: [
      ...repeated.lines.slice(0, 2).map((line) => look.quote(evidenceId, line)),
      look.quote(family.evidenceId, process.at),
      ...(process.signals === null ? [] : [look.quote(family.evidenceId, process.signals.at)]),
    ],
    fixes: fixesOf(family, null, caughtSignals(process)),
    related: [{ pid: process.pid, why: `it sends ${repeated.signal}` }],
  };
};

/** The master of workers that have all its handlers: a hint, for whether they do harm shows only when a signal comes. */
const masterDraft = (scene: Scene): FindingDraft | null => {
  const { look, family, signals } = scene;
  const heirs = family.data.processes.filter(
    (each) => each.parent === family.target.pid && each.origin === 'forked' && same(caughtSignals(each), signals),
  );
  if (heirs.length < 2 || signals.length === 0) return null;
  return {
    confidence: 0.3,
    title: `${count(heirs.length, 'worker')} still ${heirs.length === 1 ? 'has' : 'have'} the signal handlers of this master (${namesOf(signals)})`,
    summary:
      `They were forked without an exec since, and catch exactly the signals that this process catches: ${namesOf(signals)}. A signal that is meant for one of them then runs what the master does to stop all. ` +
      'Not seen directly: that their handlers are the master’s functions, and that they do harm.',
    evidence: [family.target, ...heirs.slice(0, 2)].flatMap((each) =>
      each.signals === null ? [] : [look.quote(family.evidenceId, each.signals.at)],
    ),
    fixes: fixesOf(family, null, signals),
    related: heirs.slice(0, 4).map((each) => ({ pid: each.pid, why: 'it has the handlers of this master' })),
  };
};

const same = (one: readonly number[], other: readonly number[]): boolean =>
  one.length === other.length && one.every((number, index) => number === other[index]);

const judge = (look: Look): Verdict => {
  const family = familyOf(look);
  if (family === null)
    return { verdict: 'cannot-tell', why: 'the relatives of the process were not seen', wants: [children.id] };
  const { target, data } = family;
  const parent = data.processes.find((each) => each.relation === 'parent');
  const signals = caughtSignals(target);
  const view = pythonThreads(look);
  const thread = threadOf(view, target.pid);
  const stack = thread?.stacks.find(inHandler);
  const run =
    thread === null || stack === undefined || shareWhere(thread, inHandler) < INSIDE
      ? null
      : (handlerRuns(stack)[0] ?? null);
  const scene: Scene = { look, family, signals, thread, run };
  const inherited =
    target.origin === 'forked' && parent !== undefined && signals.length > 0 && same(signals, caughtSignals(parent));
  if (inherited) {
    const dealt = dealings(look, family, ownThreads(look));
    const draft = workerDraft(scene, dealt);
    // What the handler does with others is seen only in a trace; one that merely waits for a lock is another matter.
    const naps = run !== null && nappingThreads(look).includes(target.pid);
    if (draft !== null && (dealt.length > 0 || run === null || naps || !look.see(strace).seen))
      return {
        verdict: 'fires',
        findings: [draft],
        ...(run !== null && naps && !look.see(strace).seen ? { wants: [strace.id] } : {}),
      };
  }
  const victim = victimDraft(scene);
  if (victim !== null) return { verdict: 'fires', findings: [victim] };
  const master = masterDraft(scene);
  if (master !== null) return { verdict: 'fires', findings: [master] };
  if (target.origin === null && parent !== undefined && parent.pid > 1)
    return {
      verdict: 'cannot-tell',
      why: 'whether the process is a fork of its parent could not be read; look as root or its owner',
    };
  return {
    verdict: 'clear',
    why:
      target.origin === 'forked'
        ? 'it was forked, and has other signal handlers than its parent, or none'
        : 'it is no fork of its parent, and no relative with its handlers sends it signals',
  };
};

/** A forked worker that runs its master's signal handlers. */
export const inheritedSignalHandlers = defineCause({
  id: 'inherited-signal-handlers',
  title: "A worker runs its master's signal handlers",
  needs: [children],
  explains: ['signal-storm', 'zombie-children'],
  judge,
});
