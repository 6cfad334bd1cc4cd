import type { Finding, Report } from '../../playbooks/model/index.ts';
import { headline, verdictOf } from '../../playbooks/report-parts.ts';

/**
 * What kind of thing an item is. `target`: facts of the process. `verdict`: what the rules come to. `finding`, `quote`,
 * `source`, `fix`: as in the report. `caveat`: what was missing. `excluded`: what was ruled out or could not be told.
 * `probe`: what lines of evidence come from; only beside lines that were looked up for a question.
 */
export type ItemKind = 'target' | 'verdict' | 'finding' | 'quote' | 'source' | 'fix' | 'caveat' | 'excluded' | 'probe';

/** One thing that a sentence can rest on. */
export interface Item {
  /** `T1`, `V1`, `F1`, `Q1`, `S1`, `X1`, `C1`, `U1`. */
  readonly id: string;
  readonly kind: ItemKind;
  readonly text: string;
  /** The finding that it belongs to. */
  readonly of?: string;
  readonly cause?: string;
  readonly confidence?: number;
  /** Of a fix: what is to be typed or written, as the rules offer it. */
  readonly code?: string;
}

/** All that a model may see of a report, in items, and no more. Redacted as the report is. */
export interface View {
  readonly items: readonly Item[];
  readonly verdict: 'fault' | 'healthy' | 'unclear';
  /** What a person asked, in their own words: data like the rest. */
  readonly asked?: string;
}

/** Limits that keep a request under some 3,000 tokens; findings come best first. */
const MOST_FINDINGS = 4;
const MOST_QUOTES = 6;
const MOST_FIXES = 3;
const MOST_CAVEATS = 6;
const MOST_EXCLUDED = 8;
const MOST_TEXT = 1_200;
const MOST_QUOTE = 240;
const MOST_CODE = 900;

const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

const figureLines = ({ figures, memory, target, startedAt, seconds }: Report): string[] => [
  `host ${target.host}, process ${target.pid}, command ${cut(target.command, 300)}, runtime ${target.runtime}`,
  `looked at from ${startedAt} for ${seconds.toFixed(1)} s`,
  ...(memory === undefined ? [] : [`memory: ${memory}`]),
  ...(figures === undefined
    ? []
    : [
        Object.entries(figures)
          .map(([name, value]) => `${name} ${typeof value === 'number' ? Math.round(value * 10) / 10 : String(value)}`)
          .join(', '),
      ]),
];

/** Items with their numbers, one sequence for each kind. */
const numbering = () => {
  const last = new Map<string, number>();
  return (letter: string): string => {
    const next = (last.get(letter) ?? 0) + 1;
    last.set(letter, next);
    return `${letter}${next}`;
  };
};

const findingItems = (finding: Finding, id: (letter: string) => string): Item[] => {
  const of = id('F');
  return [
    {
      id: of,
      kind: 'finding',
      text: cut(`${finding.title}. ${finding.summary}`, MOST_TEXT),
      cause: finding.cause,
      confidence: finding.confidence,
    },
    ...finding.evidence
      .slice(0, MOST_QUOTES)
      .map((quote): Item => ({ id: id('Q'), kind: 'quote', of, text: cut(quote.text, MOST_QUOTE) })),
    ...(finding.source ?? []).map(
      (source): Item => ({
        id: id('S'),
        kind: 'source',
        of,
        text: cut(
          [
            `${source.file}:${source.line} in ${source.function}`,
            ...source.lines.map((line) => `${line.line} ${line.text}`),
          ].join('\n'),
          MOST_CODE,
        ),
      }),
    ),
    ...finding.fixes.slice(0, MOST_FIXES).map(
      (fix): Item => ({
        id: id('X'),
        kind: 'fix',
        of,
        text: cut(`${fix.title}. ${fix.detail}`, MOST_TEXT),
        ...(fix.code === undefined ? {} : { code: cut(fix.code, MOST_CODE) }),
      }),
    ),
  ];
};

/** What a model is shown of a report. Pure. */
export const viewOf = (report: Report): View => {
  const id = numbering();
  const { verdict } = verdictOf(report);
  const excluded = [
    ...report.ruledOut.map(({ cause, why }) => `${cause} is ruled out: ${why}`),
    ...report.cannotTell.map(({ cause, why }) => `${cause} cannot be told: ${why}`),
  ];
  return {
    verdict,
    items: [
      ...figureLines(report).map((text): Item => ({ id: id('T'), kind: 'target', text })),
      { id: id('V'), kind: 'verdict', text: `${verdict}: ${headline(report)}` },
      ...report.findings.slice(0, MOST_FINDINGS).flatMap((finding) => findingItems(finding, id)),
      ...report.caveats
        .slice(0, MOST_CAVEATS)
        .map((text): Item => ({ id: id('C'), kind: 'caveat', text: cut(text, MOST_TEXT) })),
      ...excluded
        .slice(0, MOST_EXCLUDED)
        .map((text): Item => ({ id: id('U'), kind: 'excluded', text: cut(text, 200) })),
    ],
  };
};

/** The items as the model reads them: one JSON object a line, which no text in them can end. */
export const viewText = ({ items }: View): string =>
  items
    .map(({ id, kind, text, of, cause, confidence, code }) =>
      JSON.stringify({
        id,
        kind,
        ...(of === undefined ? {} : { of }),
        ...(cause === undefined ? {} : { cause }),
        ...(confidence === undefined ? {} : { confidence: Math.round(confidence * 100) / 100 }),
        text,
        ...(code === undefined ? {} : { code }),
      }),
    )
    .join('\n');
