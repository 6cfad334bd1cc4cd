import type { Finding, Report } from './model/index.ts';
import { duration, list } from './reading/text.ts';
import { reportDiff } from './report-diff.ts';
import { reportDiffParts } from './report-diff-parts.ts';
import { headline, type ReportPart } from './report-parts.ts';

const SURE = 0.5;
const HEALTHY = 'healthy';

/** What became of the causes of an earlier look. */
export interface Verified {
  /** `still` when at least one is still there, `unknown` when one of the others cannot be told, else `gone`. */
  readonly verdict: 'gone' | 'still' | 'unknown';
  /** One line. */
  readonly title: string;
  readonly parts: readonly ReportPart[];
}

const isFault = ({ cause, confidence }: Finding): boolean => cause !== HEALTHY && confidence >= SURE;

const causes = (findings: readonly { readonly cause: string }[]): string =>
  list([...new Set(findings.map(({ cause }) => `\`${cause}\``))]);

/** Whether a look found a fault that a later look can confirm or clear. */
export const hasFault = (report: Report): boolean => report.findings.some(isFault);

/** A fault that takes longer to show than the new process has lived is not shown to be gone. */
const youth = (before: Report, after: Report): string => {
  const [old, young] = [before.figures?.ageSeconds, after.figures?.ageSeconds];
  const same = before.target.pid === after.target.pid && before.target.startTime === after.target.startTime;
  if (same || young === undefined || young >= Math.min(600, old ?? 600)) return '';
  return ` It is only ${duration(young)} old: say \`verify\` again when it has run for as long as the fault needs to show.`;
};

/**
 * Whether the causes of a look before a fix are gone in a look at the process after it, and both looks side by side.
 * `how` says how the second process follows from the first. Pure.
 */
export const verified = (before: Report, after: Report, how: string): Verified => {
  const diff = reportDiff(before, after);
  const still = diff.stayed.filter((each) => isFault(each.before) && each.after.confidence >= SURE);
  const hints = diff.stayed.filter((each) => isFault(each.before) && each.after.confidence < SURE);
  const unchecked = diff.unchecked.filter(({ finding }) => isFault(finding));
  const went = diff.went.filter(({ finding }) => isFault(finding));
  const came = diff.came.filter(isFault);
  const process =
    after.target.pid === before.target.pid
      ? `process ${after.target.pid}`
      : `process ${after.target.pid}, which took the place of ${before.target.pid}`;
  const unknown = [...hints.map((each) => each.before), ...unchecked.map(({ finding }) => finding)];
  const verdict = still.length > 0 ? 'still' : unknown.length > 0 || went.length === 0 ? 'unknown' : 'gone';
  const said = [
    still.length === 0 ? '' : `Still there: ${causes(still)}`,
    unknown.length === 0
      ? ''
      : `It cannot be told whether ${causes(unknown)} ${unknown.length === 1 ? 'is' : 'are'} gone`,
    went.length === 0 ? '' : `Gone: ${causes(went.map(({ finding }) => finding))}`,
  ].filter((each) => each !== '');
  const title = said.length === 0 ? 'The look before found no cause that could be gone' : said.join('. ');
  const why =
    unknown.length > 0
      ? ` ${[...unchecked.map(({ finding, why: said }) => `\`${finding.cause}\`: ${said}`), ...hints.map(({ cause }) => `\`${cause}\` is only a hint now`)].join('; ')}.`
      : '';
  const more = came.length === 0 ? '' : ` New since then: ${causes(came)}.`;
  const healthy = verdict === 'gone' && came.length === 0 ? youth(before, after) : '';
  const parts: ReportPart[] = [
    { kind: 'heading', text: title.replaceAll('`', '') },
    { kind: 'text', text: `Looked at ${process}.${how === '' ? '' : ` ${how}`}${why}${more}${healthy}` },
    { kind: 'item', text: `Before: ${headline(before)}` },
    { kind: 'item', text: `After: ${headline(after)}` },
    // Its first parts say what has just been said.
    ...reportDiffParts(diff).slice(diff.process === 'restarted' ? 4 : 3),
  ];
  return { verdict, title, parts };
};
