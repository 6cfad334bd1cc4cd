import type { FindingDraft, Look, Observation, PythonStack, Quote } from '../model/index.ts';
import { nativeStacks } from '../probes/native-stacks.ts';
import type { SampleData } from '../probes/sample.ts';
import { type Socket, sockets } from '../probes/sockets.ts';
import { strace } from '../probes/strace.ts';
import type { Burner } from '../reading/cpu.ts';
import {
  frameName,
  nativeCalls,
  ownFrame,
  type PythonThreadView,
  type PythonView,
  quoteFrame,
  steadyFrames,
  steadyName,
  threadName,
  threadOf,
} from '../reading/python.ts';
import { code, count, duration, list, percent, visible } from '../reading/text.ts';
import type { PythonCourse, Spin } from './busy-loop.python.ts';
import { type SyscallCourse, type SyscallSpin, syscallCourse } from './busy-loop.syscalls.ts';
import { coreFix, loopFixes, placeOf, rateOf, stateSentences, syscallTexts } from './busy-loop.texts.ts';

/** What was made of one thread that burns CPU. */
export type Opinion =
  | { readonly kind: 'finding'; readonly key: string; readonly draft: FindingDraft; readonly wants?: readonly string[] }
  | { readonly kind: 'works'; readonly why: string }
  | { readonly kind: 'untold'; readonly why: string; readonly wants?: readonly string[] };

/** What all threads of a look have in common. */
export interface Scene {
  readonly look: Look;
  readonly sampled: Extract<Observation<SampleData>, { seen: true }>;
  readonly view: PythonView | null;
  /** Sockets on which somebody waits for this process: connections to be accepted, bytes to be read. */
  readonly waiting: readonly Socket[];
  readonly socketsEvidence: string | null;
}

/** How a thread is called in sentences. */
export const nameOf = (scene: Scene, burner: Burner): string => {
  const python = threadOf(scene.view, burner.thread.tid);
  const main = burner.thread.tid === scene.look.target.pid;
  return threadName(python ?? { tid: burner.thread.tid, name: burner.thread.comm, main });
};

const burning = (scene: Scene, burner: Burner): string =>
  `${percent(burner.share)} of a processor over ${duration(scene.sampled.data.seconds)}, ${percent(1 - burner.system)} of it in user space`;

/** Bytes or connections that wait for this process to take them, and whether this thread may be the one to do it. */
const clientsWait = (scene: Scene, burner: Burner): boolean =>
  scene.waiting.length > 0 && burner.thread.tid === scene.look.target.pid;

const waitingSentence = (scene: Scene): string => {
  const listening = scene.waiting.filter((socket) => socket.state === 'LISTEN');
  const unread = scene.waiting.filter((socket) => socket.state !== 'LISTEN');
  const parts = [
    ...(listening.length > 0
      ? [
          `${count(
            listening.reduce((sum, each) => sum + each.receiveQueue, 0),
            'connection',
          )} to ${list(listening.slice(0, 3).map((each) => code(each.local)))} not accepted`,
        ]
      : []),
    ...(unread.length > 0 ? [`unread bytes on ${count(unread.length, 'connection')}`] : []),
  ];
  return parts.length === 0 ? '' : ` Meanwhile others wait for it: ${list(parts)}.`;
};

const waitingQuotes = (scene: Scene): Quote[] => {
  const { socketsEvidence } = scene;
  return socketsEvidence === null
    ? []
    : scene.waiting.slice(0, 2).map((socket) => scene.look.quote(socketsEvidence, socket.at));
};

const topStack = (thread: PythonThreadView): PythonStack | null => thread.stacks[0] ?? null;

const frameQuotes = (scene: Scene, thread: PythonThreadView, spin: Spin): Quote[] => {
  const quotes: Quote[] = [];
  const seen = new Set<number>();
  for (const stack of thread.stacks) {
    const frame = stack.frames[stack.frames.length - 1 - spin.frame.depth];
    if (frame === undefined || frame.function !== spin.frame.function || seen.has(frame.line)) continue;
    seen.add(frame.line);
    quotes.push(quoteFrame(scene.look, thread, frame));
    if (quotes.length === 3) break;
  }
  if (spin.loop !== null) quotes.push(scene.look.quote(thread.evidenceId, spin.loop.at));
  const returning = spin.returning.filter((each) => !/slot \d/.test(each.name));
  const moved = [...(spin.past === null ? [] : [spin.past]), ...returning, ...spin.counting].slice(0, 3);
  return [...quotes, ...moved.map((variable) => scene.look.quote(thread.evidenceId, variable.at))];
};

/** Whether strace has shown that the thread makes no system calls: null when it has not run or could not. */
export const silence = (scene: Scene, burner: Burner): SyscallCourse | null => {
  const traced = scene.look.see(strace);
  return traced.seen ? syscallCourse(traced.data, burner.thread.tid) : null;
};

/** strace can still be asked for: it has not been tried, so it was neither refused nor did it fail. */
export const canTrace = (look: Look): boolean => {
  const traced = look.see(strace);
  return !traced.seen && (traced.reason === 'not-run' || traced.reason === 'not-needed');
};

