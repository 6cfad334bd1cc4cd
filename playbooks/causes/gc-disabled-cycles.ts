import { defineCause, type FindingDraft, type Fix, type Look, type Quote, type Verdict } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { type CollectorState, pyHeap } from '../probes/py-heap.ts';
import { sample } from '../probes/sample.ts';
import { growersIn, type ProcessGrowth, processGrowth, type SeenHeap, whyCount } from '../reading/heap.ts';
import { code, count, duration, percent } from '../reading/text.ts';
import { growthText, keptDraft } from './gc-disabled-cycles.kept.ts';

/** Garbage among the sampled objects from which on it is no chance find. */
const DEAD_LEAST = 5;
/** Unreachable objects, at least so many by the sample, from which on they pile up, and are too many to be waiting for their turn. */
const PILED = 2000;
const MANY = 50_000;
/** A young generation that is so many times its threshold is not collected. */
const BEYOND = 10;
/** First thresholds beyond this let tens of thousands of objects pile up between two collections; the default is 700 to 10,000. */
const HUGE = 50_000;
const GARBAGE_LIST = 100;
/** The first threshold of Python to 3.12; 2,000 from 3.13 on. */
const USUAL = 700;

const isOff = (state: CollectorState): boolean => !state.enabled || state.thresholds[0] === 0;

/** Why the collector does not collect; null when it does. */
const stalled = (state: CollectorState): string | null => {
  const [threshold = 0] = state.thresholds;
  if (!state.enabled) return 'automatic garbage collection is disabled';
  if (threshold === 0) return 'the first threshold is 0, which disables automatic collection';
  if (threshold > HUGE) return `the first threshold is ${threshold.toLocaleString('en-US')}`;
  if (state.frozen > 0) return 'gc.freeze() has put objects out of reach of collection';
  return null;
};

interface Pile {
  readonly heap: SeenHeap;
  readonly first: CollectorState;
  readonly last: CollectorState;
  /** Objects that are garbage, at least, as far as the sample tells. */
  readonly dead: number;
  readonly share: number;
  /** Objects that came to the young generation between the two looks. */
  readonly younger: number;
}

const pileOf = (heap: SeenHeap): Pile | null => {
  const { garbage, collector } = heap.data;
  const [first] = collector;
  const last = collector.at(-1);
  if (first === undefined || last === undefined) return null;
  const share = garbage.sampled === 0 ? 0 : garbage.dead / garbage.sampled;
  const dead = Math.round(share * garbage.collected);
  return { heap, first, last, dead, share, younger: (last.counts[0] ?? 0) - (first.counts[0] ?? 0) };
};

const quotesOf = (look: Look, pile: Pile, growth: ProcessGrowth | null): Quote[] => {
  const { heap, first, last } = pile;
  const { garbage, settings } = heap.data;
  const lines = [first.at, ...(last.at === first.at ? [] : [last.at]), garbage.at, garbage.cycle?.at, settings[0]?.at];
  return [
    ...lines.flatMap((at) => (at === undefined ? [] : [look.quote(heap.evidenceId, at)])),
    ...(growth === null ? [] : [look.quote(growth.evidenceId, growth.at)]),
  ].slice(0, 7);
};

/** The types that the garbage is made of, the program's own first. */
const typesOf = (pile: Pile): string[] => {
  const names = pile.heap.data.garbage.types.map((type) => type.name);
  return [...names.filter((name) => name.includes('.')), ...names.filter((name) => !name.includes('.'))];
};

