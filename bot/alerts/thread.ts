import type { KnownBlock, RichTextElement } from '@slack/types';
import { selectorText } from '../../playbooks/model/index.ts';
import { count, duration, list, utc } from '../../playbooks/reading/text.ts';
import type { Content, Mark } from '../slack/shapes.ts';
import {
  bold,
  cutTo,
  fallback,
  fitsHeader,
  header,
  note,
  paragraph,
  person,
  plain,
  shownLines,
  spans,
} from '../thread/rich-text.ts';
import { countsOf, type Group, type GroupLook, newestLook } from './group.ts';
import type { Severity } from './notice.ts';

const SIGNS: Record<Severity, string> = { critical: '🔴', error: '🟠', warning: '🟡', info: '🔵', unknown: '⚪' };
const RESOLVED = '🟢';
const MAX_LABEL = 120;

/** The sign of a group: its severity, or that it is over. */
export const signOf = ({ firing, severity }: Pick<Group, 'firing' | 'severity'>): string =>
  firing ? SIGNS[severity] : RESOLVED;

/** A time as the reader's own clock shows it. */
const time = (at: number): RichTextElement => ({
  type: 'date',
  timestamp: Math.floor(at / 1_000),
  format: '{date_short_pretty} {time_secs}',
  fallback: utc(Math.floor(at / 1_000)),
});

/** An address of the source's, shown as what it is. */
const address = (url: string): RichTextElement => ({ type: 'link', url });

/** Where a message of ours is, for links to it. */
export const linkTo = (workspace: string, { channel, ts }: { channel: string; ts: string }): string =>
  `${workspace}archives/${channel}/p${ts.replace('.', '')}`;

/** One line, nothing in it that is more than letters, cut. */
export const oneLine = (text: string, length: number): string =>
  cutTo(shownLines(text.replace(/\s+/gu, ' ').trim()), length).text;

/** How long the newest episode lasted. */
const lasted = ({ since, resolvedAt }: Group): string => duration(Math.max(0, ((resolvedAt ?? since) - since) / 1_000));

const told = (group: Group): RichTextElement[] => {
  const { firing, all } = countsOf(group);
  const parts = [
    ...(all > 1 ? [`${firing} of ${count(all, 'alert')} firing`] : []),
    ...(group.told > 1 ? [`told ${group.told} times`] : []),
    ...(group.episodes > 1 ? [`fired ${group.episodes} times`] : []),
  ];
  return parts.length === 0 ? [] : [plain(` (${parts.join(', ')})`)];
};

const stateOf = (group: Group): RichTextElement[] =>
  group.firing
    ? [
        bold('Firing'),
        plain(' since '),
        time(group.since),
        ...told(group),
        ...(group.told > 1 ? [plain(', last news '), time(group.newestAt)] : []),
      ]
    : [
        bold('Resolved'),
        plain(` after ${lasted(group)}, from `),
        time(group.since),
        plain(' to '),
        time(group.resolvedAt ?? group.since),
        ...told(group),
      ];

const placeOf = ({ host, selector, pid, playbook }: GroupLook): string =>
  `${pid === undefined ? `\`${oneLine(selectorText(selector), 150).replaceAll('`', '')}\`` : `process ${pid}`} on ${host} (playbook ${playbook})`;

const lookLine = (look: GroupLook, waiting: string | null): RichTextElement[] => {
  switch (look.state) {
    case 'asked':
      return spans(`${waiting ?? 'About to look at'} ${placeOf(look)}.`);
    case 'running':
      return spans(`Looking at ${placeOf(look)}.`);
    case 'done':
      return [bold(oneLine(look.said ?? '', 500)), ...spans(` Looked at ${placeOf(look)}.`)];
    default:
      return spans(oneLine(look.said ?? 'The look was not made.', 900));
  }
};

const mentions = ({ mention, firing }: Group): KnownBlock[] =>
  mention.length === 0 || !firing
    ? []
    : [
        paragraph(
          mention.flatMap((id): RichTextElement[] => [
            id.startsWith('S') ? { type: 'usergroup', usergroup_id: id } : person(id),
            plain(' '),
          ]),
        ),
      ];

const smallPrint = ({ labels, source, route, id }: Group): string => {
  const shown = Object.entries(labels)
    .slice(0, 25)
    .map(([name, value]) => `${oneLine(name, 60)}=${oneLine(value, MAX_LABEL)}`);
  const more = Object.keys(labels).length - shown.length;
  return [
    ...shown,
    ...(more > 0 ? [`and ${count(more, 'more label')}`] : []),
    `${source}, ${route === null ? 'no route' : `route ${oneLine(route, 80)}`}, ${id}`,
  ].join(' · ');
};

/**
 * The first message of a group's thread, from what is known of it now. `waiting` says why a look that was asked for has not begun.
 * Everything that an alert says is literal text; only those whom the route names are mentioned. Pure.
 */
export const groupContent = (
  group: Group,
  { workspace, waiting }: { workspace: string; waiting: string | null },
): Content => {
  const title = `${signOf(group)} ${oneLine(group.title, 1_000)}`;
  const look = newestLook(group);
  return {
    text: fallback(title),
    blocks: [
      header(title),
      ...(fitsHeader(title) ? [] : [paragraph([plain(oneLine(group.title, 1_000))])]),
      ...mentions(group),
      paragraph(stateOf(group)),
      ...(look === undefined ? [] : [paragraph(lookLine(look, waiting))]),
      ...(look === undefined && group.noLook !== null
        ? [paragraph(spans(`Nothing is looked at: ${oneLine(group.noLook, 600)}.`))]
        : []),
      ...group.same
        .slice(-3)
        .map(({ title: other, cause, ...place }) =>
          paragraph([
            ...spans(`The same cause (\`${cause}\`) in the same process: `),
            { type: 'link', url: linkTo(workspace, place), text: oneLine(other, 200) || 'the other thread' },
          ]),
        ),
      ...(group.url === null ? [] : [paragraph([address(group.url)])]),
      note(smallPrint(group)),
    ],
  };
};

/** What the first message is recognised by, and what commands in its thread take host and process from. */
export const groupMark = (group: Group): Mark => {
  const look = newestLook(group);
  return {
    request_id: group.id,
    part: 'first',
    alert: true,
    ...(look === undefined ? {} : { host: look.host, playbook: look.playbook }),
    ...(look?.pid === undefined ? {} : { pid: look.pid }),
  };
};

/** The reply that says that a group fires again. */
export const firesAgain = (group: Group): Content => ({
  text: fallback(`${signOf(group)} It fires again.`),
  blocks: [
    paragraph([
      plain(`${SIGNS[group.severity]} It fires again, the ${ordinal(group.episodes)} time, since `),
      time(group.since),
      plain('.'),
    ]),
  ],
});

const ordinal = (number: number): string => {
  const teen = number % 100 >= 11 && number % 100 <= 13;
  return `${number}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th')}`;
};

/** `3 critical, 1 warning`, the worst first. */
export const bySeverity = (severities: readonly Severity[]): string => {
  const order: Severity[] = ['critical', 'error', 'warning', 'info', 'unknown'];
  const parts = order.flatMap((severity) => {
    const number = severities.filter((each) => each === severity).length;
    return number === 0 ? [] : [`${number} ${severity}`];
  });
  return list(parts);
};
