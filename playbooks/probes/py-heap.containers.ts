import { unquote } from '../reading/quoted-names.ts';
import {
  boundOf,
  CONTAINER,
  FRAME,
  HOLDS,
  holderOf,
  type LineReader,
  named,
  orNull,
  REFERENCE,
  REFERENCES,
  type ReadLine,
  SIZES,
  THREADS,
  USE,
} from './py-heap.lines.ts';
import type { HeapContainer, PyHeapData, SourceUse } from './py-heap.ts';

/**
 * Readers of the containers and of where the program fills them, each for one kind of line. Lines with two spaces before them
 * belong to the container that was read last. They fill `data`.
 */
export const containerReaders = (data: PyHeapData): readonly LineReader[] => {
  let last: HeapContainer | null = null;
  const inContainer = (read: (container: HeapContainer, match: RegExpExecArray, at: number) => void): ReadLine => {
    return (match, at) => {
      if (last === null) return false;
      read(last, match, at);
      return true;
    };
  };
  return [
    [
      CONTAINER,
      ([, type = '', address = '', items, rest = ''], at) => {
        const { holder, bound } = boundOf(rest);
        last = {
          type: unquote(type),
          address,
          items: Number(items),
          holder: holderOf(holder),
          bound,
          sizes: [],
          sizesAt: null,
          containers: 1,
          holds: null,
          uses: null,
          at,
        };
        data.containers.push(last);
        return holder === 'nameless' || last.holder !== null;
      },
    ],
    [
      SIZES,
      inContainer((container, [, sizes = '', count], at) => {
        container.sizes = sizes
          .trim()
          .split(' ')
          .map((pair) => pair.split(':').map(Number))
          .map(([seconds = 0, items = 0]) => ({ seconds, items }));
        container.sizesAt = at;
        container.containers = orNull(count) ?? 1;
      }),
    ],
    [
      HOLDS,
      inContainer((container, [, text = '', bytesEach], at) => {
        container.holds = { text, bytesEach: Number(bytesEach), at };
      }),
    ],
    [
      /^ {2}source read$/,
      inContainer((container) => {
        container.uses = [];
      }),
    ],
    [
      USE,
      ([, kind, file = '', line, where = '', loop, text = ''], at) => {
        const use: SourceUse = {
          kind: kind as SourceUse['kind'],
          file: unquote(file),
          line: Number(line),
          function: unquote(where),
          loop: (loop ?? null) as SourceUse['loop'],
          text,
          at,
        };
        if (last === null) data.settings.push(use);
        else last.uses = [...(last.uses ?? []), use];
        return true;
      },
    ],
    [
      THREADS,
      ([, threads]) => {
        data.threads = Number(threads);
        return true;
      },
    ],
    [
      FRAME,
      ([, file = '', line, where = '', loop, library], at) => {
        data.frames.push({
          file: unquote(file),
          line: Number(line),
          function: unquote(where),
          loop: (loop ?? null) as SourceUse['loop'],
          library: library !== undefined,
          at,
        });
        return true;
      },
    ],
    [
      REFERENCES,
      ([, to = ''], at) => {
        data.references = { to, found: [], at };
        return true;
      },
    ],
    [
      REFERENCE,
      ([, level, type = '', path = ''], at) => {
        data.references?.found.push({ level: Number(level), type: unquote(type), path: named(path), at });
        return data.references !== null;
      },
    ],
  ];
};
