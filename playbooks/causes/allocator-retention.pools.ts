import type { FindingDraft, Look } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { memory } from '../probes/memory.ts';
import { pyHeap } from '../probes/py-heap.ts';
import { type MemoryView, processCpu } from '../reading/memory.ts';
import { lastReading } from '../reading/memory-division.ts';
import { bytes, kib, percent } from '../reading/text.ts';

/** Less than this, in KiB, is nobody's trouble: libraries and a few requests leave as much behind. */
export const LEAST_KIB = 48 * 1024;
/** Share of resident memory from which on what is kept is what the memory is. */
export const LEAST_SHARE = 0.4;
const BUSY = 0.5;

/** Whether so much of a Python's memory is in mappings, and it does so little, that its pools are worth a count. */
export const uncountedPools = (look: Look, view: MemoryView): boolean => {
  const who = look.see(identify);
  const heap = look.see(pyHeap);
  const { kinds, counters } = lastReading(view.memory.data);
  const mapped = kinds?.anonymous.residentKib ?? 0;
  const open = !heap.seen && (heap.reason === 'not-run' || heap.reason === 'not-needed');
  const isPython = who.seen && who.data.runtime.kind === 'python';
  const rests = (processCpu(look) ?? 1) < BUSY;
  return open && isPython && rests && mapped >= 2 * LEAST_KIB && mapped >= counters.residentKib * 0.5;
};

/**
 * The same fault one floor higher: Python's own allocator keeps arenas in which few blocks are in use
 * (Objects/obmalloc.c: an arena goes back only when all of its pools are empty). Null when it keeps little, or was not seen.
 */
export const pymallocDraft = (look: Look, view: MemoryView): FindingDraft | null => {
  const heap = look.see(pyHeap);
  const seen = look.see(memory);
  const first = heap.seen ? heap.data.pools[0] : undefined;
  const last = heap.seen ? heap.data.pools.at(-1) : undefined;
  if (!heap.seen || !seen.seen || view.python === null || first === undefined || last === undefined) return null;
  const { counters } = lastReading(view.memory.data);
  const { freeKib, smallKib } = view.python;
  const share = freeKib / counters.residentKib;
  if (freeKib < LEAST_KIB || share < LEAST_SHARE) return null;
  const cpu = processCpu(look);
  const moved = Math.abs(last.usedBytes - first.usedBytes) > last.freeBytes * 0.05;
  const steady = first !== last && !moved && cpu !== null && cpu < BUSY;
  return {
    confidence: steady ? 0.92 : 0.45,
    title: `Python's allocator keeps ${kib(freeKib)} that the program has freed: ${percent(Math.min(1, share))} of its ${kib(counters.residentKib)} resident`,
    summary:
      `${view.text}. In pymalloc's pools ${bytes(last.usedBytes)} are in use and ${kib(freeKib)} are free. ` +
      `An arena goes back to the system only when nothing in it is in use, and the ${kib(smallKib)} that are left after the load lie scattered over all of them. ` +
      (steady
        ? 'Between two counts next to nothing of it was used.'
        : 'The process was at work and may be using it in turns: look again when it rests after a load.'),
    evidence: [...new Set([first.at, last.at])]
      .map((at) => look.quote(heap.evidenceId, at))
      .concat([look.quote(view.memory.evidenceId, counters.at)])
      .concat(
        lastReading(seen.data).kinds === null
          ? []
          : [look.quote(view.memory.evidenceId, lastReading(seen.data).kinds?.anonymous.at ?? counters.at)],
      ),
    fixes: [
      {
        title: 'Do the load in a process of its own that ends',
        detail:
          'All of it goes back when a process ends: run large jobs in a worker that is replaced, and keep the service small.',
        code: 'from concurrent.futures import ProcessPoolExecutor\n\n# max_tasks_per_child: Python 3.11 and later; multiprocessing.Pool(maxtasksperchild=1) before\nwith ProcessPoolExecutor(1, max_tasks_per_child=1) as pool:\n    result = pool.submit(load, path).result()',
      },
      {
        title: 'Or lower the peak: stream instead of building all objects at once',
        detail:
          'Generators, batches and slots keep the number of live small objects low at any moment; what is kept for long is best made before or after the load, not in the midst of it.',
      },
      {
        title: 'Verify in the next process after the same load',
        detail: 'The playbook `memory` shows how much is free in pymalloc.',
        code: `grep -E 'VmHWM|VmRSS' /proc/${look.target.pid}/status`,
      },
    ],
  };
};
