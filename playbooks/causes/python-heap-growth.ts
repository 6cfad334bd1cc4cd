import { defineCause, type FindingDraft, type Look, type Quote, type Verdict } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import type { HeapType } from '../probes/py-heap.ts';
import { pyHeap } from '../probes/py-heap.ts';
import { sample } from '../probes/sample.ts';
import {
  type Grower,
  growersIn,
  isSteady,
  type ProcessGrowth,
  processGrowth,
  type SeenHeap,
  whyCount,
} from '../reading/heap.ts';
import { bytes, code, count, duration, kib } from '../reading/text.ts';
import { crowdOf, goesWith } from './python-heap-growth.clients.ts';
import { keepsMemory, ownersGrowth } from './python-heap-growth.owners.ts';
import { fewOf, fewSureness, MANY_ITEMS, steppersIn } from './python-heap-growth.steps.ts';
import { isBounded, isJob, type Sureness, surenessOf } from './python-heap-growth.sureness.ts';
import {
  adderText,
  endText,
  growerFixes,
  holderText,
  itemsText,
  rateText,
  typeFixes,
} from './python-heap-growth.texts.ts';

/** Growth that matters: 256 KiB a minute are 360 MiB a day. */
const LEAST_BYTES_PER_SECOND = (256 * 1024) / 60;
/** Growth of a type, seen only at two moments, that matters. */
const LEAST_TYPE_BYTES_PER_SECOND = 32 * 1024;
/** What a second container must bring with it to be a finding of its own, as a share of the first. */
const ALSO = 0.2;
const GARBAGE_MOST = 0.1;

const upper = (text: string): string => text.replace(/^./, (letter) => letter.toUpperCase());

/** The type that grew most among those that are not the interpreter's own. */
const grownType = (heap: SeenHeap): HeapType | null => {
  const own = (type: HeapType) =>
    type.name.includes('.') && !/^(collections|functools|weakref|_[a-z]\w*)\./.test(type.name);
  const grown = heap.data.types.filter((type) => (type.grewObjects ?? 0) > 0);
  const most = (types: readonly HeapType[]) =>
    types.toSorted((a, b) => (b.grewBytes ?? 0) - (a.grewBytes ?? 0))[0] ?? null;
  return most(grown.filter(own)) ?? most(grown);
};

const quotesOf = (look: Look, heap: SeenHeap, grower: Grower, growth: ProcessGrowth | null): Quote[] => {
  const { container, uses } = grower;
  const type = grownType(heap);
  const shown = uses.filter((use) => use.kind === 'adds').slice(0, 1);
  const against = uses.filter((use) => use.kind !== 'adds').slice(0, 1);
  const lines = [
    container.at,
    container.sizesAt,
    container.holds?.at,
    ...[...shown, ...against].map((use) => use.at),
    type?.at,
  ];
  return [
    ...lines.flatMap((at) => (at === null || at === undefined ? [] : [look.quote(heap.evidenceId, at)])),
    ...(growth === null ? [] : [look.quote(growth.evidenceId, growth.at)]),
  ].slice(0, 7);
};

const growthText = (growth: ProcessGrowth | null): string => {
  if (growth === null) return '';
  const how = growth.kib > 0 ? `grew by ${kib(growth.kib)}` : 'did not grow';
  return ` The process's own memory ${how} in the ${duration(growth.seconds)} before, to ${kib(growth.residentKib)}.`;
};

/** The memory of its items was seen to grow, but not that it is theirs. */
const ownersSureness = (sure: Sureness, grower: Grower): Sureness => ({
  confidence: Math.min(sure.confidence, keepsMemory(grower) ? 0.85 : 0.65),
  inferred: [
    `that the memory outside of Python's objects which grows meanwhile is that of its items, ${bytes(Math.round(grower.outsideEach ?? 0))} each`,
    ...(sure.inferred === null ? [] : [sure.inferred]),
  ].join('; '),
});

