import { defineCause, type FindingDraft, type Look, type Observation, type Verdict } from '../model/index.ts';
import { type SampleData, sample } from '../probes/sample.ts';
import { sockets } from '../probes/sockets.ts';
import { strace } from '../probes/strace.ts';
import { type Burner, burners } from '../reading/cpu.ts';
import { isLibraryFile, pythonThreads, threadOf } from '../reading/python.ts';
import { cpuShare, sampledCalls } from '../reading/syscalls.ts';
import { code, count, kib, list, percent } from '../reading/text.ts';
import { syscallFinding } from './busy-loop.calls.ts';
import { canTrace, nameOf, type Opinion, type Scene, silence, spinFinding } from './busy-loop.findings.ts';
import { nativeFinding } from './busy-loop.native.ts';
import { pythonCourse } from './busy-loop.python.ts';
import { refrainFinding } from './busy-loop.refrain.ts';
import type { PythonCourse } from './busy-loop.spin.ts';
import { bringing, refrainOf } from './busy-loop.syscalls.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** System calls of work on files and memory: what they bring is seen in the process's own counters. */
const FILE_WORK =
  /^(p?(read|write)(v|64)?2?|f(data)?sync|open(at)?2?|close|f?l?stat(x|fs)?|newfstatat|lseek|getdents64|m(un|re)?map|mprotect|brk|madvise|futex|f?truncate|unlink(at)?|rename(at2?)?|fcntl|flock|mkdir(at)?|access|faccessat2?|readlink(at)?|sendfile|splice|copy_file_range|fadvise64|ioctl|getrandom|clock_\w+)$/;

/** Whether no other thread of the process did anything, so that what the process did was this thread's doing. */
const alone = (data: SampleData, burner: Burner): boolean =>
  data.threads
    .filter((thread) => thread !== burner.thread)
    .every((thread) => cpuShare(thread, data.seconds) < 0.01 && (thread.voluntarySwitches ?? 0) <= 2);

/** What the thread moves through files and pipes, as the kernel counts it; null when nothing, or when others may have. */
const movesBytes = ({ sampled: { data } }: Scene, burner: Burner): string | null => {
  const { io } = data.process;
  const moved = io === null ? 0 : io.rchar + io.wchar;
  return moved > 1024 && alone(data, burner)
    ? `it reads and writes ${kib(moved / 1024 / data.seconds)} a second`
    : null;
};

/** That data goes in or out of the thread, by the trace or by the kernel's counters; null when none was seen to. */
const movesData = (scene: Scene, burner: Burner): string | null => {
  const traced = scene.look.see(strace);
  const brought = traced.seen ? bringing(traced.data, burner.thread.tid) : [];
  if (brought.length > 0) {
    const names = [...new Set(brought.map((call) => call.name))];
    return `strace saw it move data (${list(names.slice(0, 3))}: ${count(brought.length, 'call')})`;
  }
  return movesBytes(scene, burner);
};

/**
 * That its memory grows or shrinks, as it does while something is built or given up; null when it does not, or others may
 * have. Page faults alone show nothing: one block that is mapped and given back each round makes thousands.
 */
const movesMemory = ({ sampled: { data } }: Scene, burner: Burner): string | null => {
  const { first, last } = data.process.rssKib;
  return Math.abs(last - first) > 1024 && alone(data, burner)
    ? `its memory ${last > first ? 'grows' : 'shrinks'} by ${kib(Math.abs(last - first) / data.seconds)} a second`
    : null;
};

const works = (name: string, how: string): Opinion => ({ kind: 'works', why: `${name} is busy, but gets on: ${how}` });

/** A thread that spends its time in and between system calls: what these bring decides. */
const callingOpinion = (scene: Scene, burner: Burner, name: string): Opinion => {
  const calls = [...new Set(sampledCalls(burner.thread).map((call) => call.name))];
  const moving = calls.every((call) => FILE_WORK.test(call)) ? movesBytes(scene, burner) : null;
  if (moving !== null) return works(name, moving);
  return {
    kind: 'untold',
    why: `${name} is busy in and between system calls (${list(calls.slice(0, 4)) || 'kernel time'}), and what they bring was not traced`,
    ...(canTrace(scene.look) ? { wants: [strace.id] } : {}),
  };
};

