import { defineCause, type Look, type Verdict } from '../model/index.ts';
import { children } from '../probes/children.ts';
import { identify } from '../probes/identify.ts';
import { sample } from '../probes/sample.ts';
import { type StraceData, strace } from '../probes/strace.ts';
import { nappingThreads, ownThreads } from '../reading/lock-waits.ts';
import { pythonThreads } from '../reading/python.ts';
import {
  asksToEnd,
  childEnds,
  inHandler,
  inMask,
  type Repeated,
  receivedSignals,
  sentSignals,
} from '../reading/signals.ts';
import { isChildWait, isFutex, waitLimit } from '../reading/syscalls.ts';
import { duration, list } from '../reading/text.ts';

import { enough, receiverDraft, SUSPICIOUS, senderDraft } from './signal-storm.drafts.ts';

/** Signals sent again and again to processes that did not end in spite of them, by signal. */
const sentStorms = (look: Look, traced: StraceData): { signal: string; groups: Repeated[] }[] => {
  const ends = childEnds(traced);
  const storms = new Map<string, Repeated[]>();
  for (const sent of sentSignals(traced, ownThreads(look))) {
    if (
      !asksToEnd(sent.signal) ||
      sent.times.length < (sent.signal === 'SIGHUP' ? enough(sent.signal) : SUSPICIOUS) ||
      ends.has(sent.peer)
    )
      continue;
    storms.set(sent.signal, [...(storms.get(sent.signal) ?? []), sent]);
  }
  return [...storms].map(([signal, groups]) => ({ signal, groups }));
};

/** Whether a thread waits with a short time limit for descriptors or for an event, or for short-lived children, again and again. */
const looksUpOften = (look: Look): boolean => {
  const sampled = look.see(sample);
  return (
    sampled.seen &&
    sampled.data.threads.some(
      (thread) =>
        (thread.voluntarySwitches ?? 0) >= 0.9 * sampled.data.seconds &&
        thread.syscalls.some(
          (call) =>
            call.count >= 0.7 * thread.samples &&
            (waitLimit(call.name, call.args) === 'some' ||
              isChildWait(call.name) ||
              (isFutex(call.name) && !/^(0x)?0*$/.test(call.args[3] ?? ''))),
        ),
    )
  );
};

const ENDING = ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGINT'];

/**
 * Whether a child could be sent a signal again and again and still be there: one that has ended and was not fetched, one that
 * takes no notice, or one that has a handler and woke. The others would have ended at the first one.
 */
const hasPossibleVictim = (look: Look): boolean => {
  const seen = look.see(children);
  if (!seen.seen || seen.partly.length > 0 || seen.data.zombies.stayed > 0) return true;
  return seen.data.processes.some((process) => {
    if (process.relation !== 'descendant') return false;
    const { signals } = process;
    if (signals === null || process.states.some((state) => /[TtZ]/.test(state))) return true;
    // What a shell puts in the background ignores SIGINT and SIGQUIT; that says nothing.
    if (inMask(signals.ignored, 'SIGTERM') || ENDING.some((signal) => inMask(signals.blocked, signal))) return true;
    const woke = process.threads.some((thread) => thread.woke === null || thread.woke > 0);
    return woke && ENDING.some((signal) => inMask(signals.caught, signal));
  });
};

/** What phases 1 and 2 show that makes a trace worth its while; null when there is nothing. */
const hint = (look: Look): string | null => {
  const who = look.see(identify);
  const sampled = look.see(sample);
  const view = pythonThreads(look);
  if (view?.threads.some((thread) => thread.stacks.some(inHandler))) return 'a signal handler was on the stack';
  if (who.seen) {
    const pending = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'].find((signal) =>
      inMask(who.data.signals.pending, signal),
    );
    if (pending !== undefined) return `${pending} is pending`;
    if (
      who.data.children.length > 0 &&
      (nappingThreads(look).length > 0 || looksUpOften(look)) &&
      hasPossibleVictim(look)
    ) {
      return 'it has children and wakes again and again';
    }
    const { caught, ignored } = who.data.signals;
    // SIGHUP, SIGINT and SIGQUIT are ignored by whatever a shell or nohup put in the background; that says nothing.
    const takes = inMask(ignored, 'SIGTERM')
      ? 'SIGTERM'
      : ['SIGTERM', 'SIGHUP'].find((signal) => inMask(caught, signal));
    const parent = who.data.parent !== null && who.data.parent.pid > 1;
    if (takes !== undefined && parent && nappingThreads(look).length > 0) {
      return `${takes} does not end it by itself, and it wakes again and again`;
    }
  }
  // Woken several times out of a call that has no time limit, and no byte came in or went out: by signals, then.
  const stirred =
    sampled.seen &&
    sampled.data.process.io !== null &&
    sampled.data.process.io.rchar === 0 &&
    sampled.data.threads.find(
      (thread) =>
        (thread.voluntarySwitches ?? 0) >= 3 &&
        thread.syscalls.some(
          (call) =>
            call.count >= 0.95 * thread.samples &&
            /^(read|readv|recvfrom|recvmsg|accept4?|wait4|waitid|flock|pause|rt_sigsuspend|msgrcv|semop)$/.test(
              call.name,
            ),
        ),
    );
  return stirred ? `thread ${stirred.tid} is woken again and again out of a call that has no time limit` : null;
};

const judge = (look: Look): Verdict => {
  const traced = look.see(strace);
  if (!traced.seen) {
    const why = hint(look);
    if (why === null)
      return { verdict: 'clear', why: 'nothing hints at signals: no handler ran, and nothing was woken in vain' };
    return {
      verdict: 'cannot-tell',
      why: `${why}; who sends which signals is seen only in a trace (${traced.why})`,
      wants: ['strace'],
    };
  }
  const sent = sentStorms(look, traced.data).flatMap(
    ({ signal, groups }) => senderDraft(look, traced, signal, groups) ?? [],
  );
  const received = receivedSignals(traced.data, ownThreads(look))
    .filter((each) => asksToEnd(each.signal) && each.times.length >= enough(each.signal))
    .map((each) => receiverDraft(look, traced, each));
  const findings = [...sent, ...received].toSorted((a, b) => b.confidence - a.confidence);
  if (findings.length > 0) return { verdict: 'fires', findings };
  const kinds = [...new Set(traced.data.detail.signals.map((each) => each.signal))];
  const seconds = duration(traced.data.detail.seconds);
  return {
    verdict: 'clear',
    why:
      kinds.length === 0
        ? `no signal came and none that ends a process was repeated in ${seconds} of trace`
        : `no signal that ends a process was repeated in ${seconds} of trace (${list(kinds.slice(0, 4))} came, as timers, children and others send them)`,
  };
};

/** The same signal, sent again and again to processes that do not end. */
export const signalStorm = defineCause({
  id: 'signal-storm',
  title: 'A signal is sent again and again to processes that do not end',
  needs: [sample],
  // Handlers that are stacked on each other keep what each of them has opened.
  explains: ['fd-leak', 'python-heap-growth'],
  judge,
});
