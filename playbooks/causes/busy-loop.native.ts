import type { FindingDraft } from '../model/index.ts';
import { nativeStacks } from '../probes/native-stacks.ts';
import { strace } from '../probes/strace.ts';
import type { Burner } from '../reading/cpu.ts';
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
import { coreFix } from './busy-loop.texts.ts';

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
