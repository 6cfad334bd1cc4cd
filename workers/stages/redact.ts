import type { Evidence, Finding, Report } from '../../playbooks/model/index.ts';

/**
 * Takes secrets out of everything that leaves the worker. The same secret gets the same placeholder within a look, so
 * that two quotes of it can still be seen to be the same. Works line by line: the numbers of lines do not change.
 */
export interface Redactor {
  readonly text: (text: string) => string;
  /** How many different secrets were replaced so far. */
  readonly count: () => number;
}

/** Names whose values are secrets, in `key=value`, `key: value`, `--key value` and JSON alike. */
const KEY = `[A-Za-z0-9_.-]{0,40}(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth(?:orization)?|cookie|session[_-]?id|dsn)[A-Za-z0-9_.-]{0,20}`;
const VALUE = String.raw`"(?:[^"\\\n]|\\.){1,4096}"|'(?:[^'\\\n]|\\.){1,4096}'|[^\s"',;&)\]}<>]{1,4096}`;

/** Each pattern's first group is what stays, its last is what goes. */
const PATTERNS: readonly RegExp[] = [
  // https://user:password@host, redis://:password@host
  /(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@"']{0,128}:)([^\s/@"']{1,512})(?=@)/gi,
  /(\bauthorization["']?\s{0,4}[:=]\s{0,4}["']?(?:basic|bearer|token|digest)\s{1,4})([^\s"',;]{4,4096})/gi,
  /(\bbearer\s{1,4})([A-Za-z0-9._~+/=-]{8,4096})/gi,
  /(\b(?:set-)?cookie["']?\s{0,4}[:=]\s{0,4}["']?)([^\n"'\\]{4,4096})/gi,
  new RegExp(String.raw`((?<![A-Za-z0-9_.-])${KEY}["']?\s{0,4}[=:]\s{0,4})(${VALUE})`, 'gi'),
  new RegExp(`((?<![A-Za-z0-9_.-])--?${KEY}[ =])(${VALUE})`, 'gi'),
  /()(\bxox[abeprs]-[A-Za-z0-9-]{8,256}|\bxapp-[A-Za-z0-9-]{8,256})/g,
  /()(\bAKIA[0-9A-Z]{16}\b|\bASIA[0-9A-Z]{16}\b)/g,
  /()(\bgh[pousr]_[A-Za-z0-9]{20,255}\b|\bgithub_pat_[A-Za-z0-9_]{20,255}\b|\bglpat-[A-Za-z0-9_-]{20,64}\b)/g,
  /()(\bsk-[A-Za-z0-9_-]{20,255}\b|\b[rs]k_live_[A-Za-z0-9]{16,255}\b)/g,
  /()(\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{4,4096})/g,
  /()(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^\n]{0,16384})/g,
  /()(\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}\b)/g,
];

/** Values that say nothing and hide much when replaced: `password=None`, `token=0x7f…` in C frames. */
const HARMLESS =
  /^(?:["']?(?:none|null|true|false|nil|yes|no|bearer|basic|digest|token)["']?|0x[0-9a-f]+|<[a-z ]+>|\d{1,3}|\*+|["']{2})$/i;

/** `token.py:1024` is a place in a file, not a key and its value. */
const isLineNumber = (keep: string, value: string): boolean =>
  /\.\w{1,4}:$/.test(keep) && /^\d+(?:-\d+)?[`.,;]*$/.test(value);

/** A new redactor, with its own placeholders. */
export const redactor = (): Redactor => {
  const known = new Map<string, string>();
  const placeholder = (secret: string): string => {
    const bare = secret.replace(/^["']|["']$/g, '');
    let name = known.get(bare);
    if (name === undefined) {
      name = `[redacted-${known.size + 1}]`;
      known.set(bare, name);
    }
    return name;
  };
  const text = (input: string): string =>
    PATTERNS.reduce(
      (output, pattern) =>
        output.replace(pattern, (whole: string, keep: string, secret: string) =>
          HARMLESS.test(secret) || isLineNumber(keep, secret) || /^\[redacted-\d+/.test(secret)
            ? whole
            : keep + placeholder(secret),
        ),
      input,
    );
  return { text, count: () => known.size };
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
  const decoder = new TextDecoder('utf-8', { fatal: false });
  return all.map(({ id, probe, stdout, stderr, dropped }) => {
    const truncated = dropped > 0;
    try {
      const errors = decoder.decode(stderr);
      const whole = decoder.decode(stdout) + (errors.trim() === '' ? '' : `\n--- standard error ---\n${errors}`);
      return { id, probe, truncated, text: whole.split('\n').map(redact.text).join('\n') };
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
