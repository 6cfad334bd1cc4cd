import {
  asCode,
  confidenceWords,
  excerptParts,
  findingParts,
  fixesOf,
  HEADLINE,
  quoteParts,
  type ReportPart,
  type Say,
  sayIn,
  sentence,
} from './finding-parts.ts';
import type { Finding, Report, ShownOutput } from './model/index.ts';
import { count, duration } from './reading/text.ts';
import { inLanguage, type Language } from './words/index.ts';

export { confidenceWords, type ReportPart } from './finding-parts.ts';

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
const shownParts = ({ probe, evidenceId, why, lines, summary, total }: ShownOutput, say: Say): ReportPart[] => {
  const missing: ReportPart[] = why === null ? [] : [{ kind: 'text', text: say(sentence(`${asCode(probe)}: ${why}`)) }];
  if (lines.length === 0) return missing;
  const how = summary
    ? `in short; its ${count(total, 'line')} are`
    : `${lines.length === total ? 'all' : `the first ${lines.length} of`} ${count(total, 'line')}; the whole is`;
  const text = `${asCode(probe)}, ${how} in the evidence ${evidenceId ?? ''}:`;
  return [{ kind: 'text', text: say(text) }, { kind: 'code', text: lines.join('\n') }, ...missing];
};

/** One line that says what the report comes to. */
export const headline = (report: Report, language: Language = 'en'): string => {
  const { first } = verdictOf(report);
  return first === null ? inLanguage(unclear(report), language) : inLanguage(first.title, language, first.cause);
};

const unclear = (report: Report): string => {
  if (report.shown !== undefined) return shownHeadline(report.shown);
  const hints = report.findings.length;
  if (hints > 0) return `No clear fault, ${hints === 1 ? 'one hint' : `${hints} hints`}`;
  return report.cannotTell.length > 0 ? 'No fault found, but not everything could be checked' : 'No fault found';
};

const listParts = (title: string, lines: readonly string[]): ReportPart[] =>
  lines.length === 0
    ? []
    : [{ kind: 'heading', text: title }, ...lines.map((text) => ({ kind: 'item', text }) as const)];

/** Reasons that are the same are said once: `a`, `b`: why. */
const byReason = (causes: readonly { readonly cause: string; readonly why: string }[], say: Say): string[] => {
  const reasons = new Map<string, string[]>();
  for (const { cause, why } of causes) {
    const said = say(why, cause);
    reasons.set(said, [...(reasons.get(said) ?? []), `\`${cause}\``]);
  }
  return [...reasons].map(([why, names]) => `${names.join(say(', '))}${say(': ')}${why}`);
};

/** What a harmless look at the processes that findings point at found: the headline of each, and why it holds. */
const relatedParts = (report: Report, say: Say): ReportPart[] =>
  (report.related ?? []).flatMap((other): ReportPart[] => {
    const finding = report.findings.find((each) =>
      each.related?.some(({ pid, why }) => pid === other.pid && why === other.why),
    );
    const who = say(
      `Process ${other.pid}${other.command === null ? '' : ` (${asCode(other.command.slice(0, 120))})`}, looked at because ${other.why}:`,
      finding?.cause,
    );
    const [first] = other.findings;
    if (first === undefined) return [{ kind: 'item', text: `${who} ${say(other.failure ?? 'no fault was found.')}` }];
    const title = say(sentence(first.title), first.cause);
    if (first.cause === 'healthy') return [{ kind: 'item', text: `${who} ${title}` }];
    const said = say(`${first.summary} Confidence: ${confidenceWords(first.confidence)}.`, first.cause);
    return [{ kind: 'item', text: `${who} ${title} ${said}` }];
  });

const costParts = ({ impact }: Report, say: Say): ReportPart[] => {
  const felt = impact.steps.filter((step) => step.impact !== 'none' && step.impact !== '');
  const stall =
    impact.longestStallMs > 0
      ? `The longest time that a step kept it from running: ${duration(impact.longestStallMs / 1000)}.`
      : 'No step stopped it.';
  return [
    { kind: 'heading', text: say('What the look cost the process') },
    { kind: 'text', text: say(felt.length === 0 ? `${stall} Nothing slowed it.` : stall) },
    ...felt.map(({ probe, impact: what, seconds }) => {
      return { kind: 'item', text: say(`\`${probe}\` (${what}) for ${duration(seconds)}`) } as const;
    }),
  ];
};

