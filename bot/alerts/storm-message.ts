import type { RichTextElement } from '@slack/types';
import { count, duration, utc } from '../../playbooks/reading/text.ts';
import type { Content, Mark, Message } from '../slack/shapes.ts';
import { bold, bullets, fallback, header, note, paragraph, person, plain } from '../thread/rich-text.ts';
import { Severity } from './notice.ts';
import type { Member, Storm } from './storm-state.ts';
import { bySeverity, signOf } from './thread.ts';

const MAX_SHOWN = 20;

/** The worst that fire first. */
const inOrder = (members: readonly Member[]): Member[] =>
  [...members].sort(
    (a, b) =>
      Number(b.firing) - Number(a.firing) ||
      Severity.options.indexOf(a.severity) - Severity.options.indexOf(b.severity) ||
      a.since - b.since,
  );

const mentionOf = (id: string): RichTextElement =>
  id.startsWith('S') ? { type: 'usergroup', usergroup_id: id } : person(id);

const figures = ({ members }: Storm): string => {
  const firing = members.filter((member) => member.firing);
  const over = members.length - firing.length;
  return [
    ...(firing.length > 0 ? [`${firing.length} firing: ${bySeverity(firing.map(({ severity }) => severity))}`] : []),
    ...(over > 0 ? [`${over} resolved`] : []),
  ].join('; ');
};

/** The one message of a storm: how many of which severity, and the worst of them by title. Pure. */
export const stormContent = (storm: Storm): Content => {
  const { members, mention, id } = storm;
  const worst = inOrder(members);
  const firing = members.some((member) => member.firing);
  const title = `${signOf({ firing, severity: worst[0]?.severity ?? 'unknown' })} ${count(members.length, 'alert')} at once`;
  const more = members.length - MAX_SHOWN;
  return {
    text: fallback(`${title}: ${figures(storm)}`),
    blocks: [
      header(title),
      ...(mention.length === 0 ? [] : [paragraph(mention.flatMap((who) => [mentionOf(who), plain(' ')]))]),
      paragraph([
        bold(`${figures(storm)}.`),
        plain(' More came at once than are read one by one, so they share this thread; the worst are looked at first.'),
      ]),
      bullets(
        worst
          .slice(0, MAX_SHOWN)
          .map((member) => [
            plain(`${signOf(member)} ${member.title}${member.said === undefined ? '' : `: ${member.said}`}`),
          ]),
      ),
      ...(more > 0
        ? [paragraph([plain(`and ${more} more; a file in the thread lists all of them when it is over.`)])]
        : []),
      note(`Since ${utc(Math.floor(storm.startedAt / 1_000))}, ${id}`),
    ],
  };
};

/** What a storm's message is recognised by. */
export const stormMark = ({ id }: Storm): Mark => ({ request_id: id, part: 'first', alert: true });

/** The reply for somebody whom the route of a later group names: an edit would not reach them. */
export const stormMention = (who: string): Content => ({
  text: fallback('Alerts of yours are among these.'),
  blocks: [paragraph([mentionOf(who), plain(' alerts whose route names you are among these.')])],
});

const name = ({ id, members }: Storm): string => `all ${count(members.length, 'alert')} of ${id}`;

/** The comment over the file with all groups, which it is found again by. */
export const fileComment = (storm: Storm): string => `The list of ${name(storm)}.`;

/** Whether a message is the file with all groups of the storm as it is now. */
export const isFileOf = (storm: Storm, message: Message): boolean =>
  (message.files?.length ?? 0) > 0 && (message.text ?? '').includes(`${name(storm)}.`);

/** All groups of a storm, a line each. Titles have been made lines without control characters. */
export const stormFile = ({ members }: Storm): Uint8Array =>
  new TextEncoder().encode(
    inOrder(members)
      .map(({ severity, title, firing, since, resolvedAt, said, id }) =>
        [
          utc(Math.floor(since / 1_000)),
          severity,
          firing ? 'firing' : `resolved after ${duration(Math.max(0, ((resolvedAt ?? since) - since) / 1_000))}`,
          id,
          `${title}${said === undefined ? '' : `: ${said}`}`,
        ].join('\t'),
      )
      .join('\n')
      .concat('\n'),
  );
