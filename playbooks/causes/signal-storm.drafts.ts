import type { FindingDraft, Fix, Look, Observation, Quote } from '../model/index.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import type { StraceData } from '../probes/strace.ts';
import { frameName, ownFrame, type PythonThreadView, pythonThreads, quoteFrame, threadOf } from '../reading/python.ts';
import { beat, handlerRuns, inMask, type Repeated } from '../reading/signals.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;
type Relative = IdentifyData['children'][number];

/** How often a signal must come before it is a storm. SIGHUP is also how reloads are asked for. */
export const enough = (signal: string): number => (signal === 'SIGHUP' ? 5 : 3);

/** Sent twice to somebody who does not end: a slow storm, most likely, of which the window showed two beats. */
export const SUSPICIOUS = 2;

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

const isPython = (look: Look): boolean => {
  const who = look.see(identify);
  return !who.seen || who.data.runtime.kind === 'python';
};

const ONCE = {
  python:
    'for child in children:\n    child.terminate()                 # once\ndeadline = time.monotonic() + 30\nfor child in children:\n    child.join(max(0, deadline - time.monotonic()))\n    if child.exitcode is None:\n        os.kill(child.pid, signal.SIGKILL)\n        child.join()',
  zombies:
    'for pid in jobs:\n    os.kill(pid, signal.SIGTERM)      # once\nfor pid in jobs:\n    os.waitpid(pid, 0)                # returns when it is gone, and takes the zombie away',
  shell:
    'kill -TERM "$pid"                                        # once\ntimeout 30 tail --pid="$pid" -f /dev/null || kill -KILL "$pid"',
} as const;

const onceFix = (look: Look, signal: string, where: string, zombies: boolean): Fix => ({
  title: `Send ${signal} once, wait with a deadline, then SIGKILL once`,
  detail: zombies
    ? `A process that has ended answers ${code('kill(pid, 0)')} until its parent has waited for it. ${where} must ask ${code('waitpid')}${isPython(look) ? ` (or ${code('Popen.poll')}, ${code('Process.join')})` : ''} whether the child is gone, not ${code('kill')}.`
    : `A receiver that did not end after the first ${signal} does not end after the tenth: each one interrupts whatever its handler does for the one before, and if that takes a lock it waits for itself. ${where} should send it once, join with a deadline, and escalate once.`,
  code: !isPython(look) ? ONCE.shell : zombies ? ONCE.zombies : ONCE.python,
});

const endFix = (look: Look, place: string | null): Fix => ({
  title: 'Let the handler lead to the end',
  detail: isPython(look)
    ? `${place ?? 'The main loop'} must come to look at what the handler noted. Since Python 3.5 a read, accept or sleep that a signal interrupts is ` +
      `resumed after the handler (PEP 475), so a flag alone wakes nothing: use ${code('signal.set_wakeup_fd')} with a selector, a timeout, or raise an exception in the handler.`
    : 'What the handler notes must be looked at by the main loop: give its waits a time limit, or let the handler write to a descriptor that it waits for.',
  ...(isPython(look)
    ? {
        code: 'reader, writer = os.pipe()\nos.set_blocking(writer, False)\nsignal.set_wakeup_fd(writer)      # a signal makes `reader` readable\nselector.register(reader, selectors.EVENT_READ)',
      }
    : {}),
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

/** The finding for the process that sends. */
export const senderDraft = (
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
  const slow = groups.every((group) => group.times.length < enough(signal));
  const plural = groups.length === 1 ? 'it does' : 'they do';
  // Who catches SIGHUP is meant to live on: it is asked to reload (daemon(7)).
  const reload = signal === 'SIGHUP' && groups.every((group) => inMask(child(group.peer)?.caught ?? null, signal));
  return {
    confidence: reload ? 0.4 : signal === 'SIGHUP' ? 0.6 : slow ? 0.6 : 0.95,
    title: reload
      ? `Sends SIGHUP every ${duration(beat(first.times)?.seconds ?? 0)} to ${list(names.slice(0, 4))}, which ${groups.length === 1 ? 'catches' : 'catch'} it: a reload, asked for very often`
      : zombies
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
        : slow
          ? ' Not seen directly: that it goes on like this; the window showed it twice. A longer window tells.'
          : ''),
    evidence: [
      ...someLines(first, 3).map((line) => look.quote(traced.evidenceId, line)),
      ...(who.seen ? shown.map((each) => look.quote(who.evidenceId, each.at)) : []),
      ...(from === null ? [] : [from.quote]),
    ],
    fixes: [
      onceFix(look, signal, where, zombies),
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

/** The finding for a process that gets the signal. */
export const receiverDraft = (look: Look, traced: Seen<StraceData>, received: Repeated): FindingDraft => {
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
  const reload = signal === 'SIGHUP' && who.seen && inMask(who.data.signals.caught, signal) && handler === undefined;
  return {
    confidence: reload ? 0.4 : signal === 'SIGHUP' ? 0.55 : 0.92,
    title: reload
      ? `Gets SIGHUP every ${duration(beat(received.times)?.seconds ?? 0)} from process ${received.peer} and catches it: a reload, asked for very often`
      : `Gets ${signal} every ${duration(beat(received.times)?.seconds ?? 0)} from process ${received.peer}, and does not end`,
    summary:
      `In ${duration(traced.data.detail.seconds)} of trace ${signal} came ${often(received)} from ${sender}.${disposition(who.seen ? who.data : null, signal)}${doing} ` +
      'The sender repeats what had no effect the first time; what keeps this process from ending is the other half of the fault.',
    evidence: [
      ...someLines(received, 3).map((line) => look.quote(traced.evidenceId, line)),
      ...(parent !== null && who.seen ? [look.quote(who.evidenceId, parent.at)] : []),
      ...(main !== null && frame !== null ? [quoteFrame(look, main, frame)] : []),
    ],
    fixes: [
      onceFix(look, signal, `Process ${received.peer}`, false),
      endFix(look, frame === null ? null : frameName(frame)),
    ],
    related: [{ pid: received.peer, why: `it sends ${signal} to this process again and again` }],
  };
};