/** What the program's own frames show, without what goes on in libraries that they call: loggers, printers, encoders. */
const ownCourse = (scene: Scene, burner: Burner): PythonCourse | null => {
  const thread = threadOf(scene.view, burner.thread.tid);
  if (thread === null || thread.motion === null) return null;
  const frames = thread.motion.frames.filter((frame) => !isLibraryFile(frame.file));
  const own = { ...thread, motion: { ...thread.motion, frames } };
  return pythonCourse(own, scene.view?.source ?? [], {
    seconds: scene.view?.seconds ?? 0,
    movesData: null,
    goesRound: true,
  });
};

/** Whether the process writes, reads nothing, and its own code shows no progress: what it writes may be the same each time. */
const onlyTalks = (scene: Scene, burner: Burner): boolean => {
  const { io } = scene.sampled.data.process;
  const writes = io !== null && io.syscw > 40 && io.rchar <= 0.01 * io.wchar && alone(scene.sampled.data, burner);
  return writes && ownCourse(scene, burner)?.kind === 'spins';
};

/** A thread that only says the same again and again, while nothing of its own frames gets on. */
const refrainOpinion = (scene: Scene, burner: Burner): Opinion | null => {
  const traced = scene.look.see(strace);
  const refrain = traced.seen ? refrainOf(traced.data, burner.thread.tid) : null;
  const thread = threadOf(scene.view, burner.thread.tid);
  if (refrain === null || thread === null) return null;
  const course = ownCourse(scene, burner);
  return course?.kind === 'spins' ? refrainFinding(scene, burner, thread, course, refrain) : null;
};

/**
 * Whether the time goes into the program's own lines and hardly any into the kernel: what only gives others a turn between
 * its pieces of work asks with no time to wait, too.
 */
const worksBetweenCalls = (scene: Scene, { thread }: Burner): boolean => {
  const python = threadOf(scene.view, thread.tid);
  if (python === null || thread.systemSeconds > 0.1 * (thread.userSeconds + thread.systemSeconds)) return false;
  const own = python.stacks.filter(({ frames: [inner] }) => inner !== undefined && !isLibraryFile(inner.file));
  return own.reduce((sum, stack) => sum + stack.count, 0) >= 0.7 * python.samples;
};

const opinionOf = (scene: Scene, burner: Burner): Opinion => {
  const name = nameOf(scene, burner);
  const traced = silence(scene, burner);
  const givesWay = traced?.kind === 'spins' && /^(not-waiting|yielding)$/.test(traced.spin.form);
  if (traced?.kind === 'spins' && !(givesWay && worksBetweenCalls(scene, burner))) {
    return syscallFinding(scene, burner, traced.spin);
  }
  const refrain = refrainOpinion(scene, burner);
  if (refrain !== null) return refrain;
  if (traced?.kind === 'works') return works(name, traced.why);
  if (canTrace(scene.look) && onlyTalks(scene, burner)) {
    return {
      kind: 'untold',
      why: `${name} writes and reads nothing; what it writes was not traced`,
      wants: [strace.id],
    };
  }
  if (!burner.silent && traced === null) return callingOpinion(scene, burner, name);
  const thread = threadOf(scene.view, burner.thread.tid);
  const course: PythonCourse =
    thread === null
      ? { kind: 'untold', why: scene.view === null ? 'no Python stacks of it could be read' : 'it runs no Python code' }
      : pythonCourse(thread, scene.view?.source ?? [], {
          seconds: scene.view?.seconds ?? 0,
          movesData: movesData(scene, burner),
        });
  if (course.kind === 'works') return worksOpinion(name, course);
  if (course.kind === 'spins' && thread !== null) return spinFinding(scene, burner, thread, course);
  if (!burner.silent && traced?.kind === 'untold') return { kind: 'untold', why: `${name} is busy, and ${traced.why}` };
  const moving = movesBytes(scene, burner) ?? movesMemory(scene, burner);
  if (moving !== null) return works(name, moving);
  const native = course.kind === 'native' ? course : null;
  const why =
    native !== null
      ? `It was in one call from ${code(native.frame.function, 80)} (${code(`${native.frame.file}:${native.lines.at(-1) ?? native.frame.firstLine}`)}) in every sample.`
      : `Whether it gets on cannot be told: ${course.kind === 'untold' ? course.why : 'too little was seen'}.`;
  return nativeFinding(scene, burner, thread, native, why);
};

