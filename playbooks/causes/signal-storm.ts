import {
  defineCause,
  type FindingDraft,
  type Fix,
  type Look,
  type Observation,
  type Quote,
  type Verdict,
} from '../model/index.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import { sample } from '../probes/sample.ts';
import { type StraceData, strace } from '../probes/strace.ts';
import { nappingThreads, ownThreads } from '../reading/lock-waits.ts';
import { frameName, ownFrame, type PythonThreadView, pythonThreads, quoteFrame, threadOf } from '../reading/python.ts';
import {
  asksToEnd,
  beat,
  childEnds,
  handlerRuns,
  inHandler,
  inMask,
  type Repeated,
  receivedSignals,
  sentSignals,
} from '../reading/signals.ts';
import { isChildWait, isFutex, waitLimit } from '../reading/syscalls.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;
type Relative = IdentifyData['children'][number];

/** How often a signal must come before it is a storm. SIGHUP is also how reloads are asked for. */
const enough = (signal: string): number => (signal === 'SIGHUP' ? 5 : 3);

const often = (repeated: Repeated): string => {
  const pulse = beat(repeated.times);
  const times = count(repeated.times.length, 'time');
  if (pulse === null) return times;
  return pulse.steady
    ? `${times}, every ${duration(pulse.seconds)}`
    : `${times}, about every ${duration(pulse.seconds)}`;
};

const someLines = (repeated: Repeated, most: number): number[] => repeated.lines.slice(0, most);

const stateWords = (relative: Relative | undefined): string => {
  const words: Readonly<Record<string, string>> = {
    R: 'running',
    S: 'sleeping',
    D: 'in an uninterruptible wait',
    T: 'stopped',
    t: 'stopped by a tracer',
    Z: 'dead already and not waited for (a zombie)',
  };
  return relative === undefined ? '' : ` (${words[relative.state] ?? `state ${relative.state}`})`;
};

const onceFix = (signal: string, where: string, zombies: boolean): Fix => ({
  title: `Send ${signal} once, wait with a deadline, then SIGKILL once`,
  detail: zombies
    ? `A process that has ended answers ${code('kill(pid, 0)')} until its parent has waited for it. ${where} must ask ${code('waitpid')} (or ${code('Popen.poll')}, ${code('Process.join')}) whether the child is gone, not ${code('kill')}.`
    : `A receiver that did not end after the first ${signal} does not end after the tenth: each one interrupts whatever its handler does for the one before, and if that takes a lock it waits for itself. ${where} should send it once, join with a deadline, and escalate once.`,
  code: zombies
    ? 'for pid in jobs:\n    os.kill(pid, signal.SIGTERM)      # once\nfor pid in jobs:\n    os.waitpid(pid, 0)                # returns when it is gone, and takes the zombie away'
    : 'for child in children:\n    child.terminate()                 # once\ndeadline = time.monotonic() + 30\nfor child in children:\n    child.join(max(0, deadline - time.monotonic()))\n    if child.exitcode is None:\n        os.kill(child.pid, signal.SIGKILL)\n        child.join()',
});

/** The Python frame from which a thread sends: its own code, in the stack most often seen. */
const sendingFrame = (
  look: Look,
  tids: readonly number[],
): { thread: PythonThreadView; quote: Quote; name: string } | null => {
  const view = pythonThreads(look);
  for (const tid of tids) {
    const thread = threadOf(view, tid);
    const stack = thread?.stacks[0];
    const frame = stack === undefined ? null : ownFrame(stack);
    if (thread !== null && frame !== null)
      return { thread, quote: quoteFrame(look, thread, frame), name: frameName(frame) };
  }
  return null;
};

/** Signals sent again and again to processes that did not end in spite of them, by signal. */
const sentStorms = (look: Look, traced: StraceData): { signal: string; groups: Repeated[] }[] => {
  const ends = childEnds(traced);
  const storms = new Map<string, Repeated[]>();
  for (const sent of sentSignals(traced, ownThreads(look))) {
    if (!asksToEnd(sent.signal) || sent.times.length < enough(sent.signal) || ends.has(sent.peer)) continue;
    storms.set(sent.signal, [...(storms.get(sent.signal) ?? []), sent]);
  }
  return [...storms].map(([signal, groups]) => ({ signal, groups }));
};

