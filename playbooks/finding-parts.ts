import type { Finding, SourceExcerpt } from './model/index.ts';
import { percent } from './reading/text.ts';
import { inLanguage, type Language } from './words/index.ts';

/**
 * A report as a list of things to write, the same for every form of output. Text may hold `code` between backticks;
 * nothing has been escaped or made visible yet.
 */
export type ReportPart =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'item'; readonly text: string }
  /** Literal lines of evidence, with the place that each came from. */
  | { readonly kind: 'quotes'; readonly lines: readonly { readonly at: string; readonly text: string }[] }
  /** To be copied as it is. */
  | { readonly kind: 'code'; readonly text: string }
  /** Small print. */
  | { readonly kind: 'note'; readonly text: string };

/** A text of ours in the reader's language, by the texts of the cause that says it. */
export type Say = (text: string, cause?: string) => string;

/** Says texts in this language. */
export const sayIn =
  (language: Language): Say =>
  (text, cause) =>
    inLanguage(text, language, cause);

/** From here on a finding makes the headline. */
export const HEADLINE = 0.5;
const DECISIVE = 0.9;

/** Confidence for a person: `sure (97 %)`, `likely (70 %), one link is inferred`, `a hint (30 %)`. */
export const confidenceWords = (confidence: number): string => {
  if (confidence >= DECISIVE) return `sure (${percent(confidence)})`;
  if (confidence >= HEADLINE) return `likely (${percent(confidence)}), one link is inferred`;
  return `a hint (${percent(confidence)})`;
};

/** With a full stop where it has no mark at its end. */
export const sentence = (text: string): string => (/[.!?:。！？：]$/.test(text) ? text : `${text}.`);

/** A name that was written by somebody else, as code; a backtick in it would end the code. */
export const asCode = (name: string): string => `\`${name.replaceAll('`', "'")}\``;

/** Source around a place that a finding names. */
export const excerptParts = ({ file, line, function: name, lines }: SourceExcerpt, say: Say): ReportPart[] => [
  { kind: 'text', text: say(`${asCode(`${file}:${line}`)} in ${asCode(name)}:`) },
  {
    kind: 'code',
    text: lines
      .map((each) => `${String(each.line).padStart(5)}${each.line === line ? '>' : ' '} ${each.text}`)
      .join('\n'),
  },
];

/** The literal lines that a finding rests on. */
export const quoteParts = (finding: Finding, say: Say): ReportPart[] =>
  finding.evidence.length === 0
    ? []
    : [
        { kind: 'text', text: say('Evidence:') },
        {
          kind: 'quotes',
          lines: finding.evidence.map((quote) => ({ at: `[${quote.evidenceId}:${quote.line}]`, text: quote.text })),
        },
      ];

/** What to change, each fix with its number. */
export const fixesOf = (finding: Finding, say: Say): ReportPart[] =>
  finding.fixes.flatMap((fix, index): ReportPart[] => [
    {
      kind: 'text',
      text: say(
        `${finding.fixes.length === 1 ? 'Fix' : `Fix ${index + 1}`}: ${sentence(fix.title)} ${fix.detail}`,
        finding.cause,
      ),
    },
    ...(fix.code === undefined ? [] : [{ kind: 'code', text: fix.code } as const]),
  ]);

/** All of a finding but its title. `lookedAt`: processes of which the report tells more. */
export const findingParts = (finding: Finding, lookedAt: ReadonlySet<number>, say: Say): ReportPart[] => [
  {
    kind: 'text',
    text: say(
      `Confidence: ${confidenceWords(finding.confidence)}. Cause: \`${finding.cause}\`.${
        finding.explainedBy === undefined ? '' : ` Explained by \`${finding.explainedBy}\` above.`
      }`,
    ),
  },
  { kind: 'text', text: say(finding.summary, finding.cause) },
  ...quoteParts(finding, say),
  ...(finding.source ?? []).flatMap((excerpt) => excerptParts(excerpt, say)),
  ...fixesOf(finding, say),
  ...(finding.related ?? [])
    .filter((other) => !lookedAt.has(other.pid))
    .map(({ pid, why }): ReportPart => {
      return { kind: 'item', text: say(`Look at process ${pid} too: ${why}.`, finding.cause) };
    }),
];
