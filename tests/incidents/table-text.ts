import type { IncidentLine } from '../support/incident-record.ts';

type LookLine = Extract<IncidentLine, { kind: 'look' }>;

/** A look with what it should have found. */
export interface Incident extends LookLine {
  /** What its test expected to be found, in the order in which it asked; the first is the headline. */
  readonly expected: readonly string[];
}

/** Looks whose tests said what they expected; others are steps on the way (a second look, a related process). */
export const incidentsFrom = (lines: readonly IncidentLine[]): Incident[] => {
  const expected = new Map<string, string[]>();
  for (const line of lines) {
    if (line.kind === 'expected') expected.set(line.id, [...(expected.get(line.id) ?? []), line.cause]);
  }
  return lines
    .filter((line) => line.kind === 'look')
    .flatMap((line) => {
      const causes = expected.get(line.id);
      return causes === undefined ? [] : [{ ...line, expected: causes }];
    })
    .toSorted((a, b) => a.file.localeCompare(b.file) || a.test.localeCompare(b.test));
};

/** What a person reads as the headline; `nothing` when no cause reached 0.5 and health was not shown either. */
const headlineOf = (incident: Incident): string => incident.found[0]?.cause ?? 'nothing';

/** For a healthy process saying nothing is right too. */
const isRight = (incident: Incident): boolean => {
  const said = headlineOf(incident);
  const [wanted] = incident.expected;
  return said === wanted || (wanted === 'healthy' && said === 'nothing');
};

const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
};

const mean = (numbers: readonly number[]): number =>
  numbers.length === 0 ? 0 : numbers.reduce((total, each) => total + each, 0) / numbers.length;

/**
 * Mean squared distance between the confidence of the headline and whether it was right (1) or not (0): 0 is best, 0.25
 * is what always saying 0.5 would get. Looks without a headline have no forecast and are left out.
 */
export const brierScore = (incidents: readonly Incident[]): number =>
  mean(
    incidents.flatMap((each) => {
      const [first] = each.found;
      return first === undefined ? [] : [(first.confidence - (isRight(each) ? 1 : 0)) ** 2];
    }),
  );

const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s+/g, ' ');

/** Interpreters by their version, not by where they lie. */
const plainName = (test: string): string =>
  test
    .replace(/\S*\/versions\/([\d.]+)\/bin\/python\b/g, 'Python $1')
    .replace(/\/usr\/bin\/python3\b/g, 'the system’s Python');

const row = (incident: Incident): string => {
  const [first] = incident.found;
  const found = first === undefined ? 'nothing' : incident.found.map((each) => each.cause).join(', ');
  const cells = [
    plainName(incident.test),
    incident.expected.join(', '),
    `${isRight(incident) ? '' : '**wrong** '}${found}`,
    first === undefined ? '' : first.confidence.toFixed(2),
    incident.seconds.toFixed(1),
    String(incident.stallMs),
    incident.unhurt === null ? 'by its test' : incident.unhurt ? 'yes' : '**no**',
  ];
  return `| ${cells.map(cell).join(' | ')} |`;
};

const confusions = (incidents: readonly Incident[]): string[] => {
  const expected = [...new Set(incidents.map((each) => each.expected[0] ?? ''))].sort();
  return expected.map((cause) => {
    const those = incidents.filter((each) => each.expected[0] === cause);
    const said = new Map<string, number>();
    for (const each of those) said.set(headlineOf(each), (said.get(headlineOf(each)) ?? 0) + 1);
    const cells = [...said].sort((a, b) => b[1] - a[1]).map(([found, count]) => `${found} ${count}`);
    return `| ${cause} | ${those.length} | ${cells.join(', ')} |`;
  });
};

/** The table of `npm run incidents`, as Markdown. */
export const tableOf = (incidents: readonly Incident[]): string => {
  const right = incidents.filter(isRight);
  const healthy = incidents.filter((each) => each.expected[0] === 'healthy');
  const alarms = healthy.filter((each) => !isRight(each));
  const seconds = incidents.map((each) => each.seconds);
  return [
    `${incidents.length} looks: ${right.length} with the right first finding, ${alarms.length} false alarms in ${healthy.length} healthy ones; Brier score ${brierScore(incidents).toFixed(3)}; median ${median(seconds).toFixed(1)} s, slowest ${Math.max(0, ...seconds).toFixed(1)} s; longest stall ${Math.max(0, ...incidents.map((each) => each.stallMs))} ms.`,
    '',
    '| Expected | Looks | Found first |',
    '|---|---|---|',
    ...confusions(incidents),
    '',
    '| Incident | Expected | Found | Confidence | Seconds | Stall, ms | Target unhurt |',
    '|---|---|---|---|---|---|---|',
    ...incidents.map(row),
    '',
  ].join('\n');
};
