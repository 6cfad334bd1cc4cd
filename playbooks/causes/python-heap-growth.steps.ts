import type { Look } from '../model/index.ts';
import { memory } from '../probes/memory.ts';
import type { HeapContainer } from '../probes/py-heap.ts';
import { type Grower, placeBytes, type SeenHeap } from '../reading/heap.ts';
import { type Growth, growthOf } from '../reading/memory.ts';
import { lastReading } from '../reading/memory-division.ts';
import type { Sureness } from './python-heap-growth.sureness.ts';

/** Containers to which few large items are added: too few in a look for a rate, and yet all of what the process grows by. */

/** Items from which on a container grew often enough for its rate to be known. */
export const MANY_ITEMS = 20;
/** Growth of the process over the window, and of the container over the look at the heap, that is worth a word. */
const LEAST_PROCESS_KIB = 256;
const LEAST_BYTES = 64 * 1024;
/** Share of its growth that the process may give back in between. */
const FALL_MOST = 0.3;
/** Share of the process's rate from which on the container's explains it: what its items refer to is not followed to the end. */
const SHARE_LEAST = 0.1;
/** What a container had before, as a multiple of what came: it did not only begin just now. */
const BEFORE = 2;
/** Items that a container has to have for one more to mean something. */
const ITEMS_LEAST = 5;

/** By how many items it grew without ever shrinking; 0 when it did not, or took many at once. */
const stepsOf = ({ sizes }: HeapContainer): number => {
  const first = sizes[0];
  const last = sizes.at(-1);
  if (first === undefined || last === undefined || sizes.length < 4 || last.seconds <= 0.4) return 0;
  if (sizes.slice(1).some((size, at) => size.items < (sizes[at]?.items ?? 0))) return 0;
  return last.items - first.items;
};

const fits = (look: Look, container: HeapContainer, growth: Growth): boolean => {
  const grown = stepsOf(container);
  const before = container.sizes[0]?.items ?? 0;
  const each = container.holds?.bytesEach ?? 0;
  const seconds = container.sizes.at(-1)?.seconds ?? 0;
  if (grown < 1 || grown >= MANY_ITEMS || container.holder === null || before < BEFORE * grown) return false;
  if (grown * each < LEAST_BYTES) return false;
  const rate = growth.kib / growth.seconds;
  if (grown >= 2 && (grown * each) / 1024 / seconds >= SHARE_LEAST * rate) return true;
  // What its items refer to was not followed so far: so many of what the process grew by have to be what it is made of.
  const seen = look.see(memory);
  const own = seen.seen ? lastReading(seen.data).counters.anonymousKib : null;
  const came = grown === 1 ? 1 : (grown / seconds) * growth.seconds;
  const all = container.items * Math.max(growth.kib / came, each / 1024);
  return before >= ITEMS_LEAST && own !== null && all >= own * 0.5 && all <= own * 3;
};

/** The containers that took few large items, as they have before, while the process grew; most memory first. */
export const steppersIn = (look: Look, heap: SeenHeap): Grower[] => {
  const seen = look.see(memory);
  const growth = seen.seen ? growthOf(seen.data) : null;
  if (growth === null || growth.kib < LEAST_PROCESS_KIB || growth.fall > FALL_MOST * growth.kib) return [];
  return heap.data.containers
    .filter((container) => container.holder?.library !== true && fits(look, container, growth))
    .map((container): Grower => {
      const seconds = container.sizes.at(-1)?.seconds ?? 1;
      const itemsPerSecond = stepsOf(container) / seconds;
      const own = itemsPerSecond * placeBytes(container);
      const process = (growth.kib * 1024) / growth.seconds;
      const bytesPerSecond = own < SHARE_LEAST * process ? process : own;
      return { container, itemsPerSecond, bytesPerSecond, seconds, uses: container.uses ?? [], outsideEach: null };
    })
    .toSorted((a, b) => b.bytesPerSecond - a.bytesPerSecond);
};

/** Items that came in the look at the heap, of a container that takes few; null for one that takes many. */
export const fewOf = (grower: Grower): number | null => {
  const grown = Math.round(grower.itemsPerSecond * grower.seconds);
  return grown < MANY_ITEMS ? grown : null;
};

/** What few items say is less sure than what many do. */
export const fewSureness = (sure: Sureness, few: number): Sureness => ({
  confidence: Math.min(sure.confidence, few >= 5 ? 0.85 : few >= 2 ? 0.75 : 0.6),
  inferred: [
    few === 1
      ? 'that it goes on: one item came while it was looked at'
      : 'that it goes on: few items came while it was looked at',
    ...(sure.inferred === null ? [] : [sure.inferred]),
  ].join('; '),
});
