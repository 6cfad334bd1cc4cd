import type { Finding, Report, ShownOutput, SourceExcerpt } from './model/index.ts';
import { count, duration, percent } from './reading/text.ts';

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

const HEADLINE = 0.5;
const DECISIVE = 0.9;

/** Confidence for a person: `sure (97 %)`, `likely (70 %), one link is inferred`, `a hint (30 %)`. */
export const confidenceWords = (confidence: number): string => {
  if (confidence >= DECISIVE) return `sure (${percent(confidence)})`;
  if (confidence >= HEADLINE) return `likely (${percent(confidence)}), one link is inferred`;
  return `a hint (${percent(confidence)})`;
};

/** What a report comes to: `fault`, `healthy`, or `unclear` when nothing was found and health was not shown either. */
export type Verdict = 'fault' | 'healthy' | 'unclear';

/** The finding that makes the headline, if one does, and what the report comes to. */
export const verdictOf = (report: Report): { verdict: Verdict; first: Finding | null } => {
  const first =
    report.findings.find((finding) => finding.confidence >= HEADLINE || finding.cause === 'healthy') ?? null;
  if (first === null) return { verdict: 'unclear', first };
  return { verdict: first.cause === 'healthy' ? 'healthy' : 'fault', first };
};

const shownHeadline = ({ probe, evidenceId, lines, total }: ShownOutput): string => {
  if (lines.length > 0) return `${probe}: ${count(total, 'line')}`;
  return evidenceId === null ? `${probe} was not run` : `${probe} has nothing to show`;
};

/** What the tool that was asked for said, with how much of it that is. */
const shownParts = ({ probe, evidenceId, why, lines, summary, total }: ShownOutput): ReportPart[] => {
  const missing: ReportPart[] = why === null ? [] : [{ kind: 'text', text: sentence(`${asCode(probe)}: ${why}`) }];
  if (lines.length === 0) return missing;
  const how = summary
    ? `in short; its ${count(total, 'line')} are`
    : `${lines.length === total ? 'all' : `the first ${lines.length} of`} ${count(total, 'line')}; the whole is`;
  const text = `${asCode(probe)}, ${how} in the evidence ${evidenceId ?? ''}:`;
  return [{ kind: 'text', text }, { kind: 'code', text: lines.join('\n') }, ...missing];
};

/** One line that says what the report comes to. */
export const headline = (report: Report): string => {
  const { first } = verdictOf(report);
  if (first !== null) return first.title;
  if (report.shown !== undefined) return shownHeadline(report.shown);
  const hints = report.findings.length;
  if (hints > 0) return `No clear fault, ${hints === 1 ? 'one hint' : `${hints} hints`}`;
  return report.cannotTell.length > 0 ? 'No fault found, but not everything could be checked' : 'No fault found';
};

const sentence = (text: string): string => (/[.!?:]$/.test(text) ? text : `${text}.`);

/** A name that was written by somebody else, as code; a backtick in it would end the code. */
const asCode = (name: string): string => `\`${name.replaceAll('`', "'")}\``;

const excerptParts = ({ file, line, function: name, lines }: SourceExcerpt): ReportPart[] => [
  { kind: 'text', text: `${asCode(`${file}:${line}`)} in ${asCode(name)}:` },
  {
    kind: 'code',
    text: lines
      .map((each) => `${String(each.line).padStart(5)}${each.line === line ? '>' : ' '} ${each.text}`)
      .join('\n'),
  },
];

const quoteParts = (finding: Finding): ReportPart[] =>
  finding.evidence.length === 0
    ? []
    : [
        { kind: 'text', text: 'Evidence:' },
        {
          kind: 'quotes',
          lines: finding.evidence.map((quote) => ({ at: `[${quote.evidenceId}:${quote.line}]`, text: quote.text })),
        },
      ];

const fixesOf = (finding: Finding): ReportPart[] =>
  finding.fixes.flatMap((fix, index): ReportPart[] => [
    {
      kind: 'text',
      text: `${finding.fixes.length === 1 ? 'Fix' : `Fix ${index + 1}`}: ${sentence(fix.title)} ${fix.detail}`,
    },
    ...(fix.code === undefined ? [] : [{ kind: 'code', text: fix.code } as const]),
  ]);

const findingParts = (finding: Finding, lookedAt: ReadonlySet<number>): ReportPart[] => [
  {
    kind: 'text',
    text: `Confidence: ${confidenceWords(finding.confidence)}. Cause: \`${finding.cause}\`.${
      finding.explainedBy === undefined ? '' : ` Explained by \`${finding.explainedBy}\` above.`
    }`,
  },
  { kind: 'text', text: finding.summary },
  ...quoteParts(finding),
  ...(finding.source ?? []).flatMap(excerptParts),
  ...fixesOf(finding),
  ...(finding.related ?? [])
    .filter((other) => !lookedAt.has(other.pid))
    .map((other): ReportPart => ({ kind: 'item', text: `Look at process ${other.pid} too: ${other.why}.` })),
];

const listParts = (title: string, lines: readonly string[]): ReportPart[] =>
  lines.length === 0
    ? []
    : [{ kind: 'heading', text: title }, ...lines.map((text) => ({ kind: 'item', text }) as const)];

/** Reasons that are the same are said once: `a`, `b`: why. */
const byReason = (causes: readonly { readonly cause: string; readonly why: string }[]): string[] => {
  const reasons = new Map<string, string[]>();
  for (const { cause, why } of causes) reasons.set(why, [...(reasons.get(why) ?? []), `\`${cause}\``]);
  return [...reasons].map(([why, names]) => `${names.join(', ')}: ${why}`);
};

