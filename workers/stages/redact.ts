import { type Redactor, redactor, type SiteRules } from '../../infra/redact/redactor.ts';
import { scanForSecrets } from '../../infra/redact/scan.ts';
import { type Evidence, type Finding, LookFailed, type Report } from '../../playbooks/model/index.ts';

const decoder = new TextDecoder('utf-8', { fatal: false });

/** Standard output, then standard error when there is any, as text. */
const wholeText = ({ stdout, stderr }: Pick<Evidence, 'stdout' | 'stderr'>): string => {
  const errors = decoder.decode(stderr);
  return decoder.decode(stdout) + (errors.trim() === '' ? '' : `\n--- standard error ---\n${errors}`);
};

/**
 * The redactor of a look. What is found to be a secret anywhere in the evidence is one everywhere. Throws LookFailed when
 * the evidence cannot be checked: then nothing of it leaves the worker.
 */
export const redactorFor = async (all: readonly Evidence[], site?: SiteRules): Promise<Redactor> => {
  try {
    return redactor(await scanForSecrets(all.map(wholeText)), site);
  } catch (error) {
    throw new LookFailed(
      'internal',
      'The look is done, but its report is withheld: it could not be checked for secrets. The worker’s log says why.',
      error,
    );
  }
};

/** Evidence as text without its secrets; this and not the raw bytes is what leaves the worker. */
export interface RedactedEvidence {
  readonly id: string;
  readonly probe: string;
  readonly text: string;
  /** The host cut the output; what is missing was never here. */
  readonly truncated: boolean;
}

/**
 * Redacts evidence line by line. Fails closed: when it throws, nothing of that evidence leaves.
 */
export const redactEvidence = (all: readonly Evidence[], redact: Redactor): RedactedEvidence[] => {
  return all.map(({ id, probe, stdout, stderr, dropped }) => {
    const truncated = dropped > 0;
    try {
      return { id, probe, truncated, text: redact.text(wholeText({ stdout, stderr })) };
    } catch {
      return { id, probe, truncated, text: `[withheld: ${id} could not be checked for secrets]\n` };
    }
  });
};

const redactFinding = (finding: Finding, text: Redactor['text']): Finding => ({
  ...finding,
  title: text(finding.title),
  summary: text(finding.summary),
  evidence: finding.evidence.map((quote) => ({ ...quote, text: text(quote.text) })),
  fixes: finding.fixes.map((fix) => ({
    title: text(fix.title),
    detail: text(fix.detail),
    ...(fix.code === undefined ? {} : { code: text(fix.code) }),
  })),
  ...(finding.related === undefined
    ? {}
    : { related: finding.related.map(({ pid, why }) => ({ pid, why: text(why) })) }),
  ...(finding.source === undefined
    ? {}
    : {
        source: finding.source.map((excerpt) => ({
          ...excerpt,
          file: text(excerpt.file),
          function: text(excerpt.function),
          lines: excerpt.lines.map((line) => ({ ...line, text: text(line.text) })),
        })),
      }),
});

/** Redacts every text of a report. Ids, numbers and causes stay as they are. */
export const redactReport = (report: Report, redact: Redactor): Report => {
  const { text } = redact;
  return {
    ...report,
    target: { ...report.target, command: text(report.target.command), runtime: text(report.target.runtime) },
    findings: report.findings.map((finding) => redactFinding(finding, text)),
    ruledOut: report.ruledOut.map((each) => ({ ...each, why: text(each.why) })),
    cannotTell: report.cannotTell.map((each) => ({ ...each, why: text(each.why) })),
    caveats: report.caveats.map(text),
    evidence: report.evidence.map((each) => ({ ...each, command: text(each.command) })),
    ...(report.memory === undefined ? {} : { memory: text(report.memory) }),
    ...(report.shown === undefined
      ? {}
      : {
          shown: {
            ...report.shown,
            why: report.shown.why === null ? null : text(report.shown.why),
            lines: report.shown.lines.map(text),
          },
        }),
    ...(report.related === undefined
      ? {}
      : {
          related: report.related.map((each) => ({
            ...each,
            why: text(each.why),
            command: each.command === null ? null : text(each.command),
            findings: each.findings.map((finding) => redactFinding(finding, text)),
            failure: each.failure === null ? null : text(each.failure),
          })),
        }),
  };
};
