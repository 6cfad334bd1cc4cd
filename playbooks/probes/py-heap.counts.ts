import { unquote } from '../reading/quoted-names.ts';
import {
  COLLECTOR,
  CONTAINERS,
  CYCLE,
  collectorOf,
  GARBAGE,
  GARBAGE_TYPE,
  type LineReader,
  NOTE,
  orNull,
  POOLS,
  TYPE,
  TYPES,
} from './py-heap.lines.ts';
import type { PyHeapData } from './py-heap.ts';

/** Readers of what is counted over the whole heap, each for one kind of line. They fill `data`, and `partly` with what was left out. */
export const countReaders = (data: PyHeapData, partly: string[]): readonly LineReader[] => {
  const done = (_: unknown): boolean => true;
  return [
    [NOTE, ([, note = '']) => done(partly.push(unquote(note)))],
    [
      POOLS,
      ([, , , blocks, used, free, , other], at) =>
        done(
          data.pools.push({
            blocks: Number(blocks),
            usedBytes: Number(used),
            freeBytes: Number(free),
            otherBytes: Number(other),
            at,
          }),
        ),
    ],
    [COLLECTOR, (match, at) => done(data.collector.push(collectorOf(match, at)))],
    [
      GARBAGE,
      ([, dead, sampled, collected], at) => {
        data.garbage = {
          ...data.garbage,
          dead: Number(dead),
          sampled: Number(sampled),
          collected: Number(collected),
          at,
        };
        return true;
      },
    ],
    [
      GARBAGE_TYPE,
      ([, name = '', count]) => done(data.garbage.types.push({ name: unquote(name), count: Number(count) })),
    ],
    [
      CYCLE,
      ([, text = ''], at) => {
        data.garbage.cycle = { text, at };
        return true;
      },
    ],
    [
      TYPES,
      ([, , objects, estimated]) => {
        data.objects = Number(objects);
        data.estimated = estimated !== undefined;
        return true;
      },
    ],
    [
      TYPE,
      ([, name = '', objects, bytes, tables, grewObjects, grewBytes], at) =>
        done(
          data.types.push({
            name: unquote(name),
            objects: Number(objects),
            bytes: Number(bytes),
            tableBytes: Number(tables),
            grewObjects: orNull(grewObjects),
            grewBytes: orNull(grewBytes),
            at,
          }),
        ),
    ],
    [CONTAINERS, () => true],
  ];
};
