import { strace } from '../probes/strace.ts';
import type { Burner } from '../reading/cpu.ts';
import type { PythonThreadView } from '../reading/python.ts';
import { clip, code, count, duration, percent, visible } from '../reading/text.ts';
import { frameQuotes, nameOf, type Opinion, type Scene } from './busy-loop.findings.ts';
import type { PythonCourse } from './busy-loop.spin.ts';
import type { Refrain } from './busy-loop.syscalls.ts';
import { coreFix, loopFixes, placeOf, stateSentences } from './busy-loop.texts.ts';

/** The finding about a loop that says the same in each round, to a log or on its output, and brings nothing else about. */
export const refrainFinding = (
  scene: Scene,
  burner: Burner,
  thread: PythonThreadView,
  course: Extract<PythonCourse, { kind: 'spins' }>,
  refrain: Refrain,
): Opinion => {
  const { spin } = course;
  const { pid } = scene.look.target;
  const traced = scene.look.see(strace);
  const header = spin.loop === null ? '' : `: ${code(spin.loop.header, 100)}`;
  const [, change] = loopFixes(pid, spin);
  return {
    kind: 'finding',
    key: `${spin.frame.file}:${spin.loop?.line ?? spin.frame.firstLine}`,
    draft: {
      confidence: course.confidence >= 0.85 ? 0.8 : 0.45,
      title: `${nameOf(scene, burner).replace(/^t/, 'T')} goes round a loop in ${code(spin.frame.function, 80)} (${placeOf(spin)}) that says the same again and again, and gets nowhere`,
      summary:
        `It used ${percent(burner.share)} of a processor over ${duration(scene.sampled.data.seconds)} in ${code(spin.frame.function, 80)} at ${placeOf(spin)}${header}. ` +
        `All that it moved were ${count(refrain.count, 'write')} of the same text to ${code(refrain.to, 120)}, about ${Math.round(refrain.perSecond).toLocaleString('en-US')} a second: ${clip(visible(refrain.text), 120)}. ` +
        `${stateSentences(spin)} Inferred: that what it says is all that a round brings; what libraries do in it was not looked at.`,
      evidence: [
        scene.look.quote(scene.sampled.evidenceId, burner.thread.at),
        ...frameQuotes(scene, thread, spin).slice(0, 3),
        ...(traced.seen ? refrain.examples.map((call) => scene.look.quote(traced.evidenceId, call.at)) : []),
      ],
      fixes: [
        {
          title: `Pause between attempts at ${placeOf(spin)}, and give up at some point`,
          detail:
            'Each round tries the same again at once and reports it. Retry with growing pauses and a limit; raise when the limit is reached, and log each failure once.',
          code: "for attempt in range(8):\n    try:\n        ...\n        break\n    except Exception as error:\n        log.warning('attempt %d: %s', attempt, error)\n        time.sleep(min(30, 0.5 * 2 ** attempt))\nelse:\n    raise RuntimeError('gave up')",
        },
        ...(change === undefined ? [] : [change]),
        coreFix(pid, true),
      ],
    },
  };
};
