import { defineCause, type FindingDraft, type Look, type Verdict } from '../model/index.ts';
import { children } from '../probes/children.ts';
import { strace } from '../probes/strace.ts';
import { type Family, familyOf, type ProcessWait, ringFrom } from '../reading/processes.ts';
import { frameName, ownFrame, type PythonThreadView, pythonThreads, quoteFrame, threadOf } from '../reading/python.ts';
import { code, count } from '../reading/text.ts';
import { expecting, type Opinion, readsChannel, ringOpinion, stalledWriters } from './pipe-deadlock.opinions.ts';
import { fixesOf, processName, sentenceOf, titleOf } from './pipe-deadlock.texts.ts';

/** The Python thread of the target that takes part, and its frame in the program's own code. */
const placeOf = (look: Look, family: Family, opinion: Opinion) => {
  const view = pythonThreads(look);
  const own = [...opinion.ring, ...family.waits].find((wait) => wait.process === family.target);
  const thread: PythonThreadView | null = threadOf(view, own?.thread.tid ?? look.target.pid);
  const stack = thread?.stacks[0];
  const frame = stack === undefined ? null : ownFrame(stack);
  return thread === null || frame === null ? null : { thread, frame };
};

const draftOf = (look: Look, family: Family, opinion: Opinion): FindingDraft => {
  const place = placeOf(look, family, opinion);
  const where = place === null ? null : frameName(place.frame);
  const inRing = opinion.ring.some((wait) => wait.process === family.target) || opinion.waiting !== null;
  const own = inRing ? [] : family.waits.filter((wait) => wait.process === family.target).slice(0, 1);
  const sentences = [...own, ...opinion.ring.slice(0, 5)].map((wait) => sentenceOf(family, wait, opinion.ring));
  const ends =
    opinion.writer === null
      ? []
      : opinion.reader.pipes.filter((pipe) => `pipe:[${pipe.inode}]` === opinion.writer?.channel);
  const lines = [
    ...own.map((wait) => wait.thread.at),
    ...opinion.ring.slice(0, 3).map((wait) => wait.thread.at),
    ...ends
      .filter((pipe) => pipe.end !== 'write')
      .slice(0, 1)
      .map((pipe) => pipe.at),
  ];
  const others = [...new Set([...opinion.ring.map((wait) => wait.process), opinion.reader])].filter(
    (each) => each !== family.target,
  );
  return {
    confidence: opinion.confidence,
    title: titleOf(family, opinion, where),
    summary:
      `${sentences.join(' ')}${opinion.waiting === null ? '' : ` ${opinion.waiting}`}${where === null ? '' : ` In this process that is ${where}.`} ` +
      `Over ${family.data.seconds.toFixed(1)} s none of these waits ended${opinion.writer === null ? '' : ' and not one byte went through the pipe'}${family.stuck.has(family.target.pid) ? ', and nobody else has an end of it that could help: this does not pass by itself' : ''}.` +
      `${opinion.inferred === null ? '' : ` Not seen directly: ${opinion.inferred}.`}`,
    evidence: [
      ...[...new Set(lines)].map((line) => look.quote(family.evidenceId, line)),
      ...(place === null
        ? [look.quote(family.evidenceId, family.target.at)]
        : [quoteFrame(look, place.thread, place.frame)]),
    ].slice(0, 7),
    fixes: fixesOf(family, opinion, where),
    related: others.slice(0, 4).map((each) => ({
      pid: each.pid,
      why:
        each.pid === opinion.writer?.process.pid
          ? 'it is blocked writing into the full pipe'
          : 'it is in the ring of waits and does not read the pipe',
    })),
  };
};

/** The ring of the stuck that tells most: one in which somebody writes into a full pipe, with the target in it if there is one. */
const stuckRing = (family: Family): ProcessWait[] => {
  const usable = (wait: ProcessWait): boolean => family.stuck.has(wait.process.pid);
  const rings = family.waits
    .filter((wait) => wait.kind === 'writes' && usable(wait))
    .map((wait) => ringFrom(family, wait.process, usable, wait))
    .filter((ring) => ring.some((wait) => wait.kind === 'writes'));
  const having = rings.find((ring) => ring.some((wait) => wait.process === family.target)) ?? rings[0];
  const ring = having ?? ringFrom(family, family.target, usable);
  const own = ring.findIndex((wait) => wait.process === family.target);
  return own < 0 ? ring : [...ring.slice(own), ...ring.slice(0, own)];
};

const opinionOf = (look: Look, family: Family): Opinion | null => {
  if (family.stuck.has(family.target.pid)) {
    const ring = stuckRing(family);
    const opinion = ring.length === 0 ? null : ringOpinion(look, family, ring, true);
    if (opinion !== null) return opinion;
  }
  const awake = ringFrom(family, family.target);
  if (awake.some((wait) => wait.kind === 'writes')) {
    const opinion = ringOpinion(look, family, awake, false);
    if (opinion !== null && !readsChannel(look, opinion.writer?.channel ?? null)) return opinion;
  }
  return expecting(look, family);
};

const judge = (look: Look): Verdict => {
  const family = familyOf(look);
  if (family === null)
    return { verdict: 'cannot-tell', why: 'the relatives of the process were not seen', wants: [children.id] };
  const opinion = opinionOf(look, family);
  if (opinion !== null) {
    const traced = look.see(strace).seen;
    const reads = opinion.reader === family.target && opinion.writer !== null;
    return {
      verdict: 'fires',
      findings: [draftOf(look, family, opinion)],
      ...(opinion.confidence < 0.9 && reads && !traced ? { wants: [strace.id] } : {}),
    };
  }
  if (family.target.threads.every((thread) => thread.syscall === '?') && family.target.threads.length > 0) {
    return {
      verdict: 'cannot-tell',
      why: 'the system calls that the process and its relatives wait in could not be read; look as root or its owner',
    };
  }
  const stalled = stalledWriters(family);
  return {
    verdict: 'clear',
    why:
      stalled.length === 0
        ? `of ${count(family.data.processes.length, 'process', 'processes')} of the family none stood in a write to a full pipe, nor in a ring of waits`
        : `${processName(family, (stalled[0] as ProcessWait).process)} stood in a write to ${code(stalled[0]?.channel ?? 'a pipe')}, but who reads it goes on`,
  };
};

/** Parent and child that wait for each other over pipes. */
export const pipeDeadlock = defineCause({
  id: 'pipe-deadlock',
  title: 'Parent and child wait for each other over a pipe',
  needs: [children],
  explains: ['blocked-on-network', 'event-loop-blocked', 'waiting-forever', 'zombie-children'],
  judge,
});