const straceQuotes = (scene: Scene): Quote[] => {
  const traced = scene.look.see(strace);
  if (!traced.seen) return [];
  const lines: number[] = [];
  // The script's own closing line says how long strace watched and how many lines it wrote.
  for (let line = 1; line < 40 && lines.length === 0; line += 1) {
    try {
      if (scene.look.quote(traced.evidenceId, line).text.startsWith('== detail ended')) lines.push(line);
    } catch {
      break;
    }
  }
  return lines.map((line) => scene.look.quote(traced.evidenceId, line));
};

/** The finding about a loop of Python code that gets nowhere. */
export const spinFinding = (
  scene: Scene,
  burner: Burner,
  thread: PythonThreadView,
  course: Extract<PythonCourse, { kind: 'spins' }>,
): Opinion => {
  const { spin } = course;
  const { pid } = scene.look.target;
  const traced = silence(scene, burner);
  const confirmed = traced?.kind === 'silent';
  const firm = course.confidence >= 0.9;
  // A spin in user space costs the kernel nothing: what else it does there can be data that goes in and out.
  const unknown = traced === null && burner.system > 0.03;
  const confidence = unknown
    ? 0.45
    : firm
      ? confirmed
        ? 0.96
        : 0.88
      : burner.silent
        ? course.confidence
        : Math.min(0.8, course.confidence);
  const header = spin.loop === null ? '' : `: ${code(spin.loop.header, 100)}`;
  const { io } = scene.sampled.data.process;
  const untouched = io !== null && io.syscr + io.syscw === 0;
  const silent = confirmed
    ? 'strace saw not a single system call of it, so it reads, writes and waits for nothing.'
    : traced !== null
      ? `It makes few system calls${traced.kind === 'spins' ? '' : ` (${traced.why})`}.`
      : burner.silent
        ? `It was in no system call in any sample${untouched ? ', and the process read and wrote nothing' : ''}.`
        : 'It makes few system calls.';
  const draft: FindingDraft = {
    confidence: clientsWait(scene, burner) && !unknown ? Math.min(0.97, confidence + 0.03) : confidence,
    title: `${nameOf(scene, burner).replace(/^t/, 'T')} goes round a loop in ${code(spin.frame.function, 80)} (${placeOf(spin)}) without getting anywhere`,
    summary:
      `It used ${burning(scene, burner)}, and stayed inside ${code(spin.frame.function, 80)} at ${placeOf(spin)}${header}. ` +
      `${silent} ${stateSentences(spin)}${waitingSentence(scene)}` +
      (spin.inferred === null ? '' : ` Inferred: ${spin.inferred}.`) +
      (unknown ? ` The kernel worked for it for ${percent(burner.system)} of that time; what for was not traced.` : ''),
    evidence: [
      scene.look.quote(scene.sampled.evidenceId, burner.thread.at),
      ...frameQuotes(scene, thread, spin),
      ...straceQuotes(scene),
      ...waitingQuotes(scene),
    ],
    fixes: loopFixes(pid, spin),
  };
  const key = `${spin.frame.file}:${spin.loop?.line ?? spin.frame.firstLine}`;
  return {
    kind: 'finding',
    key,
    draft,
    ...(((firm && !confirmed) || confidence < 0.5) && canTrace(scene.look) ? { wants: [strace.id] } : {}),
  };
};