const draftOf = (look: Look, heap: SeenHeap, grower: Grower, growth: ProcessGrowth | null): FindingDraft | null => {
  const surest = surenessOf(look, heap, grower);
  if (surest === null) return null;
  const few = fewOf(grower);
  const counted = few === null ? surest : fewSureness(surest, few);
  const sure = grower.outsideEach === null ? counted : ownersSureness(counted, grower);
  const { container } = grower;
  const [first] = container.sizes;
  const last = container.sizes.at(-1);
  const adder = adderText(grower);
  const holds =
    container.holds === null
      ? ''
      : ` What was added last is ${code(container.holds.text, 120)}, about ${bytes(container.holds.bytesEach)} an item.`;
  const removed = grower.uses.find((use) => use.kind !== 'adds');
  const uses =
    removed === undefined
      ? container.uses === null || adder === null
        ? ''
        : ' No line of its source that removes from it was found.'
      : ` The source also has ${code(`${removed.file}:${removed.line}`)}: ${code(removed.text, 100)}.`;
  return {
    confidence: sure.confidence,
    title: `${upper(holderText(grower))} grows by ${itemsText(grower)}, ${rateText(grower.bytesPerSecond)}${adder === null ? '' : `: ${adder} adds to it`}`,
    summary:
      `In ${duration(grower.seconds)} ${holderText(grower)} went from ${(first?.items ?? 0).toLocaleString('en-US')} to ${count(last?.items ?? 0, 'item')}, ${few === null ? 'in each quarter of that time' : 'one after the other'} and without shrinking.${holds}${uses}` +
      `${growthText(growth)}${endText(look, grower.bytesPerSecond)}${sure.inferred === null ? '' : ` Inferred: ${sure.inferred}.`}`,
    evidence: quotesOf(look, heap, grower, growth),
    fixes: growerFixes(look, grower),
  };
};

/** Whether containers were filled and emptied meanwhile: then what was counted twice are two moments of a cycle of work. */
const oscillates = (heap: SeenHeap): boolean =>
  heap.data.containers.some(({ sizes }) => {
    const items = sizes.map((size) => size.items);
    return Math.max(...items) - Math.min(...items) >= MANY_ITEMS && !isSteady(sizes);
  });

/** Objects that grow, with nothing found that holds them. */
const typeDraft = (look: Look, heap: SeenHeap, growth: ProcessGrowth | null): FindingDraft | null => {
  const { data } = heap;
  if (data.seconds <= 0 || growth === null || !growth.steady || growth.kib < 256) return null;
  if (data.garbage.sampled > 0 && data.garbage.dead / data.garbage.sampled > GARBAGE_MOST) return null;
  if (data.collector.at(-1)?.garbage || oscillates(heap)) return null;
  const type = grownType(heap);
  const total = data.types.reduce((sum, each) => sum + (each.grewBytes ?? 0), 0) / data.seconds;
  if (type === null || total < LEAST_TYPE_BYTES_PER_SECOND || (type.grewObjects ?? 0) < MANY_ITEMS) return null;
  // What was seen of the process in one window has to go on in the next.
  if (total < 0.25 * (growth.kib / growth.seconds) * 1024) return null;
  const kept = type.objects - (type.grewObjects ?? 0);
  const crowded = goesWith(crowdOf(look), kept, (type.grewObjects ?? 0) / data.seconds);
  const most = data.types
    .filter((each) => (each.grewBytes ?? 0) > 0)
    .toSorted((a, b) => (b.grewBytes ?? 0) - (a.grewBytes ?? 0));
  return {
    confidence: isJob(heap) || crowded ? 0.4 : data.estimated ? 0.5 : 0.6,
    title: `Live ${code(type.name)} objects grow by ${Math.round(((type.grewObjects ?? 0) / data.seconds) * 60).toLocaleString('en-US')} a minute, all objects by ${rateText(total)}`,
    summary:
      `Between two counts ${duration(data.seconds)} apart there were ${count(type.grewObjects ?? 0, 'more object')} of type ${code(type.name)} (${type.objects.toLocaleString('en-US')} now).${growthText(growth)}${endText(look, total)} ` +
      'Inferred: that they are kept for good; no list, dict, set or deque that holds them was seen to grow.',
    evidence: [
      ...[type, ...most.filter((each) => each !== type)]
        .slice(0, 3)
        .map((each) => look.quote(heap.evidenceId, each.at)),
      ...data.pools.map((pool) => look.quote(heap.evidenceId, pool.at)),
      look.quote(growth.evidenceId, growth.at),
    ].slice(0, 7),
    fixes: typeFixes(look, type),
  };
};

