import { bytes, clip, count } from '../reading/text.ts';
import type { HeapContainer, HeapType, PyHeapData } from './py-heap.ts';

const MOST_TYPES = 15;
const MOST_CONTAINERS = 8;
const MOST_NAME = 60;

const grew = (number: number | null): string =>
  number === null || number === 0 ? '' : `, ${number > 0 ? '+' : ''}${number.toLocaleString('en-US')} in the window`;

const typeLine = ({ name, objects, bytes: own, tableBytes, grewObjects }: HeapType): string =>
  `${clip(name, MOST_NAME).padEnd(28)} ${objects.toLocaleString('en-US').padStart(10)}  ${bytes(own + tableBytes)}${grew(grewObjects)}`;

const containerLine = ({ type, items, holder }: HeapContainer): string =>
  `${clip(holder?.path ?? '(no name)', MOST_NAME)}: ${type} of ${count(items, 'item')}`;

/** A heap in short: the types that take most, and the biggest containers. Pure. */
export const heapInShort = ({ types, containers }: PyHeapData): readonly string[] => {
  if (types.length === 0) return [];
  const biggest = [...types].sort((a, b) => b.bytes + b.tableBytes - (a.bytes + a.tableBytes)).slice(0, MOST_TYPES);
  const largest = [...containers].sort((a, b) => b.items - a.items).slice(0, MOST_CONTAINERS);
  return [
    ...biggest.map(typeLine),
    ...(types.length > MOST_TYPES ? [`and ${types.length - MOST_TYPES} other types`] : []),
    ...(largest.length > 0 ? ['', 'Biggest containers:', ...largest.map(containerLine)] : []),
  ];
};
