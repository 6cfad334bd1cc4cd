import { exitDependsOnRounds, hasExit, isMeantToLast } from '../reading/loop-ends.ts';
import type { Loop } from '../reading/source.ts';
import { asksForTime, callsIn, namesIn } from '../reading/source-variables.ts';
import type { Moving } from './busy-loop.moving.ts';
import type { Place } from './busy-loop.place.ts';
import type { Spin, Surroundings } from './busy-loop.spin.ts';

export interface Confidence {
  readonly confidence: number;
  readonly inferred: string | null;
}

/** Types of values that a round builds or fills anew; numbers and texts are merely bound. */
const BUILT =
  /^(list|dict|set|frozenset|tuple|bytearray|size|array\.array|numpy\.ndarray|collections\.\w+|defaultdict)$/;

/** What the rounds of a loop were seen to do: finish inner loops, build or refill containers; null when nothing like it. */
const workOf = (moving: readonly Moving[], place: Place): 'builds' | 'binds' | null => {
  const inside = moving.filter((each) => each.frame.depth >= place.frame.depth && each.variable.changes >= 3);
  const built = inside.some(
    ({ variable, course }) =>
      BUILT.test(variable.type) || (variable.name.startsWith('@iterator') && course === 'returns'),
  );
  return built ? 'builds' : inside.length > 0 ? 'binds' : null;
};

const LASTS = 'the loop may be meant to go on until it is told to stop, and its rounds do something';

/** How sure a loop without a way out can be told from one that is meant to last, by what its rounds do. */
const lastingConfidence = (loop: Loop, text: readonly string[], work: 'builds' | 'binds' | null): Confidence => {
  const constant = /^\(?\s*(True|1)\s*\)?$/.test(loop.text.trim());
  const exit = constant && hasExit(loop.body.map((line) => line.text));
  const depends = exit && exitDependsOnRounds(loop);
  if (exit && work === 'builds' && !depends) return { confidence: 0.45, inferred: LASTS };
  if (exit) return { confidence: 0.92, inferred: null };
  if (work !== null) return { confidence: 0.45, inferred: LASTS };
  const calls = callsIn(text.join('\n'));
  return calls.length === 0 || callsIn(loop.text).length > 0
    ? { confidence: callsIn(loop.text).length > 0 ? 0.85 : 0.92, inferred: null }
    : { confidence: 0.7, inferred: `what ${calls.slice(0, 3).join(', ')} in the loop does besides was not seen` };
};

/** What has no end, by its type (itertools). */
const ENDLESS = /^(endless|itertools\.(count|cycle|repeat))$/;

/** Whether a generator expression or comprehension goes over what has no end: its argument is called `.0` (CPython's symtable.c). */
export const goesOverEndless = ({ frame, loop, returning }: Spin): boolean =>
  loop === null &&
  /<(genexpr|listcomp|setcomp|dictcomp)>$/.test(frame.function) &&
  returning.some((variable) => variable.name === '.0' && ENDLESS.test(variable.type));

/** The finding's confidence from what the loop waits for and what its rounds do. */
export const confidenceOf = (
  place: Place | null,
  spin: Spin,
  moving: readonly Moving[],
  text: readonly string[],
  looked: { readonly complete: boolean; readonly looks: number },
  around: Surroundings,
): Confidence => {
  const loop = place?.loop ?? null;
  if (goesOverEndless(spin)) {
    return { confidence: 0.85, inferred: 'that what it looks for is not among what it goes over' };
  }
  if (loop === null || place === null) {
    return { confidence: 0.45, inferred: 'the loop itself, or its source, could not be found' };
  }
  const sized = (name: string) =>
    place.frame.still.includes(`len(${name})`) || place.frame.moving.some((each) => each.name === `len(${name})`);
  const lasting = loop.kind === 'while' && isMeantToLast(loop.text, text, sized);
  const work = workOf(moving, place);
  const movesData = around.movesData;
  if (movesData !== null && (lasting || work === 'builds' || loop.kind === 'for')) {
    return { confidence: 0.45, inferred: `${movesData} meanwhile, so its rounds may do what they are meant to do` };
  }
  if (loop.kind === 'while' && asksForTime(loop.text)) {
    const others = namesIn(loop.text).filter((name) => !asksForTime(name));
    const waits = others.some((name) => spin.stayed.includes(name)) && /\band\b/.test(loop.text) && work !== 'builds';
    return waits
      ? { confidence: 0.6, inferred: 'the loop also looks at the time, so it ends at its deadline' }
      : { confidence: 0.4, inferred: 'the loop looks at the time, so it may be meant to end at some moment' };
  }
  const base = lasting ? lastingConfidence(loop, text, work) : dataConfidence(loop);
  const limits: Confidence[] = [
    base,
    ...(movesData === null
      ? []
      : [{ confidence: 0.6, inferred: `${movesData} meanwhile, which brought it no nearer its end` }]),
    ...(looked.complete ? [] : [{ confidence: 0.7, inferred: 'not all variables of the frames could be looked at' }]),
    ...(looked.looks >= 20 ? [] : [{ confidence: 0.75, inferred: `it was seen running only ${looked.looks} times` }]),
  ];
  return limits.reduce((least, each) => (each.confidence < least.confidence ? each : least), base);
};

/** A loop that waits for data: sure unless its condition asks something that was not seen. */
const dataConfidence = (loop: Loop): Confidence => {
  const calls = loop.kind === 'for' ? [] : callsIn(loop.text);
  return calls.length > 0
    ? {
        confidence: 0.85,
        inferred: `what ${calls.join(', ')} in the loop's condition depends on besides these variables was not seen`,
      }
    : { confidence: 0.92, inferred: null };
};
