import type { FindingDraft, Fix, Look } from '../model/index.ts';
import type { CollectorState } from '../probes/py-heap.ts';
import { type ProcessGrowth, processGrowth, type SeenHeap } from '../reading/heap.ts';
import { code, count, duration, kib, shellQuote } from '../reading/text.ts';

/** What gc.garbage keeps, and why. */

/** By how much the process grew while its objects were counted, as a sentence; empty when that is not known. */
export const growthText = (growth: ProcessGrowth | null): string =>
  growth === null
    ? ''
    : ` The process's memory ${growth.kib > 0 ? `grew by ${kib(growth.kib)}` : 'did not grow'} in the ${duration(growth.seconds)} before, to ${kib(growth.residentKib)}.`;

type Why = 'del' | 'saved' | 'unknown';

const REASONS: Readonly<Record<Why, string>> = {
  del: 'Python 2 does not free objects in cycles whose class has a __del__ method: it moves them to gc.garbage and keeps them',
  saved:
    'The collector has met no object that it cannot free, and moves what it finds to gc.garbage all the same: gc.set_debug() has told it to with DEBUG_SAVEALL, which DEBUG_LEAK contains',
  unknown: 'what the collector cannot free, or is told to keep by gc.set_debug(), stays in gc.garbage',
};

const undebug = (look: Look, heap: SeenHeap): Fix => {
  const file = heap.data.frames.at(-1)?.file ?? '';
  const folder = file.includes('/') ? file.slice(0, file.lastIndexOf('/')) || '/' : '.';
  return {
    title: 'Take the debugging of the collector out: it keeps all garbage for you to look at',
    detail: `${code('gc.set_debug(gc.DEBUG_SAVEALL)')} and ${code('gc.DEBUG_LEAK')} are for a look at cycles, and a leak by themselves. Find where they are set, and set ${code('gc.set_debug(0)')}; what is in ${code('gc.garbage')} of process ${look.target.pid} goes when it is restarted.`,
    code: `grep -rnE 'set_debug|DEBUG_(SAVEALL|LEAK)' ${shellQuote(folder)} --include='*.py'`,
  };
};

const fixesOf = (look: Look, heap: SeenHeap, why: Why, held: string | null): Fix[] => {
  const objects = held === null ? '' : `The objects are ${code(held, 100)}.`;
  const empty: Fix = {
    title: 'Until then: empty it now and then, and restart the process',
    detail: 'To clear the list alone frees nothing: the cycles have to be broken first.',
    code: 'import gc\n\nfor each in gc.garbage:\n    each.__dict__.clear()   # breaks the cycles\ndel gc.garbage[:]',
  };
  if (why === 'saved') return [undebug(look, heap)];
  return [
    {
      title: 'Remove __del__ from the classes in the cycle, or break the cycle',
      detail: `Cleaning up belongs into a method that is called, a ${code('with')} block or a weak reference’s callback. ${objects}`,
      code: 'import weakref\n\nclass Child(object):\n    def __init__(self, parent):\n        self._parent = weakref.ref(parent)   # no cycle\n\n    def close(self):                         # instead of __del__\n        ...',
    },
    empty,
  ];
};

/**
 * Python 2 does not free cycles with `__del__` in them: it keeps them in gc.garbage (gc module, Garbage collection in 2.7).
 * From 3.4 on it frees these too (PEP 442), so that with none counted as uncollectable only gc.set_debug() fills the list.
 */
export const keptDraft = (look: Look, heap: SeenHeap, state: CollectorState, before: number): FindingDraft => {
  const list = heap.data.containers.find((each) => each.holder?.path === 'gc.garbage');
  const growth = processGrowth(look);
  const grew = state.garbage - before;
  const held = list?.holds?.text ?? null;
  const old = heap.data.version.startsWith('2.');
  const why = old ? 'del' : state.uncollectable === 0 && grew > 0 ? 'saved' : 'unknown';
  const things = why === 'saved' ? 'object' : 'uncollectable object';
  return {
    confidence: why === 'unknown' ? 0.85 : 0.93,
    title: `gc.garbage keeps ${count(state.garbage, things)}${grew > 0 ? `, ${grew.toLocaleString('en-US')} more in ${duration(heap.data.seconds)}` : ''}`,
    summary: `${REASONS[why]}. There are ${state.garbage.toLocaleString('en-US')} in it${held === null ? '' : `; those added last: ${code(held, 120)}`}.${growthText(growth)}`,
    evidence: [
      look.quote(heap.evidenceId, state.at),
      ...[...new Set(heap.data.collector.map((each) => each.at))]
        .filter((at) => at !== state.at)
        .map((at) => look.quote(heap.evidenceId, at)),
      ...(list === undefined
        ? []
        : [list.at, ...(list.holds === null ? [] : [list.holds.at])].map((at) => look.quote(heap.evidenceId, at))),
      ...(growth === null ? [] : [look.quote(growth.evidenceId, growth.at)]),
    ].slice(0, 7),
    fixes: fixesOf(look, heap, why, held),
  };
};
