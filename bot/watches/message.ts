import { bytes, count, duration } from '../../playbooks/reading/text.ts';
import type { Content, Mark } from '../slack/shapes.ts';
import {
  cutTo,
  fallback,
  header,
  note,
  paragraph,
  person,
  plain,
  preformatted,
  shownLines,
  spans,
} from '../thread/rich-text.ts';
import { curve, ends } from './curve.ts';
import type { Watch, WatchPoint } from './state.ts';
import type { Change } from './take-in.ts';

/** So that a line with its figures fits into a thread beside the channel. */
const WIDTH = 24;

/** What a watch's message is recognised by. */
export const watchMark = ({ id, host, pid }: Watch): Mark => ({ request_id: id, part: 'watch', host, pid });

const perCent = (value: number): string => `${Math.round(value)} %`;
const memory = (kib: number): string => bytes(kib * 1024);
const number = (value: number): string => value.toLocaleString('en-US');

const ROWS: readonly (readonly [string, keyof Omit<WatchPoint, 'at'>, (value: number) => string])[] = [
  ['CPU', 'cpuPercent', perCent],
  ['memory', 'rssKib', memory],
  ['threads', 'threads', number],
  ['descriptors', 'fds', number],
];

/** `12 % → 88 %, max 97 %`; the highest only where it is neither the first nor the last. */
const path = (
  { first, last, most }: { readonly first: number; readonly last: number; readonly most: number },
  shown: (value: number) => string,
): string => `${shown(first)} → ${shown(last)}${most > Math.max(first, last) ? `, max ${shown(most)}` : ''}`;

/** One line a figure: its curve, where it began, where it is, the highest it was. */
export const curves = (points: readonly WatchPoint[]): string => {
  const label = Math.max(...ROWS.map(([name]) => name.length));
  const width = Math.min(WIDTH, points.length);
  return ROWS.map(([name, field, shown]) => {
    const values = points.map((point) => point[field]);
    const figures = ends(values);
    const said = figures === null ? 'not seen yet' : path(figures, shown);
    return `${name.padEnd(label)}  ${curve(values, WIDTH).padEnd(width)}  ${said}`;
  }).join('\n');
};

/** `22:50 UTC` */
export const clock = (at: number): string => `${new Date(at).toISOString().slice(11, 16)} UTC`;

/** `process 6325 on web-7` */
export const watched = ({ pid, host }: Pick<Watch, 'pid' | 'host'>): string => `process ${pid} on ${host}`;

const causesText = ({ causes, points }: Watch): string => {
  if (points.length === 0) return 'The first look is on its way.';
  const titles = (seen: boolean): string =>
    causes
      .filter((each) => each.present && each.seen === seen)
      .map(({ title }) => title)
      .join('; ');
  const [now, before] = [titles(true), titles(false)];
  return [
    now === '' ? 'The last look found no fault.' : `Found: ${now}.`,
    ...(before === '' ? [] : [`Found before, and not ruled out since: ${before}.`]),
  ].join(' ');
};

const footer = ({ points, until, ended, id }: Watch, everyMs: number): string => {
  const looks = count(points.length, 'look');
  return ended === null
    ? `${looks}, one every ${duration(everyMs / 1000)}, until ${clock(until)}. Say cancel to end it. Watch ${id}`
    : `${looks}. Watch ${id}`;
};

/** The one message of a watch, as things are. Pure. */
export const watchContent = (watch: Watch, everyMs: number): Content => {
  const { ended, startedAt, failing, command, points, user } = watch;
  const title =
    ended === null
      ? `Watching ${watched(watch)}`
      : `Watched ${watched(watch)} for ${duration(Math.max(1, Math.round((ended.at - startedAt) / 1000)))}`;
  const line = (text: string, most = 600) => paragraph(spans(cutTo(shownLines(text).replaceAll('\n', ' '), most).text));
  return {
    text: fallback(title),
    blocks: [
      header(title),
      ...(command === null ? [] : [paragraph([plain(cutTo(shownLines(command).replaceAll('\n', ' '), 300).text)])]),
      ...(points.length === 0 ? [] : [preformatted(curves(points))]),
      line(causesText(watch), 1_500),
      ...(ended === null ? [] : [line(ended.why)]),
      ...(ended === null && failing !== null
        ? [line(`The last ${failing.times === 1 ? 'look' : `${failing.times} looks`} failed: ${failing.sentence}`)]
        : []),
      paragraph([person(user), plain(' asked.')]),
      note(footer(watch, everyMs)),
    ],
  };
};

const SPEAKS_LAST = ' It comes and goes; I say no more about it, the message of the watch shows it.';

/** What the thread is told of a change. */
export const changeSentence = (watch: Watch, change: Change): string => {
  const last = change.last ? SPEAKS_LAST : '';
  if (change.kind === 'went') {
    return `🟢 While watching ${watched(watch)}: no longer found: ${change.title} (${change.why}).${last}`;
  }
  const { title, summary, cause } = change.finding;
  return `🔴 While watching ${watched(watch)}: ${title}. ${summary} Cause: \`${cause}\`. Say \`again\` for a whole look.${last}`;
};