/** What a harmless look at the processes that findings point at found: the headline of each, and why it holds. */
const relatedParts = (related: Report['related'] = []): ReportPart[] =>
  related.flatMap((other): ReportPart[] => {
    const who = `Process ${other.pid}${other.command === null ? '' : ` (${asCode(other.command.slice(0, 120))})`}, looked at because ${other.why}`;
    const [first] = other.findings;
    if (first === undefined) return [{ kind: 'item', text: `${who}: ${other.failure ?? 'no fault was found.'}` }];
    if (first.cause === 'healthy') return [{ kind: 'item', text: `${who}: ${sentence(first.title)}` }];
    const said = `${sentence(first.title)} ${first.summary} Confidence: ${confidenceWords(first.confidence)}.`;
    return [{ kind: 'item', text: `${who}: ${said}` }];
  });

const costParts = ({ impact }: Report): ReportPart[] => {
  const felt = impact.steps.filter((step) => step.impact !== 'none' && step.impact !== '');
  const stall =
    impact.longestStallMs > 0
      ? `The longest time that a step kept it from running: ${duration(impact.longestStallMs / 1000)}.`
      : 'No step stopped it.';
  return [
    { kind: 'heading', text: 'What the look cost the process' },
    { kind: 'text', text: felt.length === 0 ? `${stall} Nothing slowed it.` : stall },
    ...felt.map(
      (step) => ({ kind: 'item', text: `\`${step.probe}\` (${step.impact}) for ${duration(step.seconds)}` }) as const,
    ),
  ];
};

/** The line that names the process: host, pid, runtime, and the command as code. */
export const subject = ({ target }: Report): string =>
  `Process ${target.pid} on ${target.host}${target.selector === undefined ? '' : ` (found by \`${target.selector.replaceAll('`', "'")}\`)`}, ${target.runtime}: \`${target.command.replaceAll('`', "'")}\``;

/** Each finding with its quotes, then what was ruled out and what could not be told. */
export const whyParts = (report: Report): ReportPart[] => [
  ...report.findings.flatMap((finding): ReportPart[] => [
    { kind: 'heading', text: finding.title },
    {
      kind: 'text',
      text: `Confidence: ${confidenceWords(finding.confidence)}. Cause: \`${finding.cause}\`. ${finding.summary}`,
    },
    ...quoteParts(finding),
    ...(finding.source ?? []).flatMap(excerptParts),
  ]),
  ...listParts('Ruled out', byReason(report.ruledOut)),
  ...listParts('Could not be checked', byReason(report.cannotTell)),
];

/** The fixes of all findings, each under what it is for. */
export const fixParts = (report: Report): ReportPart[] =>
  report.findings
    .filter((finding) => finding.fixes.length > 0)
    .flatMap((finding): ReportPart[] => [{ kind: 'heading', text: finding.title }, ...fixesOf(finding)]);

/** What the rules said that did not fire. For a tool that found nothing nobody asked them: `why` tells it. */
const checkedParts = (report: Report, verdict: Verdict): ReportPart[] => [
  ...listParts(verdict === 'healthy' ? 'Checked and ruled out' : 'Ruled out', byReason(report.ruledOut)),
  ...listParts('Could not be checked', byReason(report.cannotTell)),
];

/** All that a report says, in the order in which a person needs it. */
export const reportParts = (report: Report): ReportPart[] => {
  const { verdict, first } = verdictOf(report);
  const others = report.findings.filter((finding) => finding !== first);
  const also = others.filter((finding) => finding.confidence >= HEADLINE);
  const hints = others.filter((finding) => finding.confidence < HEADLINE);
  const lookedAt = new Set(report.related?.map((other) => other.pid));
  const titled = (finding: Finding): ReportPart[] => [
    { kind: 'heading', text: finding.title },
    ...findingParts(finding, lookedAt),
  ];
  return [
    { kind: 'heading', text: headline(report) },
    { kind: 'text', text: subject(report) },
    ...(report.shown === undefined ? [] : shownParts(report.shown)),
    ...(first === null ? [] : findingParts(first, lookedAt)),
    ...also.flatMap((finding) => [{ kind: 'note', text: 'Also found' } as const, ...titled(finding)]),
    ...hints.flatMap((finding) => [{ kind: 'note', text: 'Hint, not a finding' } as const, ...titled(finding)]),
    ...(report.related === undefined
      ? []
      : [{ kind: 'heading', text: 'Other processes' } as const, ...relatedParts(report.related)]),
    ...(report.shown !== undefined && verdict === 'unclear' ? [] : checkedParts(report, verdict)),
    ...listParts('Keep in mind', report.caveats),
    ...costParts(report),
    ...(report.memory === undefined ? [] : [{ kind: 'note', text: `Memory: ${report.memory}` } as const]),
    {
      kind: 'note',
      text: `Playbook ${report.playbook}, ${duration(report.seconds)}, started ${report.startedAt}, look ${report.id}`,
    },
  ];
};
