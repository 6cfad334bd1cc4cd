import type { Ran } from './drive.ts';

/** Violations of one kind that are shown. */
const SHOWN = 5;

const row = (...cells: readonly (string | number)[]): string =>
  `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;

const counted = (values: readonly string[]): string => {
  const times = new Map<string, number>();
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1);
  return [...times].map(([value, count]) => `${count} ${value}`).join(', ');
};

/** Whether anything was violated. */
export const failed = ({ invariants }: Pick<Ran, 'invariants'>): boolean =>
  invariants.some(({ violations }) => violations.length > 0);

/** A run as Markdown: what was asked, what went wrong on purpose, and what held. Pure. */
export const tableOf = (ran: Ran): string => {
  const { plan, asked, outcomes, faults, invariants, resident, seconds } = ran;
  const mib = resident.map(({ name, firstMib, lastMib }) => `${name} ${Math.round(firstMib)} → ${Math.round(lastMib)}`);
  return [
    `Seed ${plan.seed}: ${asked.length} requests (${counted(asked.map(({ way }) => way))}) in ${Math.round(seconds)} s.`,
    '',
    row('Became of them', 'Count'),
    row('---', '---'),
    row('a report', outcomes.reports),
    ...Object.entries(outcomes.failures)
      .sort(([, a], [, b]) => b - a)
      .map(([sentence, count]) => row(`a sentence: ${sentence}`, count)),
    row('a sentence to the asker alone', outcomes.toldOnly),
    row('not taken, and the asker knows', outcomes.notTaken),
    '',
    row('Fault', 'Times'),
    row('---', '---'),
    ...[...faults].sort(([a], [b]) => a.localeCompare(b)).map(([kind, count]) => row(kind, count)),
    '',
    row('What has to hold', 'Of', 'Violations', 'The first of them'),
    row('---', '---', '---', '---'),
    ...invariants.map(({ name, of, violations }) =>
      row(name, of, violations.length, violations.slice(0, SHOWN).join('; ')),
    ),
    '',
    `Resident, MiB, when up and at the end: ${mib.join(', ')}.`,
    '',
  ].join('\n');
};
