import type { FindingDraft } from '../model/index.ts';
import { nativeMotion } from '../probes/native-motion.ts';
import { nativeStacks } from '../probes/native-stacks.ts';
import { strace } from '../probes/strace.ts';
import type { Burner } from '../reading/cpu.ts';
import { loopThread } from '../reading/event-loop.ts';
import {
  frameName,
  nativeCalls,
  ownFrame,
  type PythonThreadView,
  quoteFrame,
  steadyFrames,
  steadyName,
} from '../reading/python.ts';
import { code, count, list } from '../reading/text.ts';
import {
  burning,
  canTrace,
  clientsWait,
  nameOf,
  type Opinion,
  type Scene,
  topStack,
  waitingQuotes,
  waitingSentence,
} from './busy-loop.findings.ts';
import type { PythonCourse } from './busy-loop.spin.ts';
import { type StatesSeen, statesOf } from './busy-loop.states.ts';
import { coreFix } from './busy-loop.texts.ts';

/** Libraries in which a loop of the program is often seen: what they compare or copy is asked for by its own functions. */
const HELPERS = /\/(ld-[\w.-]*|lib(c|m|pthread)[.-][^/]*)$/;

/** Where a thread without Python frames goes round: its innermost function outside of the C library, else the file of its code. */
const nativePlace = (scene: Scene, burner: Burner, states: StatesSeen): string => {
  // Functions of such code have no names that a debugger could know; the named ones around it are the compiler's own.
  if (states.data.places[0]?.module === '[anonymous]') return 'code compiled at run time';
  const called = nativeCalls(scene.look, burner.thread.tid).find(
    (call) => !call.function.startsWith('0x') && !HELPERS.test(call.module ?? ''),
  );
  if (called !== undefined) {
    return `${code(called.function, 80)}${called.module === null ? '' : ` (${code(called.module, 120)})`}`;
  }
  const file = states.data.places.find(({ module }) => module.startsWith('/') && !HELPERS.test(module));
  return file === undefined ? 'native code' : code(file.module, 120);
};

/** A thread that was seen in the same states again and again, so that nothing goes onward. */
const roundFinding = (scene: Scene, burner: Burner, states: StatesSeen, why: string): FindingDraft => {
  const place = nativePlace(scene, burner, states);
  const calls = nativeCalls(scene.look, burner.thread.tid).slice(0, 2);
  const { evidenceId, data } = states;
  return {
    confidence: states.confidence,
    title: `${nameOf(scene, burner).replace(/^t/, 'T')} goes round a loop in ${place} without getting anywhere`,
    summary: `It used ${burning(scene, burner)} and was in no system call.${why}${states.says}${waitingSentence(scene)}`,
    evidence: [
      scene.look.quote(scene.sampled.evidenceId, burner.thread.at),
      scene.look.quote(evidenceId, data.states.at),
      scene.look.quote(evidenceId, data.memory.at),
      ...data.places.slice(0, 1).map((each) => scene.look.quote(evidenceId, each.at)),
      ...calls.map((call) => scene.look.quote(call.evidenceId, call.at)),
    ],
    fixes: [
      coreFix(scene.look.target.pid, false),
      {
        title: 'Give the loop an end',
        detail:
          `What the loop in ${place} waits for does not come about by its own rounds. Go over each thing once at most, and report it when nothing was found. ` +
          'Where a callback, another thread or a signal handler is to end it, return to the event loop or wait in the kernel (a condition, an event): no callback can run while the loop does.',
      },
    ],
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
  const states = goesRound === null ? statesOf(scene, burner) : null;
  if (states?.decided === true) {
    const called = course === null ? '' : ` ${why}`;
    return { kind: 'finding', key: `native ${burner.thread.tid}`, draft: roundFinding(scene, burner, states, called) };
  }
  // That an event loop is held up meanwhile is a cause of its own, and surer than that its callback does not come to an end.
  const held = thread !== null && loopThread(thread) !== null;
  const confidence = goesRound !== null ? 0.75 : waits && !held ? 0.6 : (states?.confidence ?? 0.35);
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
      `It used ${burning(scene, burner)} and was in no system call. ${why}${native}${around}${states?.says ?? ''}${waitingSentence(scene)} ` +
      (goesRound === null
        ? 'Whether that is a long computation or one without an end cannot be seen from here: look again in a minute, and compare.'
        : 'Inferred: that what it looks for is not among what it goes over.'),
    evidence: [
      scene.look.quote(scene.sampled.evidenceId, burner.thread.at),
      ...(thread !== null && frame !== null ? [quoteFrame(scene.look, thread, frame)] : []),
      ...(goesRound !== null && thread !== null ? [scene.look.quote(thread.evidenceId, goesRound.at)] : []),
      ...calls.map((call) => scene.look.quote(call.evidenceId, call.at)),
      ...(states === null ? [] : [scene.look.quote(states.evidenceId, states.data.states.at)]),
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
  const motion = scene.look.see(nativeMotion);
  // The states of a thread that runs Python code are told by its variables, which are read without holding it.
  const wantsStates =
    thread === null && !motion.seen && (motion.reason === 'not-run' || motion.reason === 'not-needed');
  const wants = [
    ...(canTrace(scene.look) && (waits || thread === null || course === null) ? [strace.id] : []),
    ...(stacks.seen ? [] : [nativeStacks.id]),
    ...(wantsStates ? [nativeMotion.id] : []),
  ];
  return { kind: 'finding', key: `native ${burner.thread.tid}`, draft, wants };
};
