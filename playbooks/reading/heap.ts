import type { Look, Observation } from '../model/index.ts';
import { memory } from '../probes/memory.ts';
import type { HeapContainer, PyHeapData, SourceUse } from '../probes/py-heap.ts';
import { sample } from '../probes/sample.ts';
import { growthOf } from './memory.ts';
import { lastReading } from './memory-division.ts';

export type SeenHeap = Extract<Observation<PyHeapData>, { seen: true }>;

/** A container, or several of one name, that grew over the whole look at the heap. */
export interface Grower {
  readonly container: HeapContainer;
  readonly itemsPerSecond: number;
  /** With what only the items refer to, and their place in the container's table. */
  readonly bytesPerSecond: number;
  readonly seconds: number;
  readonly uses: readonly SourceUse[];
  /** Bytes of the process's memory, outside of Python's objects, that an item is taken to own; null where none is. */
  readonly outsideEach: number | null;
}

/** Shares of a look in each of which a container must have grown. */
const PARTS = 4;
/** How much of its growth it may give back in between. */
const FALL_MOST = 0.15;
/** A place in a list, and more than that in a dict or a set: what an item takes at least. */
const PLACE_BYTES = 8;

/** Items at a moment, on the straight line between the looks before and after it. */
const sizeAt = (sizes: HeapContainer['sizes'], seconds: number): number => {
  const after = sizes.find((size) => size.seconds >= seconds) ?? sizes.at(-1);
  const before = sizes.findLast((size) => size.seconds <= seconds) ?? sizes[0];
  if (before === undefined || after === undefined) return 0;
  const span = after.seconds - before.seconds;
  return span <= 0 ? before.items : before.items + ((seconds - before.seconds) / span) * (after.items - before.items);
};

/** Whether a container grew in each part of the look, without giving much back. */
export const isSteady = (sizes: HeapContainer['sizes']): boolean => {
  const first = sizes[0];
  const last = sizes.at(-1);
  if (first === undefined || last === undefined || sizes.length < 4 || last.seconds <= 0.4) return false;
  const grown = last.items - first.items;
  const falls = sizes.slice(1).reduce((sum, size, at) => sum + Math.max(0, (sizes[at]?.items ?? 0) - size.items), 0);
  if (grown <= 0 || falls > FALL_MOST * grown) return false;
  const borders = Array.from({ length: PARTS + 1 }, (_, part) => sizeAt(sizes, (part / PARTS) * last.seconds));
  return borders.slice(1).every((size, part) => size > (borders[part] ?? 0));
};

/** What one more item takes: its place, or all that only it refers to. */
export const placeBytes = (container: HeapContainer): number => Math.max(container.holds?.bytesEach ?? 0, PLACE_BYTES);

/** How it grew, or null when it did not grow all the time. */
export const growerOf = (container: HeapContainer): Grower | null => {
  const first = container.sizes[0];
  const last = container.sizes.at(-1);
  if (first === undefined || last === undefined || !isSteady(container.sizes)) return null;
  const itemsPerSecond = (last.items - first.items) / last.seconds;
  return {
    container,
    itemsPerSecond,
    bytesPerSecond: itemsPerSecond * placeBytes(container),
    seconds: last.seconds,
    uses: container.uses ?? [],
    outsideEach: null,
  };
};

/** The containers that grew all the time, the one that brings most memory with it first. */
export const growersIn = (data: PyHeapData): Grower[] =>
  data.containers.flatMap((container) => growerOf(container) ?? []).sort((a, b) => b.bytesPerSecond - a.bytesPerSecond);

/** What has no memory apart from its own, or only such as is counted with it. */
const OWNS_NOTHING =
  /^(?:int|float|complex|bool|str|bytes|NoneType|datetime\.\w+|ctypes\.\w+|LP_\w+|\w*c_\w+|\d+|and|others|more)$/;

/** Whether what a container holds may own memory that is no Python object: a mapping, an image, a connection. */
export const ownsMemory = (grower: Grower): boolean =>
  (grower.container.holds?.text ?? '').split(/[^\w.]+/).some((word) => word !== '' && !OWNS_NOTHING.test(word));

/** Growth of the process's memory before its heap was counted. */
export interface ProcessGrowth {
  readonly kib: number;
  readonly seconds: number;
  readonly residentKib: number;
  readonly steady: boolean;
  readonly evidenceId: string;
  readonly at: number;
}

/** From the mappings where they were read twice, else from the samples; null when neither was. */
export const processGrowth = (look: Look): ProcessGrowth | null => {
  const mapped = look.see(memory);
  const growth = mapped.seen ? growthOf(mapped.data) : null;
  if (mapped.seen && growth !== null) {
    const { residentKib, at } = lastReading(mapped.data).counters;
    const steady = growth.quarters >= 3 && growth.fall < 0.3 * growth.kib;
    return { kib: growth.kib, seconds: growth.seconds, residentKib, steady, evidenceId: mapped.evidenceId, at };
  }
  const sampled = look.see(sample);
  if (!sampled.seen || sampled.data.seconds < 0.4) return null;
  const { first, last, max, at } = sampled.data.process.rssKib;
  const steady = last > first && max - last < 0.3 * (last - first);
  const { seconds } = sampled.data;
  return { kib: last - first, seconds, residentKib: last, steady, evidenceId: sampled.evidenceId, at };
};

/** Resident memory from which on a heap is worth counting even if it does not grow, in KiB. */
const LARGE_KIB = 1024 * 1024;
/** Growth over a window of a few seconds that is worth a count, in KiB. */
const GROWTH_KIB = 24;

/** Why the heap should be counted; null when memory neither grows nor is large. */
export const whyCount = (growth: ProcessGrowth | null): string | null => {
  if (growth === null) return null;
  if (growth.kib >= GROWTH_KIB) return 'its memory grew';
  return growth.residentKib >= LARGE_KIB ? 'its memory is large' : null;
};

/** Seconds until memory runs out at a rate, and which limit that is; null when no limit is known. */
export const untilFull = (
  look: Look,
  bytesPerSecond: number,
): { readonly seconds: number; readonly limit: string } | null => {
  const seen = look.see(memory);
  if (!seen.seen || bytesPerSecond <= 0) return null;
  const { group, hostMemory } = lastReading(seen.data);
  const ways = [
    ...(group?.limitBytes == null || group.usedBytes === null
      ? []
      : [{ left: group.limitBytes - group.usedBytes, limit: 'the limit of its control group' }]),
    ...(hostMemory?.availableKib == null ? [] : [{ left: hostMemory.availableKib * 1024, limit: 'the host’s memory' }]),
  ];
  const [next] = ways.filter(({ left }) => left > 0).sort((a, b) => a.left - b.left);
  return next === undefined ? null : { seconds: next.left / bytesPerSecond, limit: next.limit };
};
