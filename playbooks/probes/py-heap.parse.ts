import { type Evidence, evidenceErrorText, evidenceLines, type Parsed, UnseenReason } from '../model/index.ts';
import { unquote } from '../reading/quoted-names.ts';
import {
  boundOf,
  COLLECTOR,
  CONTAINER,
  CONTAINERS,
  CYCLE,
  collectorOf,
  FRAME,
  GARBAGE,
  GARBAGE_TYPE,
  HEADER,
  HOLDS,
  holderOf,
  NOTE,
  named,
  orNull,
  POOLS,
  REFERENCE,
  REFERENCES,
  SIZES,
  THREADS,
  TYPE,
  TYPES,
  UNREADABLE,
  USE,
} from './py-heap.lines.ts';
import type { HeapContainer, PyHeapData, SourceUse } from './py-heap.ts';

type Reader = (match: RegExpExecArray, at: number) => boolean;

/** What has been read so far, while going down the lines. */
class Reading {
  readonly data: PyHeapData;
  readonly partly: string[] = [];
  #container: HeapContainer | null = null;
  #ended = false;
  #strange = 0;
  readonly #readers: readonly (readonly [RegExp, Reader])[];

  constructor(version: string, seconds: number) {
    this.data = {
      version,
      seconds,
      estimated: false,
      pools: [],
      collector: [],
      settings: [],
      garbage: { sampled: 0, dead: 0, collected: 0, types: [], cycle: null, at: 1 },
      objects: 0,
      types: [],
      containers: [],
      threads: 0,
      frames: [],
      references: null,
    };
    this.#readers = [...this.#counts(), ...this.#containers()];
  }

  line(text: string, at: number): void {
    if (text === '') return;
    if (text === 'end') {
      this.#ended = true;
      return;
    }
    for (const [pattern, read] of this.#readers) {
      const match = pattern.exec(text);
      if (match !== null && read(match, at)) return;
    }
    this.#strange += 1;
  }

  finish(): string[] {
    if (this.#strange > 0) this.partly.push(`${this.#strange} lines about the heap could not be understood.`);
    if (!this.#ended) this.partly.push('The output about the heap was cut: what stood at its end is missing.');
    return this.partly;
  }

  #counts(): (readonly [RegExp, Reader])[] {
    const { data } = this;
    const done = (_: unknown): boolean => true;
    return [
      [NOTE, ([, note = '']) => done(this.partly.push(unquote(note)))],
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
  }

  #containers(): (readonly [RegExp, Reader])[] {
    const { data } = this;
    const inContainer = (read: (container: HeapContainer, match: RegExpExecArray, at: number) => void): Reader => {
      return (match, at) => {
        if (this.#container === null) return false;
        read(this.#container, match, at);
        return true;
      };
    };
    return [
      [
        CONTAINER,
        ([, type = '', address = '', items, rest = ''], at) => {
          const { holder, bound } = boundOf(rest);
          this.#container = {
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
          data.containers.push(this.#container);
          return holder === 'nameless' || this.#container.holder !== null;
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
          if (this.#container === null) data.settings.push(use);
          else this.#container.uses = [...(this.#container.uses ?? []), use];
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
  }
}

/** Why there is nothing, when the output does not begin with the header. */
const failed = (evidence: Evidence, first: string): Parsed<PyHeapData> => {
  const match = UNREADABLE.exec(first);
  const reason = UnseenReason.safeParse(match?.[1]);
  if (match?.[2] && reason.success) return { ok: false, reason: reason.data, why: match[2] };
  const no = (why: UnseenReason, sentence: string): Parsed<PyHeapData> => ({ ok: false, reason: why, why: sentence });
  if (evidence.end === 'timed-out') return no('timed-out', 'Counting the Python heap did not end in time.');
  if (evidence.end === 'connection-lost')
    return no('connection-lost', 'The connection was lost while the Python heap was counted.');
  if (evidence.end === 'target-gone') return no('target-gone', 'The process ended before its Python heap was counted.');
  const complaint = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  return no(
    evidence.exit === 126 || evidence.exit === 127 ? 'missing-tool' : 'failed',
    complaint === '' ? 'The Python heap was not printed.' : `The Python heap was not printed: ${complaint}`,
  );
};

/**
 * Reads what the script py-heap.py prints: a header, then pools, collector, garbage, types and containers; an `end` line
 * shows that nothing was cut. Or one line `unreadable REASON SENTENCE`. Never throws.
 */
export const parsePyHeap = (evidence: Evidence): Parsed<PyHeapData> => {
  const [first = '', ...rest] = evidenceLines(evidence);
  const header = HEADER.exec(first);
  if (header === null) return failed(evidence, first);
  const reading = new Reading(header[1] ?? '', Number(header[3]));
  rest.forEach((text, index) => {
    reading.line(text, index + 2);
  });
  return { ok: true, data: reading.data, partly: reading.finish() };
};