const fixesOf = (look: Look, pile: Pile): Fix[] => {
  const [setting] = pile.heap.data.settings;
  const [type] = typesOf(pile);
  const where =
    setting === undefined
      ? ''
      : ` It is set in ${code(setting.function)} (${code(`${setting.file}:${setting.line}`)}): ${code(setting.text, 100)}.`;
  const plain = type?.split('.').at(-1)?.replace(/[^\w]/g, '') ?? 'Node';
  return [
    {
      title: 'Let the collector run',
      detail: `Reference counting never frees objects that refer to each other; only the collector does.${where} If its pauses were the reason, raise the thresholds moderately or collect between requests instead.`,
      code: 'import gc\n\ngc.enable()\ngc.set_threshold(10_000, 20, 20)   # fewer, larger collections; 0 would disable them\n# or, where pauses matter: gc.collect() between requests, every few thousand of them',
    },
    {
      title: `Break the cycle${type === undefined ? '' : ` of ${code(type)}`}`,
      detail:
        'A reference back (to a parent, an owner, a callback’s object) that is weak makes no cycle, and the objects are freed at once.',
      code: `import weakref\n\nclass ${plain}:\n    def __init__(self, parent):\n        self._parent = weakref.ref(parent)   # self._parent() gives it, or None`,
    },
    {
      title: 'Verify',
      detail: `After the change look again with the playbook ${code('memory')}: the sample must hold no garbage to speak of, and the first of the counts must fall back below its threshold again and again. Memory that was freed may stay with the process; process ${look.target.pid} gets rid of it when it is restarted.`,
      code: `straceback diagnose ${look.target.host} ${look.target.pid} --playbook memory`,
    },
  ];
};

const draftOf = (look: Look, pile: Pile, why: string, confidence: number, inferred: string): FindingDraft => {
  const { heap, last, younger } = pile;
  const { garbage } = heap.data;
  const growth = processGrowth(look);
  const [threshold = 0] = last.thresholds;
  const made = last.counts[0] ?? 0;
  const types = typesOf(pile).slice(0, 3);
  const [setting] = heap.data.settings;
  const set = setting === undefined ? '' : ` (${code(`${setting.file}:${setting.line}`)})`;
  const faster =
    younger > 0 ? `, ${younger.toLocaleString('en-US')} more than ${duration(heap.data.seconds)} before` : '';
  return {
    confidence,
    title: `Cyclic garbage piles up: at least ${pile.dead.toLocaleString('en-US')} unreachable objects${types.length === 0 ? '' : ` (${types.map((type) => code(type, 60)).join(', ')})`}, for ${why}${set}`,
    summary:
      `Of ${garbage.sampled} objects sampled at random, ${garbage.dead} (${percent(pile.share)}) are garbage for sure: all references to them are from members of the same group, so nothing can reach them any more. ` +
      `That makes at least ${count(pile.dead, 'object')} of the ${garbage.collected.toLocaleString('en-US')} that the collector looks after. ${why.charAt(0).toUpperCase()}${why.slice(1)}: the young generation has ${made.toLocaleString('en-US')} new objects (threshold ${threshold.toLocaleString('en-US')})${faster}.` +
      `${growthText(growth)}${inferred === '' ? '' : ` Inferred: ${inferred}.`}`,
    evidence: quotesOf(look, pile, growth),
    fixes: fixesOf(look, pile),
  };
};

/** Objects pile up with the collector off, and nothing that holds them grows; that they are garbage was not proven. */
const unprovenDraft = (look: Look, pile: Pile, why: string): FindingDraft => {
  const { heap, last, younger } = pile;
  const grown = heap.data.types
    .filter((type) => (type.grewObjects ?? 0) > 0)
    .toSorted((a, b) => (b.grewBytes ?? 0) - (a.grewBytes ?? 0))
    .slice(0, 3);
  const growth = processGrowth(look);
  return {
    confidence: 0.6,
    title: `Objects pile up while ${why}: ${younger.toLocaleString('en-US')} more in ${duration(heap.data.seconds)}${grown.length === 0 ? '' : ` (${grown.map((type) => code(type.name, 60)).join(', ')})`}`,
    summary:
      `The young generation has ${(last.counts[0] ?? 0).toLocaleString('en-US')} new objects, ${younger.toLocaleString('en-US')} more than ${duration(heap.data.seconds)} before, and no list, dict, set or deque that holds them was seen to grow.${growthText(growth)} ` +
      'Inferred: that they are garbage in cycles that could not be followed, such as those of exceptions with their tracebacks and frames.',
    evidence: [
      ...quotesOf(look, pile, growth).slice(0, 4),
      ...grown.map((type) => look.quote(heap.evidenceId, type.at)),
    ].slice(0, 7),
    fixes: fixesOf(look, pile),
  };
};

