import type { Report } from '../../playbooks/model/index.ts';
import { type Item, type View, viewOf } from '../prose/view.ts';
import { type Chunk, chunksOf, type EvidenceText } from './chunks.ts';
import { ranked } from './ranking.ts';
import { queryOf, termsOf } from './terms.ts';

/** One look of the thread, with what is kept of its evidence. */
export interface Source {
  readonly report: Report;
  readonly files: readonly EvidenceText[];
}

/** What a model sees for a question, and the evidence behind each quote of it. */
export interface Gathered {
  readonly view: View;
  readonly lines: ReadonlyMap<string, Chunk>;
}

/** About four characters a token: 2,300 tokens, instructions and question left out. */
const MOST_CHARS = 9_000;
/** Of these at most, before what the question asks for. */
const MOST_ALWAYS = 5_500;
/** What all looks together may give to look through, characters. */
const MOST_EVIDENCE = 4_000_000;

/** What is always shown of the newest diagnosis: who it is, what the rules found, and what they offer. */
const ALWAYS: ReadonlySet<Item['kind']> = new Set(['target', 'verdict', 'finding', 'fix', 'caveat']);

const size = ({ text, code = '' }: Item): number => text.length + code.length + 60;

/** The items of a look; those of older looks under ids of their own. */
const itemsOf = ({ report }: Source, look: number): Item[] =>
  viewOf(report).items.map((item) =>
    look === 0
      ? item
      : { ...item, id: `${item.id}-${look + 1}`, ...(item.of === undefined ? {} : { of: `${item.of}-${look + 1}` }) },
  );

/** The line of evidence that a quote of a finding is. */
const lineOf = ({ report }: Source, look: number, { text }: Item): Chunk | null => {
  const quotes = [report.findings, ...(report.related ?? []).map(({ findings }) => findings)].flat();
  const quote = quotes
    .flatMap(({ evidence }) => evidence)
    .find((each) => each.text === text || each.text.startsWith(text.replace(/…$/, '')));
  const entry = report.evidence.find(({ id }) => id === quote?.evidenceId);
  if (quote === undefined || entry === undefined) return null;
  return { evidenceId: entry.id, probe: entry.probe, look, lines: [quote.text] };
};

/** A diagnosis, not one tool's output, which judges nothing. */
const isDiagnosis = ({ report }: Source): boolean => report.shown === undefined || report.findings.length > 0;

/** What may be shown beside what always is: an item of a report, or lines of evidence. */
type Candidate = { readonly item: Item } | { readonly chunk: Chunk };

const candidateTerms = (candidate: Candidate): string[] =>
  'item' in candidate
    ? termsOf(`${candidate.item.text} ${candidate.item.cause ?? ''}`)
    : termsOf(`${candidate.chunk.probe} ${candidate.chunk.lines.join('\n')}`);

const allChunks = (sources: readonly Source[]): Chunk[] => {
  let left = MOST_EVIDENCE;
  return sources.flatMap(({ files }, look) =>
    files.flatMap((file) => {
      if (left <= 0) return [];
      left -= file.text.length;
      return chunksOf(file, look);
    }),
  );
};

/**
 * What is shown for a question: what the newest diagnosis says, and of everything else that the thread's looks saw (newest
 * first) what the question asks for, within a bound. `titles`: what each probe tells. Pure.
 */
export const gather = (question: string, sources: readonly Source[], titles: ReadonlyMap<string, string>): Gathered => {
  const query = queryOf(question);
  const diagnosis = sources.findIndex(isDiagnosis);
  const items = sources.map(itemsOf);
  const isAlways = (item: Item, look: number): boolean =>
    look === diagnosis ? ALWAYS.has(item.kind) : look === 0 && item.kind === 'target';
  const chosen: Item[] = [];
  const lines = new Map<string, Chunk>();
  let used = 0;
  const take = (item: Item): void => {
    chosen.push(item);
    used += size(item);
  };
  items.forEach((each, look) => {
    for (const item of each.filter((one) => isAlways(one, look))) if (used + size(item) <= MOST_ALWAYS) take(item);
  });
  const probes = new Map<string, string>();
  const takeChunk = (chunk: Chunk): void => {
    if (!probes.has(chunk.probe)) {
      probes.set(chunk.probe, `P${probes.size + 1}`);
      const text = `lines of ${chunk.probe}: ${titles.get(chunk.probe) ?? 'a tool'}`;
      take({ id: probes.get(chunk.probe) ?? '', kind: 'probe', text });
    }
    const id = `E${lines.size + 1}`;
    lines.set(id, chunk);
    take({ id, kind: 'quote', of: probes.get(chunk.probe) ?? '', text: chunk.lines.join('\n') });
  };
  const rest: Candidate[] = [
    ...items.flatMap((each) =>
      // Also what there was no room for before.
      each.filter((item) => item.kind !== 'verdict' && !chosen.includes(item)).map((item) => ({ item })),
    ),
    ...allChunks(sources).map((chunk) => ({ chunk })),
  ];
  for (const candidate of ranked(query, rest, candidateTerms)) {
    const next = 'item' in candidate ? size(candidate.item) : candidate.chunk.lines.join('\n').length + 160;
    if (used + next > MOST_CHARS) break;
    if ('item' in candidate) take(candidate.item);
    else takeChunk(candidate.chunk);
  }
  for (const item of chosen.filter(({ id, kind }) => kind === 'quote' && !lines.has(id))) {
    const look = items.findIndex((each) => each.includes(item));
    const source = sources[look];
    const line = source === undefined ? null : lineOf(source, look, item);
    if (line !== null) lines.set(item.id, line);
  }
  const judged = diagnosis < 0 ? undefined : sources[diagnosis];
  const verdict = judged === undefined ? 'unclear' : viewOf(judged.report).verdict;
  return { view: { items: chosen, verdict, asked: question }, lines };
};