const senderDraft = (
  look: Look,
  traced: Seen<StraceData>,
  signal: string,
  groups: readonly Repeated[],
): FindingDraft | null => {
  const [first] = groups;
  if (first === undefined) return null;
  const who = look.see(identify);
  const children = who.seen ? who.data.children : [];
  const child = (peer: number) => children.find((each) => each.pid === Math.abs(peer));
  const zombies = groups.every((group) => child(group.peer)?.state === 'Z');
  const names = groups.map((group) => (group.peer < 0 ? `process group ${-group.peer}` : `process ${group.peer}`));
  const states = groups.map((group, index) => `${names[index]}${stateWords(child(group.peer))}`);
  const from = sendingFrame(look, [...new Set(groups.flatMap((group) => group.tids))]);
  const where = from === null ? 'The sender' : from.name;
  const shown = children.filter((each) => groups.some((group) => Math.abs(group.peer) === each.pid)).slice(0, 2);
  const plural = groups.length === 1 ? 'it does' : 'they do';
  return {
    confidence: signal === 'SIGHUP' ? 0.6 : 0.95,
    title: zombies
      ? `Sends ${signal} every ${duration(beat(first.times)?.seconds ?? 0)} to ${list(names.slice(0, 4))}, which ${groups.length === 1 ? 'has' : 'have'} ended already`
      : `Sends ${signal} every ${duration(beat(first.times)?.seconds ?? 0)} to ${list(names.slice(0, 4))}, and ${plural} not end`,
    summary:
      `In ${duration(traced.data.detail.seconds)} of trace it sent ${signal} ${groups
        .slice(0, 4)
        .map((group, index) => `to ${names[index]} ${often(group)}`)
        .join('; ')}. ${from === null ? '' : `It does so in ${from.name}. `}` +
      (zombies
        ? `The receivers are zombies: they have ended, and nobody waits for them, so that they can never be seen to go away.`
        : `${groups.length === 1 ? 'It has not ended' : 'None of them has ended'} meanwhile: ${list(states.slice(0, 4))}. Sending it again does not help, and harms a handler that is still at work; why the receivers do not end is the question, and it is to be asked of them.`) +
      (signal === 'SIGHUP'
        ? ' Not seen directly: that SIGHUP is meant to end them; it may be a request to reload, sent far too often.'
        : ''),
    evidence: [
      ...someLines(first, 3).map((line) => look.quote(traced.evidenceId, line)),
      ...(who.seen ? shown.map((each) => look.quote(who.evidenceId, each.at)) : []),
      ...(from === null ? [] : [from.quote]),
    ],
    fixes: [
      onceFix(signal, where, zombies),
      ...(zombies
        ? []
        : [
            {
              title: `Diagnose ${list(names.slice(0, 3))}: why ${groups.length === 1 ? 'does it' : 'do they'} not end?`,
              detail:
                `A handler that waits for a lock, a read that is resumed after every signal, a signal that is ignored: each shows on its own stack. ` +
                `If ${groups.length === 1 ? 'it holds' : 'they hold'} nothing that matters, SIGKILL ends this at once.`,
              code: groups
                .map((group) => shellCommand(['kill', '-KILL', ...(group.peer < 0 ? ['--'] : []), String(group.peer)]))
                .join('\n'),
            },
          ]),
    ],
    related: groups
      .slice(0, 5)
      .map((group) => ({ pid: Math.abs(group.peer), why: `gets ${signal} ${often(group)}, and does not end` })),
  };
};

const disposition = (process: IdentifyData | null, signal: string): string => {
  if (process === null) return '';
  if (inMask(process.signals.ignored, signal)) return ` It ignores ${signal}.`;
  if (inMask(process.signals.caught, signal))
    return ` It has a handler for ${signal}, so that the signal alone does not end it.`;
  return '';
};

const receiverDraft = (look: Look, traced: Seen<StraceData>, received: Repeated): FindingDraft => {
  const pid = look.target.pid;
  const { signal } = received;
  const who = look.see(identify);
  const parent = who.seen && who.data.parent?.pid === received.peer ? who.data.parent : null;
  const sender =
    parent === null
      ? `process ${received.peer}`
      : `its parent, process ${received.peer} (${code(parent.command, 100)})`;
  const view = pythonThreads(look);
  const main = threadOf(view, pid) ?? view?.threads[0] ?? null;
  const stack = main?.stacks[0];
  const frame = stack === undefined ? null : ownFrame(stack);
  const handler = stack === undefined ? undefined : handlerRuns(stack)[0];
  const doing =
    handler !== undefined
      ? ` Meanwhile it is inside the handler ${frameName(handler.handler)}.`
      : frame === null
        ? ''
        : ` Meanwhile its main thread is in ${frameName(frame)}.`;
  return {
    confidence: signal === 'SIGHUP' ? 0.55 : 0.92,
    title: `Gets ${signal} every ${duration(beat(received.times)?.seconds ?? 0)} from process ${received.peer}, and does not end`,
    summary:
      `In ${duration(traced.data.detail.seconds)} of trace ${signal} came ${often(received)} from ${sender}.${disposition(who.seen ? who.data : null, signal)}${doing} ` +
      'The sender repeats what had no effect the first time; what keeps this process from ending is the other half of the fault.',
    evidence: [
      ...someLines(received, 3).map((line) => look.quote(traced.evidenceId, line)),
      ...(parent !== null && who.seen ? [look.quote(who.evidenceId, parent.at)] : []),
      ...(main !== null && frame !== null ? [quoteFrame(look, main, frame)] : []),
    ],
    fixes: [
      onceFix(signal, `Process ${received.peer}`, false),
      {
        title: 'Let the handler lead to the end',
        detail:
          `${frame === null ? 'The main loop' : frameName(frame)} must come to look at what the handler noted. Since Python 3.5 a read, accept or sleep that a signal interrupts is ` +
          `resumed after the handler (PEP 475), so a flag alone wakes nothing: use ${code('signal.set_wakeup_fd')} with a selector, a timeout, or raise an exception in the handler.`,
        code: 'reader, writer = os.pipe()\nos.set_blocking(writer, False)\nsignal.set_wakeup_fd(writer)      # a signal makes `reader` readable\nselector.register(reader, selectors.EVENT_READ)',
      },
    ],
    related: [{ pid: received.peer, why: `it sends ${signal} to this process again and again` }],
  };
};

/** Whether a thread waits with a short time limit for descriptors or for an event, or for short-lived children, again and again. */
const looksUpOften = (look: Look): boolean => {
  const sampled = look.see(sample);
  return (
    sampled.seen &&
    sampled.data.threads.some(
      (thread) =>
        (thread.voluntarySwitches ?? 0) >= 1.5 * sampled.data.seconds &&
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
    if (who.data.children.length > 0 && (nappingThreads(look).length > 0 || looksUpOften(look))) {
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
  explains: [],
  judge,
});