const judge = (look: Look): Verdict => {
  const who = look.see(identify);
  if (who.seen && who.data.runtime.kind !== 'python') return { verdict: 'clear', why: 'it is no Python process' };
  const heap = look.see(pyHeap);
  if (!heap.seen) {
    if (heap.reason !== 'not-run' && heap.reason !== 'not-needed') return { verdict: 'cannot-tell', why: heap.why };
    const growth = processGrowth(look);
    const reason = whyCount(growth);
    if (growth === null || reason !== null) {
      return {
        verdict: 'cannot-tell',
        why: `${reason ?? 'its memory was not watched'}, and the garbage collector was not looked at`,
        wants: [pyHeap.id],
      };
    }
    return { verdict: 'clear', why: `memory did not grow in ${duration(growth.seconds)}, so nothing piles up` };
  }
  const pile = pileOf(heap);
  if (pile === null) return { verdict: 'cannot-tell', why: 'the state of the garbage collector could not be read' };
  const { garbage } = heap.data;
  const { first, last } = pile;
  const kept = last.garbage - first.garbage;
  if (last.garbage >= GARBAGE_LIST || (kept > 0 && last.garbage >= 10)) {
    return { verdict: 'fires', findings: [keptDraft(look, heap, last, first.garbage)] };
  }
  const why = stalled(last) ?? stalled(first);
  const found = garbage.dead >= DEAD_LEAST && pile.dead >= PILED;
  if (why === null) {
    return {
      verdict: 'clear',
      why: found
        ? `some ${pile.dead.toLocaleString('en-US')} objects are garbage, but the collector is enabled and will come to them`
        : 'the garbage collector is enabled, and the sampled objects are in use',
    };
  }
  if (garbage.sampled < 30)
    return { verdict: 'cannot-tell', why: 'too few objects could be sampled to look for garbage' };
  const growth = processGrowth(look);
  const unheld = growth?.steady === true && growersIn(heap.data).length === 0;
  if (!found && unheld && isOff(last) && pile.younger > PILED && (last.counts[0] ?? 0) > BEYOND * USUAL) {
    return { verdict: 'fires', findings: [unprovenDraft(look, pile, why)] };
  }
  if (!found) {
    return {
      verdict: 'clear',
      why: `${why}, but of ${garbage.sampled} sampled objects ${garbage.dead === 0 ? 'none is' : `only ${garbage.dead} are`} garbage`,
    };
  }
  const [threshold = 0] = last.thresholds;
  const beyond = (last.counts[0] ?? 0) > BEYOND * Math.max(threshold, USUAL);
  if (isOff(last) || beyond) {
    if (pile.younger > 0) return { verdict: 'fires', findings: [draftOf(look, pile, why, 0.93, '')] };
    if (pile.dead >= MANY) {
      return {
        verdict: 'fires',
        findings: [draftOf(look, pile, why, 0.85, 'that more of it will come: none came while it was looked at')],
      };
    }
    return {
      verdict: 'fires',
      findings: [draftOf(look, pile, why, 0.45, 'that more of it will come: none came while it was looked at')],
    };
  }
  const rising = pile.younger > 0 || pile.dead >= MANY;
  return {
    verdict: 'fires',
    findings: [
      draftOf(look, pile, why, rising ? 0.7 : 0.4, 'that it is collected too seldom: the next collection may free it'),
    ],
  };
};

/** Objects that refer to each other and to which nothing else refers pile up, for the collector does not run or may not free them. */
export const gcDisabledCycles = defineCause({
  id: 'gc-disabled-cycles',
  title: 'Cyclic garbage piles up',
  needs: [identify, sample],
  explains: ['python-heap-growth', 'oom-killed', 'swap-thrash', 'native-memory-growth'],
  judge,
});