/** The line that names the process: host, pid, runtime, and the command as code. */
export const subject = ({ target }: Report, language: Language = 'en'): string =>
  inLanguage(
    `Process ${target.pid} on ${target.host}${target.selector === undefined ? '' : ` (found by \`${target.selector.replaceAll('`', "'")}\`)`}, ${target.runtime}: \`${target.command.replaceAll('`', "'")}\``,
    language,
  );

/** Each finding with its quotes, then what was ruled out and what could not be told. */
export const whyParts = (report: Report, language: Language = 'en'): ReportPart[] => {
  const say = sayIn(language);
  return [
    ...report.findings.flatMap((finding): ReportPart[] => [
      { kind: 'heading', text: say(finding.title, finding.cause) },
      {
        kind: 'text',
        text: say(
          `Confidence: ${confidenceWords(finding.confidence)}. Cause: \`${finding.cause}\`. ${finding.summary}`,
          finding.cause,
        ),
      },
      ...quoteParts(finding, say),
      ...(finding.source ?? []).flatMap((excerpt) => excerptParts(excerpt, say)),
    ]),
    ...listParts(say('Ruled out'), byReason(report.ruledOut, say)),
    ...listParts(say('Could not be checked'), byReason(report.cannotTell, say)),
  ];
};

/** The fixes of all findings, each under what it is for. */
export const fixParts = (report: Report, language: Language = 'en'): ReportPart[] => {
  const say = sayIn(language);
  return report.findings
    .filter((finding) => finding.fixes.length > 0)
    .flatMap((finding): ReportPart[] => [
      { kind: 'heading', text: say(finding.title, finding.cause) },
      ...fixesOf(finding, say),
    ]);
};

/** What the rules said that did not fire. For a tool that found nothing nobody asked them: `why` tells it. */
const checkedParts = (report: Report, verdict: Verdict, say: Say): ReportPart[] => [
  ...listParts(say(verdict === 'healthy' ? 'Checked and ruled out' : 'Ruled out'), byReason(report.ruledOut, say)),
  ...listParts(say('Could not be checked'), byReason(report.cannotTell, say)),
];

/** All that a report says, in the order in which a person needs it, in their language. */
export const reportParts = (report: Report, language: Language = 'en'): ReportPart[] => {
  const say = sayIn(language);
  const { verdict, first } = verdictOf(report);
  const others = report.findings.filter((finding) => finding !== first);
  const also = others.filter((finding) => finding.confidence >= HEADLINE);
  const hints = others.filter((finding) => finding.confidence < HEADLINE);
  const lookedAt = new Set(report.related?.map((other) => other.pid));
  const titled = (finding: Finding): ReportPart[] => [
    { kind: 'heading', text: say(finding.title, finding.cause) },
    ...findingParts(finding, lookedAt, say),
  ];
  return [
    { kind: 'heading', text: headline(report, language) },
    { kind: 'text', text: subject(report, language) },
    ...(report.shown === undefined ? [] : shownParts(report.shown, say)),
    ...(first === null ? [] : findingParts(first, lookedAt, say)),
    ...also.flatMap((finding) => [{ kind: 'note', text: say('Also found') } as const, ...titled(finding)]),
    ...hints.flatMap((finding) => [{ kind: 'note', text: say('Hint, not a finding') } as const, ...titled(finding)]),
    ...(report.related === undefined
      ? []
      : [{ kind: 'heading', text: say('Other processes') } as const, ...relatedParts(report, say)]),
    ...(report.shown !== undefined && verdict === 'unclear' ? [] : checkedParts(report, verdict, say)),
    ...listParts(
      say('Keep in mind'),
      report.caveats.map((caveat) => say(caveat)),
    ),
    ...costParts(report, say),
    ...(report.memory === undefined ? [] : [{ kind: 'note', text: say(`Memory: ${report.memory}`) } as const]),
    {
      kind: 'note',
      text: say(
        `Playbook ${report.playbook}, ${duration(report.seconds)}, started ${report.startedAt}, look ${report.id}`,
      ),
    },
  ];
};
