import type { Finding, Report, ReportFigures } from './model/index.ts';
import { bytes, clip, count, duration, kib, list, percent, visible } from './reading/text.ts';
import type { FigureChange, KeptFinding, ReportDiff, TypeChange } from './report-diff.ts';
import { confidenceWords, headline, type ReportPart } from './report-parts.ts';

interface Kind {
  readonly words: string;
  readonly shown: (value: number) => string;
}

const plain = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 });
const rate = (value: number): string => `${kib(value)}/s`;

/** How each figure is called and written, in the order in which they are told. */
const FIGURES: Readonly<Record<keyof ReportFigures, Kind>> = {
  cpuPercent: { words: 'CPU', shown: (value) => `${plain(value)} %` },
  rssKib: { words: 'resident memory', shown: kib },
  swapKib: { words: 'swapped out', shown: kib },
  threads: { words: 'threads', shown: plain },
  fds: { words: 'descriptors', shown: plain },
  fdLimit: { words: 'descriptors allowed', shown: plain },
  sockets: { words: 'sockets', shown: plain },
  children: { words: 'children', shown: plain },
  ageSeconds: { words: 'age', shown: duration },
  majorFaultsPerSecond: { words: 'major faults a second', shown: plain },
  readKibPerSecond: { words: 'read from storage', shown: rate },
  writtenKibPerSecond: { words: 'written to storage', shown: rate },
};

/** What is different in every window: a share of it would say little. */
const RATES: ReadonlySet<string> = new Set([
  'cpuPercent',
  'majorFaultsPerSecond',
  'readKibPerSecond',
  'writtenKibPerSecond',
]);

const signed = (value: number, shown: (value: number) => string): string =>
  value === 0 ? 'as before' : `${value > 0 ? '+' : '-'}${shown(Math.abs(value))}`;

/** Rows of words as aligned columns, the first to the left and the others to the right. */
const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

const figureRow = ({ name, before, after, changed }: FigureChange): string[] => {
  const { words, shown } = FIGURES[name];
  const share =
    before > 0 && changed !== 0 && !RATES.has(name)
      ? ` (${changed > 0 ? '+' : '-'}${percent(Math.abs(changed) / before)})`
      : '';
  return [words, shown(before), shown(after), `${signed(changed, shown)}${share}`];
};

const figureParts = ({ figures }: ReportDiff): ReportPart[] => {
  const order = Object.keys(FIGURES);
  // A limit that is the same says nothing, nor does nothing that still is nothing; and everything grows older.
  const told = figures.filter(
    ({ name, after, changed }) =>
      name !== 'ageSeconds' && !(changed === 0 && (name === 'fdLimit' || (after === 0 && name !== 'cpuPercent'))),
  );
  if (told.length === 0) return [];
  const rows = [...told].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name)).map(figureRow);
  return [
    { kind: 'heading', text: 'In figures' },
    { kind: 'code', text: table([['', 'before', 'after', 'change'], ...rows]) },
  ];
};

const MOST_TYPES = 15;

const typeRow = ({ type, before, after, grew }: TypeChange): string[] => [
  clip(visible(type), 40),
  before === null ? 'few' : plain(before.objects),
  after === null ? 'few' : plain(after.objects),
  signed(grew, bytes),
];

const typeParts = ({ types }: ReportDiff): ReportPart[] => {
  if (types.length === 0) return [];
  const most = [...types].sort((a, b) => Math.abs(b.grew) - Math.abs(a.grew)).slice(0, MOST_TYPES);
  const shown = types.filter((each) => most.includes(each));
  const more: ReportPart[] =
    types.length > shown.length
      ? [{ kind: 'text', text: `${count(types.length - shown.length, 'other type')} changed less.` }]
      : [];
  return [
    { kind: 'heading', text: 'Python objects by type' },
    { kind: 'code', text: table([['', 'before', 'after', 'bytes'], ...shown.map(typeRow)]) },
    ...more,
  ];
};

const named = (finding: Finding): string =>
  `${finding.title} (\`${finding.cause}\`, ${confidenceWords(finding.confidence)})`;

const sectionOf = (title: string, items: readonly string[]): ReportPart[] =>
  items.length === 0
    ? []
    : [{ kind: 'heading', text: title }, ...items.map((text): ReportPart => ({ kind: 'item', text }))];

/** A finding that is in both: as sure as before or not, and in other words where it counts something. */
const keptText = ({ cause, before, after }: KeptFinding): string => {
  const [was, is] = [Math.round(before.confidence * 100), Math.round(after.confidence * 100)];
  const sure = was === is ? `still ${is} %` : `${was} % before, ${is} % now`;
  const words = before.title === after.title ? '' : ` Before: ${before.title}`;
  return `${after.title} (\`${cause}\`, ${sure}).${words}`;
};

const findingParts = ({ came, went, unchecked, stayed }: ReportDiff): ReportPart[] => [
  ...sectionOf('New', came.map(named)),
  ...sectionOf(
    'Gone',
    went.map(({ finding, why }) => `${named(finding)}${why === null ? '' : `. Ruled out now: ${why}`}`),
  ),
  ...sectionOf(
    'Not checked this time',
    unchecked.map(({ finding, why }) => `${named(finding)}. Whether it still holds is not known: ${why}`),
  ),
  ...sectionOf('Still there', stayed.map(keptText)),
];

/** What a comparison comes to, in one line. */
export const diffHeadline = ({ came, went, unchecked, stayed, types, figures }: ReportDiff): string => {
  const parts = [
    came.length > 0 ? `${count(came.length, 'finding')} new` : '',
    went.length > 0 ? `${went.length} gone` : '',
    unchecked.length > 0 ? `${unchecked.length} not checked` : '',
    stayed.length > 0 ? `${stayed.length} as before` : '',
  ].filter((part) => part !== '');
  if (parts.length > 0) return `Compared: ${list(parts)}`;
  return figures.length + types.length > 0 ? 'Compared: no findings, only figures' : 'Compared: nothing to tell apart';
};

const lookText = (report: Report): string =>
  `look \`${report.id}\` (${report.startedAt}, playbook \`${report.playbook}\`): ${headline(report)}`;

const PROCESS: Readonly<Record<Exclude<ReportDiff['process'], 'same'>, string>> = {
  restarted:
    'These are two processes of one host, not one that went on: it was restarted or another one was looked at.',
  other: 'These are processes of two hosts.',
};

/** All that a comparison says. Pure. */
export const reportDiffParts = (diff: ReportDiff): ReportPart[] => {
  const { before, after, process, seconds } = diff;
  const others = before.playbook === after.playbook ? [] : [before.playbook, after.playbook].map((id) => `\`${id}\``);
  const caution = [
    ...(process === 'same' ? [] : [PROCESS[process]]),
    ...(others.length === 0 ? [] : [`They looked in different ways, ${list(others)}, so not everything compares.`]),
  ];
  return [
    { kind: 'heading', text: diffHeadline(diff) },
    { kind: 'item', text: `Before, ${lookText(before)}` },
    {
      kind: 'item',
      text: `After${seconds > 0 ? `, ${duration(seconds)} later` : ''}, ${lookText(after)}`,
    },
    ...caution.map((text): ReportPart => ({ kind: 'text', text })),
    ...findingParts(diff),
    ...figureParts(diff),
    ...typeParts(diff),
  ];
};
