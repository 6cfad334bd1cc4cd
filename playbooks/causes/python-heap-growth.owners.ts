import type { HeapType } from '../probes/py-heap.ts';
import { type Grower, ownsMemory, type ProcessGrowth, type SeenHeap } from '../reading/heap.ts';

/** Less growth of the process than this, in KiB, may be anything: heaps are laid out in steps. */
const LEAST_KIB = 384;
/** Share of the process's growth that Python's objects may account for at most. */
const PYTHON_MOST = 0.3;
const LEAST_ITEMS = 20;
/** What an item must come to for its memory to be worth a mapping or a buffer of its own, in bytes. */
const LEAST_EACH = 1024;
/** Types that have no other use than to keep memory. */
const KEEPS = /mmap|Memory|ndarray|array|[Bb]uffer|Image|Tensor/;

const grewBytes = (types: readonly HeapType[]): number =>
  types.reduce((sum, type) => sum + Math.max(0, type.grewBytes ?? 0), 0);

/**
 * Growth of the process's memory that no Python object accounts for, as the growth of the container whose items may each
 * own some of it (mappings, shared memory, buffers of a library); null where there is none. `outsideEach` is what an item
 * then comes to.
 */
export const ownersGrowth = (
  heap: SeenHeap,
  growers: readonly Grower[],
  growth: ProcessGrowth | null,
): Grower | null => {
  if (growth === null || !growth.steady || growth.kib < LEAST_KIB) return null;
  const rate = (growth.kib * 1024) / growth.seconds;
  const objects = Math.max(
    grewBytes(heap.data.types) / heap.data.seconds,
    growers.reduce((sum, grower) => sum + grower.bytesPerSecond, 0),
  );
  if (objects >= PYTHON_MOST * rate) return null;
  const [owner] = growers
    .filter(
      (grower) =>
        ownsMemory(grower) &&
        grower.container.holder?.library !== true &&
        grower.itemsPerSecond * grower.seconds >= LEAST_ITEMS &&
        rate / grower.itemsPerSecond >= LEAST_EACH,
    )
    .toSorted((a, b) => Number(keepsMemory(b)) - Number(keepsMemory(a)) || b.itemsPerSecond - a.itemsPerSecond);
  return owner === undefined ? null : { ...owner, bytesPerSecond: rate, outsideEach: rate / owner.itemsPerSecond };
};

/** Whether its items are of a type that is there to keep memory: a mapping, an array, an image. */
export const keepsMemory = (grower: Grower): boolean => KEEPS.test(grower.container.holds?.text ?? '');