/** A call into C code that lasts: what it does cannot be seen, so this is a hint unless something shows that it goes round. */
export const nativeFinding = (
  scene: Scene,
  burner: Burner,
  thread: PythonThreadView | null,
  course: Extract<PythonCourse, { kind: 'native' }> | null,
  why: string,
): Opinion => {
  const stack = thread === null ? null : topStack(thread);
  const frame = stack === null ? null : ownFrame(stack);
  const steady = thread === null ? undefined : steadyFrames(thread).at(-1);
  const calls = nativeCalls(scene.look, burner.thread.tid).slice(0, 3);
  const goesRound = course?.goesRound ?? null;
  const waits = clientsWait(scene, burner);
  const confidence = goesRound !== null ? 0.75 : waits ? 0.6 : 0.35;
  const place = frame !== null ? frameName(frame) : steady !== undefined ? steadyName(steady) : 'native code';
  const native =
    calls.length === 0 ? '' : ` Its innermost C functions were ${list(calls.map((call) => code(call.function, 60)))}.`;
  const around =
    goesRound === null
      ? ''
      : ` ${code(goesRound.name, 60)}, which it goes over, came back to places where it had been before ${count(goesRound.back, 'time')}: it goes round and finds nothing.`;
  const draft: FindingDraft = {
    confidence,
    title: `${nameOf(scene, burner).replace(/^t/, 'T')} burns a processor in ${place}${goesRound === null ? ' without a sign of progress' : ', going round in native code'}`,
    summary:
      `It used ${burning(scene, burner)} and was in no system call. ${why}${native}${around}${waitingSentence(scene)} ` +
      (goesRound === null
        ? 'Whether that is a long computation or one without an end cannot be seen from here: look again in a minute, and compare.'
        : 'Inferred: that what it looks for is not among what it goes over.'),
    evidence: [
      scene.look.quote(scene.sampled.evidenceId, burner.thread.at),
      ...(thread !== null && frame !== null ? [quoteFrame(scene.look, thread, frame)] : []),
      ...(goesRound !== null && thread !== null ? [scene.look.quote(thread.evidenceId, goesRound.at)] : []),
      ...calls.map((call) => scene.look.quote(call.evidenceId, call.at)),
      ...waitingQuotes(scene),
    ],
    fixes: [
      coreFix(scene.look.target.pid, thread !== null),
      {
        title: goesRound === null ? 'Bound the call' : 'Give the search an end',
        detail:
          goesRound === null
            ? `If it does not come back, bound what ${place} is given (size, time), or run it in a process that can be ended.`
            : `What ${place} goes over has no end (itertools.cycle or alike) and holds nothing that fits. Go round once and raise when nothing was found.`,
        ...(goesRound === null
          ? {}
          : {
              code: 'found = next((each for each in candidates if fits(each)), None)\nif found is None:\n    raise LookupError("none of the candidates fits")',
            }),
      },
    ],
  };
  const stacks = scene.look.see(nativeStacks);
  const wants = [
    ...(canTrace(scene.look) && (waits || (thread !== null && course === null)) ? [strace.id] : []),
    ...(stacks.seen ? [] : [nativeStacks.id]),
  ];
  return { kind: 'finding', key: `native ${burner.thread.tid}`, draft, wants };
};

const peerOf = (scene: Scene, spin: SyscallSpin): string => {
  const seen = scene.look.see(sockets);
  const socket = spin.fd === null || !seen.seen ? undefined : seen.data.sockets.find((each) => each.fd === spin.fd);
  if (socket !== undefined) {
    return `descriptor ${spin.fd} (${socket.kind} ${visible(socket.local)} to ${visible(socket.peer)}, ${socket.state})`;
  }
  return spin.fd === null
    ? 'its target'
    : `descriptor ${spin.fd}${spin.what === null ? '' : ` (${code(spin.what, 120)})`}`;
};

/** The path that the calls are about, when all examples name the same one. */
const pathIn = (spin: SyscallSpin): string | null => {
  const paths = spin.examples.map((call) =>
    /^(open|openat|openat2|newfstatat|statx?|lstat|access|faccessat2?|readlink(at)?|execve|unlink(at)?|mkdir(at)?)$/.test(
      call.name,
    )
      ? (/"((?:[^"\\]|\\.)+)"/.exec(call.args)?.[1] ?? null)
      : null,
  );
  const [first = null] = paths;
  return paths.every((path) => path === first) ? first : null;
};

/** The finding about system calls that come back at once and bring nothing. */
export const syscallFinding = (scene: Scene, burner: Burner, spin: SyscallSpin): Opinion => {
  const thread = threadOf(scene.view, burner.thread.tid);
  const stack = thread === null ? null : topStack(thread);
  const own = stack === null ? null : ownFrame(stack);
  const steady =
    thread === null
      ? undefined
      : steadyFrames(thread).findLast((frame) => own === null || frame.function === own.function);
  const where = steady !== undefined ? ` in ${steadyName(steady)}` : own !== null ? ` in ${frameName(own)}` : '';
  const traced = scene.look.see(strace);
  const seen = scene.look.see(sockets);
  const socket = spin.fd === null || !seen.seen ? undefined : seen.data.sockets.find((each) => each.fd === spin.fd);
  const { says, fix } = syscallTexts(spin, peerOf(scene, spin), thread !== null);
  const path = pathIn(spin);
  const about = path === null ? '' : ` of ${code(path, 100)}`;
  const draft: FindingDraft = {
    confidence: steady !== undefined || own !== null ? 0.95 : 0.9,
    title: `${nameOf(scene, burner).replace(/^t/, 'T')} spins over ${spin.name}${about}${where}: it comes back at once and brings nothing`,
    summary: `It used ${percent(burner.share)} of a processor over ${duration(scene.sampled.data.seconds)}. ${says}${path === null ? '' : ` It asks for ${code(path, 200)}.`} Seen ${rateOf(spin)}.${waitingSentence(scene)}`,
    evidence: [
      scene.look.quote(scene.sampled.evidenceId, burner.thread.at),
      ...(traced.seen ? spin.examples.map((call) => scene.look.quote(traced.evidenceId, call.at)) : []),
      ...(thread !== null && own !== null ? [quoteFrame(scene.look, thread, own)] : []),
      ...(socket !== undefined && seen.seen ? [scene.look.quote(seen.evidenceId, socket.at)] : []),
    ],
    fixes: [{ ...fix, title: `${fix.title}${where}` }, coreFix(scene.look.target.pid, thread !== null)],
  };
  return { kind: 'finding', key: `${spin.form} ${spin.name} ${spin.fd}`, draft };
};
