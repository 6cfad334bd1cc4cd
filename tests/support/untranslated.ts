import { pathToFileURL } from 'node:url';
import type { Report } from '../../playbooks/model/index.ts';
import { type Language, translated } from '../../playbooks/words/index.ts';
import { recordedNames, recordedReport } from './recorded-reports.ts';

/**
 * Lists what the recorded looks say that has no translation, by cause:
 *   node --import ./tests/support/typescript-loader.mjs tests/support/untranslated.ts [CAUSE…]
 */
export interface Untranslated {
  readonly cause: string;
  /** Where it was said: `title`, `summary`, `fix`, `why`. */
  readonly where: string;
  /** The sentence or phrase, as it was said. */
  readonly text: string;
  /** The text that it is a part of, and what has become of that. */
  readonly all: string;
  readonly said: string;
  /** The recorded look. */
  readonly look: string;
}

/** Each text of ours in a report, with the cause that says it. */
export const textsOf = (report: Report): { cause: string; where: string; text: string }[] => [
  ...report.findings.flatMap(({ cause, title, summary, fixes, related = [] }) => [
    { cause, where: 'title', text: title },
    { cause, where: 'summary', text: summary },
    ...fixes.flatMap((fix) => [
      { cause, where: 'fix title', text: fix.title },
      { cause, where: 'fix detail', text: fix.detail },
    ]),
    ...related.map(({ why }) => ({ cause, where: 'related', text: why })),
  ]),
  ...report.ruledOut.map(({ cause, why }) => ({ cause, where: 'ruled out', text: why })),
  ...report.cannotTell.map(({ cause, why }) => ({ cause, where: 'cannot tell', text: why })),
  ...report.caveats.map((text) => ({ cause: '', where: 'caveat', text })),
];

/** What of a report has no translation. */
export const untranslatedIn = (report: Report, look: string, language: Language = 'zh'): Untranslated[] =>
  textsOf(report).flatMap(({ cause, where, text }) => {
    const said = translated(text, language, cause === '' ? undefined : cause);
    return said.unknown.map((each) => ({ cause, where, text: each, all: text, said: said.text, look }));
  });

/** Texts alike but for names and numbers. */
const shapeOf = (text: string): string => text.replace(/`[^`]*`/g, '`…`').replace(/\d[\d.,]*/g, '9');

const print = (wanted: readonly string[]): void => {
  const shapes = new Set<string>();
  const found = recordedNames()
    .flatMap((name) => untranslatedIn(recordedReport(name), name))
    .filter(({ cause }) => wanted.length === 0 || wanted.includes(cause))
    .sort((one, other) => one.cause.localeCompare(other.cause) || one.where.localeCompare(other.where));
  let cause = '';
  for (const each of found) {
    const shape = `${each.cause} ${shapeOf(each.text)}`;
    if (shapes.has(shape)) continue;
    shapes.add(shape);
    if (each.cause !== cause) process.stdout.write(`\n== ${each.cause}\n`);
    cause = each.cause;
    process.stdout.write(`${each.where} (${each.look}): ${each.text}\n`);
    if (each.text !== each.all && !each.all.includes(`. ${each.text}`) && each.text.length < 60) {
      process.stdout.write(`    in: ${each.all.slice(0, 300)}\n    as: ${each.said.slice(0, 300)}\n`);
    }
  }
  process.stdout.write(`\n${shapes.size} without a translation\n`);
};

const [, script = '', ...causes] = process.argv;
if (import.meta.url === pathToFileURL(script).href) print(causes);
