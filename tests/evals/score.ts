import type { Report } from '../../playbooks/model/index.ts';
import { verdictOf } from '../../playbooks/report-parts.ts';
import type { AskModel } from '../../workers/prose/client.ts';
import type { Language } from '../../workers/prose/prompt.ts';
import { viewOf } from '../../workers/prose/view.ts';
import { FAULT_WORDS } from '../../workers/prose/words.ts';
import { type Written, writeProse } from '../../workers/prose/write.ts';

/** How a model did on one report. Nothing here is judged by another model. */
export interface Score {
  readonly name: string;
  /** What the rules come to. */
  readonly expected: string;
  /** Prose came through the gate. */
  readonly answered: boolean;
  /** Why not, when it did not. */
  readonly note: string | null;
  /** Sentences that the model wrote, and those of them that were covered. */
  readonly said: number;
  readonly traced: number;
  /** The headline rests on the report's first finding. */
  readonly causeKept: boolean;
  /** A process that the rules find healthy, or cannot tell of, was called sick by anything that the model wrote. */
  readonly overclaimed: boolean;
  /** There were fixes, and one of the first finding's was told. Null when there were none. */
  readonly fixKept: boolean | null;
  readonly tokensIn: number;
  readonly tokensOut: number;
}

const saidIn = ({ prose, dropped }: Written): { kept: number; lost: number } => ({
  kept: prose === null ? 0 : 1 + prose.sentences.length + prose.next.length + (prose.fix === null ? 0 : 1),
  lost: dropped.length,
});

/** Asks the model about one report, as a worker does, and scores what comes. */
export const scoreOf = async (
  name: string,
  report: Report,
  { ask, model, language }: { ask: AskModel; model: string; language: Language },
): Promise<Score> => {
  const written = await writeProse(
    report,
    {
      ask,
      model,
      spending: { refusal: async () => null, spent: async () => {} },
      cache: { get: async () => null, set: async () => {} },
    },
    { channel: 'evals', language },
    new AbortController().signal,
  );
  const { prose, usage, note, dropped } = written;
  const view = viewOf(report);
  const first = view.items.find(({ kind }) => kind === 'finding');
  const ofFirst = new Set(view.items.filter(({ id, of }) => id === first?.id || of === first?.id).map(({ id }) => id));
  const fixes = view.items.filter(({ kind, of }) => kind === 'fix' && of === first?.id);
  const { verdict, first: finding } = verdictOf(report);
  const { kept, lost } = saidIn(written);
  return {
    name,
    expected: finding?.cause ?? verdict,
    answered: prose !== null,
    note,
    said: kept + lost,
    traced: kept,
    causeKept: prose !== null && (first === undefined || prose.headline.rests_on.some((id) => ofFirst.has(id))),
    overclaimed:
      verdict !== 'fault' &&
      dropped.some(({ text, why }) => FAULT_WORDS.test(text) && why.startsWith('it calls something wrong')),
    fixKept: verdict === 'fault' && fixes.length > 0 ? prose !== null && prose.fix !== null : null,
    tokensIn: usage.input,
    tokensOut: usage.output,
  };
};

const share = (part: number, whole: number): string => (whole === 0 ? 'none' : `${Math.round((100 * part) / whole)} %`);
const mean = (numbers: readonly number[]): number =>
  numbers.length === 0 ? 0 : Math.round(numbers.reduce((sum, each) => sum + each, 0) / numbers.length);

/** The scores as a page: what they come to, then each report. */
export const scoresText = (scores: readonly Score[], model: string, language: Language, date: string): string => {
  const sum = (of: (score: Score) => number) => scores.reduce((total, score) => total + of(score), 0);
  const fixable = scores.filter(({ fixKept }) => fixKept !== null);
  const well = scores.filter(({ expected }) => expected === 'healthy' || expected === 'unclear');
  const rows: readonly (readonly [string, string])[] = [
    ['reports', String(scores.length)],
    ['put into words', share(scores.filter(({ answered }) => answered).length, scores.length)],
    [
      'sentences covered by what they cite',
      share(
        sum(({ traced }) => traced),
        sum(({ said }) => said),
      ),
    ],
    ['first cause in the headline', share(scores.filter(({ causeKept }) => causeKept).length, scores.length)],
    [
      'healthy or unclear, and called sick (and stopped)',
      share(well.filter(({ overclaimed }) => overclaimed).length, well.length),
    ],
    [
      'a fix of the first finding told',
      share(fixable.filter(({ fixKept }) => fixKept === true).length, fixable.length),
    ],
    ['tokens a report, in', String(mean(scores.map(({ tokensIn }) => tokensIn)))],
    ['tokens a report, out', String(mean(scores.map(({ tokensOut }) => tokensOut)))],
  ];
  const each = scores.map(
    ({ name, expected, answered, said, traced, causeKept, fixKept, tokensIn, tokensOut, note }) =>
      `| ${name} | ${expected} | ${answered ? 'yes' : (note ?? 'no')} | ${traced}/${said} | ${causeKept ? 'yes' : 'no'} | ${fixKept === null ? '' : fixKept ? 'yes' : 'no'} | ${tokensIn} | ${tokensOut} |`,
  );
  return [
    `Model ${model}, ${language}, ${date}.`,
    '',
    '| | |',
    '|---|---|',
    ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
    '',
    '<details><summary>Each report</summary>',
    '',
    '| Report | Rules | Words | Covered | Cause | Fix | In | Out |',
    '|---|---|---|---|---|---|---|---|',
    ...each,
    '',
    '</details>',
    '',
  ].join('\n');
};