const worksOpinion = (name: string, course: Extract<PythonCourse, { kind: 'works' }>): Opinion => {
  const { variable, frame } = course;
  const how =
    course.course === 'new'
      ? 'takes ever new values'
      : `goes ${variable.up > variable.down ? 'up' : 'down'}${variable.from === null ? '' : `, from ${variable.from} to ${variable.to}`}`;
  const what = variable.name.startsWith('@iterator') ? 'what its loop goes over' : code(variable.name, 60);
  return works(name, `${what} in ${code(frame.function, 80)} ${how}`);
};

const sceneOf = (look: Look, sampled: Seen<SampleData>): Scene => {
  const seen = look.see(sockets);
  const waiting = seen.seen
    ? seen.data.sockets.filter((socket) => socket.receiveQueue > 0 && /^(LISTEN|ESTAB|CLOSE-WAIT)$/.test(socket.state))
    : [];
  return { look, sampled, view: pythonThreads(look), waiting, socketsEvidence: seen.seen ? seen.evidenceId : null };
};

const verdictOf = (opinions: readonly Opinion[]): Verdict => {
  const findings = new Map<string, FindingDraft>();
  const wants = new Set<string>();
  for (const opinion of opinions) {
    if (opinion.kind === 'works') continue;
    for (const id of opinion.wants ?? []) wants.add(id);
    if (opinion.kind === 'finding' && !findings.has(opinion.key)) {
      findings.set(opinion.key, { ...opinion.draft, confidence: Math.round(opinion.draft.confidence * 100) / 100 });
    }
  }
  if (findings.size > 0) return { verdict: 'fires', findings: [...findings.values()], wants: [...wants] };
  const untold = opinions.find((opinion) => opinion.kind === 'untold');
  if (untold !== undefined) return { verdict: 'cannot-tell', why: untold.why, wants: [...wants] };
  const works = opinions.find((opinion) => opinion.kind === 'works');
  return { verdict: 'clear', why: works?.why ?? 'no thread was busy' };
};

/** A thread uses a processor and gets nowhere: in Python code, over system calls that bring nothing, or in native code. */
export const busyLoop = defineCause({
  id: 'busy-loop',
  title: 'A thread spins without making progress',
  needs: [sample],
  explains: [
    'blocked-on-network',
    'cpu-throttled',
    'event-loop-blocked',
    'gil-contention',
    'python-heap-growth',
    'waiting-forever',
  ],
  judge: (look) => {
    const sampled = look.see(sample);
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    if (sampled.data.seconds < 0.4 || sampled.data.samples < 4) {
      return { verdict: 'cannot-tell', why: 'the window was too short to tell which threads are busy' };
    }
    const hot = burners(sampled.data);
    if (hot.length === 0) {
      const shares = sampled.data.threads.map((thread) => cpuShare(thread, sampled.data.seconds));
      return {
        verdict: 'clear',
        why: `no thread was busy: the busiest used ${percent(Math.max(0, ...shares))} of a processor`,
      };
    }
    const scene = sceneOf(look, sampled);
    return verdictOf(hot.slice(0, 8).map((burner) => opinionOf(scene, burner)));
  },
});
