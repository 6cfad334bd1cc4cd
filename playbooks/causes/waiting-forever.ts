import { defineCause, type FindingDraft, type Look, type Verdict } from '../model/index.ts';
import { children } from '../probes/children.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { type Family, familyOf } from '../reading/processes.ts';
import { frameName, type PythonView, pythonThreads, quoteFrame, threadName } from '../reading/python.ts';
import { duration } from '../reading/text.ts';
import { heldDraft, heldOpen } from './waiting-forever.held.ts';
import { lostLoopDraft } from './waiting-forever.loop.ts';
import { lostWaits } from './waiting-forever.lost.ts';
import type { Lost } from './waiting-forever.processes.ts';
import { fixesOf, missingText, titleOf, whatText } from './waiting-forever.texts.ts';

const draftOf = (look: Look, view: PythonView, family: Family, lost: Lost): FindingDraft => {
  const { thread, wait } = lost;
  const where = wait.caller === null ? null : frameName(wait.caller);
  const own = family.target.threads.find((each) => each.tid === thread.tid);
  const frames = [wait.caller, wait.call].filter((frame) => frame !== null);
  const dead = family.data.zombies.shown.slice(0, 3);
  return {
    confidence: lost.confidence,
    title: titleOf(lost),
    summary:
      `${threadName(thread).replace(/^./, (letter) => letter.toUpperCase())} stood ${where === null ? '' : `in ${where} `}for the whole window of ${duration(family.data.seconds)} and waits ${whatText(lost)}, without a time limit. ` +
      `${missingText(family, view, lost)}${lost.inferred === null ? '' : ` Not seen directly: ${lost.inferred}.`}`,
    evidence: [
      ...frames.map((frame) => quoteFrame(look, thread, frame)),
      ...(own === undefined ? [] : [look.quote(family.evidenceId, own.at)]),
      ...lost.lines.slice(0, 3).map((line) => look.quote(family.evidenceId, line)),
      ...(lost.lines.length === 0 && dead.length === 0 ? [look.quote(family.evidenceId, family.data.zombies.at)] : []),
    ].slice(0, 7),
    fixes: fixesOf(look, lost, where),
    ...(lost.related.length === 0 ? {} : { related: lost.related.slice(0, 4) }),
  };
};

const judge = (look: Look): Verdict => {
  const view = pythonThreads(look);
  const family = familyOf(look);
  if (view === null)
    return { verdict: 'cannot-tell', why: 'the Python stacks of no thread could be read', wants: [pyStacks.id] };
  if (family === null)
    return { verdict: 'cannot-tell', why: 'the relatives of the process were not seen', wants: [children.id] };
  if (family.target.threads.some((thread) => thread.syscall === '?'))
    return {
      verdict: 'cannot-tell',
      why: 'the system calls that its threads wait in could not be read; look as root or its owner',
    };
  const held = heldOpen(look, view, family);
  if (held !== null) return { verdict: 'fires', findings: [heldDraft(look, family, held)] };
  const answer = lostWaits(look, view, family);
  if (typeof answer === 'string') {
    const loop = lostLoopDraft(look, view, family);
    return loop === null ? { verdict: 'clear', why: answer } : { verdict: 'fires', findings: [loop] };
  }
  return { verdict: 'fires', findings: [draftOf(look, view, family, answer)] };
};

/** A wait for something that only a thread or process could bring which does not exist any more. */
export const waitingForever = defineCause({
  id: 'waiting-forever',
  title: 'A thread waits for something that nobody is left to bring',
  needs: [pyStacks, children],
  explains: ['zombie-children'],
  judge,
});
