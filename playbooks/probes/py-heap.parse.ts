import { type Evidence, evidenceErrorText, evidenceLines, type Parsed, UnseenReason } from '../model/index.ts';
import { containerReaders } from './py-heap.containers.ts';
import { countReaders } from './py-heap.counts.ts';
import { HEADER, type LineReader, UNREADABLE } from './py-heap.lines.ts';
import type { PyHeapData } from './py-heap.ts';

/** What has been read so far, while going down the lines. */
class Reading {
  readonly data: PyHeapData;
  readonly partly: string[] = [];
  #ended = false;
  #strange = 0;
  readonly #readers: readonly LineReader[];

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
    this.#readers = [...countReaders(this.data, this.partly), ...containerReaders(this.data)];
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