/** Without a count: whether one is worth its while. */
const uncounted = (look: Look, why: string, open: boolean): Verdict => {
  const growth = processGrowth(look);
  const reason = whyCount(growth);
  if (!open) return { verdict: 'cannot-tell', why };
  if (growth === null) return { verdict: 'cannot-tell', why: 'its memory was not watched', wants: [pyHeap.id] };
  if (reason !== null) {
    return {
      verdict: 'cannot-tell',
      why: `${reason} (${kib(growth.residentKib)} resident); its objects were not counted`,
      wants: [pyHeap.id],
    };
  }
  return {
    verdict: 'clear',
    why: `memory did not grow in ${duration(growth.seconds)} (${kib(growth.residentKib)} resident)`,
  };
};

const judge = (look: Look): Verdict => {
  const who = look.see(identify);
  if (who.seen && who.data.runtime.kind !== 'python') return { verdict: 'clear', why: 'it is no Python process' };
  const heap = look.see(pyHeap);
  if (!heap.seen) return uncounted(look, heap.why, heap.reason === 'not-run' || heap.reason === 'not-needed');
  const { data } = heap;
  if (data.seconds <= 0) return { verdict: 'cannot-tell', why: 'its objects were counted only once' };
  const growth = processGrowth(look);
  const all = growersIn(data);
  const large = all.filter(
    ({ container, bytesPerSecond, itemsPerSecond, seconds }) =>
      bytesPerSecond >= (container.holder?.library === true ? 4 : 1) * LEAST_BYTES_PER_SECOND &&
      itemsPerSecond * seconds >= MANY_ITEMS,
  );
  const owner = ownersGrowth(heap, all, growth);
  const growing = owner !== null ? [owner] : large.length > 0 ? large : steppersIn(look, heap);
  // What has a bound warms up; it must not hide what grows beside it.
  const matter = growing.filter((grower) => !isBounded(look, grower));
  const top = matter[0]?.bytesPerSecond ?? 0;
  const drafts = matter
    .filter((grower) => grower.bytesPerSecond >= ALSO * top)
    .flatMap((grower) => draftOf(look, heap, grower, growth) ?? [])
    .toSorted((a, b) => b.confidence - a.confidence)
    .slice(0, 2);
  if (drafts.length > 0) return { verdict: 'fires', findings: drafts };
  const types = growing.length > 0 ? null : typeDraft(look, heap, growth);
  if (types !== null) return { verdict: 'fires', findings: [types] };
  const [bounded] = growing.filter((grower) => isBounded(look, grower));
  if (bounded !== undefined) {
    const { bound, items } = bounded.container;
    return {
      verdict: 'clear',
      why: `${holderText(bounded)} grows, and has a bound: ${items.toLocaleString('en-US')} of at most ${count(bound ?? 0, 'item')}`,
    };
  }
  const objects = data.types.reduce((sum, type) => sum + (type.grewObjects ?? 0), 0);
  return {
    verdict: 'clear',
    why: `of ${count(data.objects, 'object')} none grew all the time at a rate that matters (${objects >= 0 ? '+' : ''}${objects.toLocaleString('en-US')} in ${duration(data.seconds)})`,
  };
};

/** Live Python objects that a program collects without an end: by type, by what holds them, by the line that adds them. */
export const pythonHeapGrowth = defineCause({
  id: 'python-heap-growth',
  title: 'Live Python objects grow without an end',
  needs: [identify, sample],
  explains: ['oom-killed', 'swap-thrash'],
  judge,
});
