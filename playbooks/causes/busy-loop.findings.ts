import type { FindingDraft, Look, Observation, PythonStack, Quote } from '../model/index.ts';
import type { SampleData } from '../probes/sample.ts';
import type { Socket } from '../probes/sockets.ts';
import { strace } from '../probes/strace.ts';
import type { Burner } from '../reading/cpu.ts';
import { type PythonThreadView, type PythonView, quoteFrame, threadName, threadOf } from '../reading/python.ts';
import { code, count, duration, list, percent } from '../reading/text.ts';
import type { PythonCourse, Spin } from './busy-loop.spin.ts';
import { type SyscallCourse, syscallCourse } from './busy-loop.syscalls.ts';
import { loopFixes, placeOf, stateSentences } from './busy-loop.texts.ts';

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

/** How much it burnt, in words. */
export const burning = (scene: Scene, burner: Burner): string =>
  `${percent(burner.share)} of a processor over ${duration(scene.sampled.data.seconds)}, ${percent(1 - burner.system)} of it in user space`;

/** Bytes or connections that wait for this process to take them, and whether this thread may be the one to do it. */
export const clientsWait = (scene: Scene, burner: Burner): boolean =>
  scene.waiting.length > 0 && burner.thread.tid === scene.look.target.pid;

/** Who waits for the process meanwhile, as a sentence with a space before it; empty when nobody does. */
export const waitingSentence = (scene: Scene): string => {
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

/** The evidence lines of those who wait, two at most. */
export const waitingQuotes = (scene: Scene): Quote[] => {
  const { socketsEvidence } = scene;
  return socketsEvidence === null
    ? []
    : scene.waiting.slice(0, 2).map((socket) => scene.look.quote(socketsEvidence, socket.at));
};

/** The stack that a thread was seen in most. */
export const topStack = (thread: PythonThreadView): PythonStack | null => thread.stacks[0] ?? null;

/** Lines that show where the loop is and what its variables did. */
export const frameQuotes = (scene: Scene, thread: PythonThreadView, spin: Spin): Quote[] => {
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
  const moved = [
    ...(spin.past === null ? [] : [spin.past]),
    ...(spin.grows === null ? [] : [spin.grows]),
    ...returning,
    ...spin.counting,
  ].slice(0, 3);
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
  // Memory for a list that grows is given by the kernel, too.
  const unknown = traced === null && burner.system > 0.03 && spin.grows === null;
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
