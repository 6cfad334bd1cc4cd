import { createHash } from 'node:crypto';
import type { BotContext } from '../context.ts';
import { isAboutContent, SlackRefused } from '../slack/errors.ts';
import type { Content, Mark } from '../slack/shapes.ts';
import { sentenceContent } from '../thread/first-message.ts';
import { postOnce } from '../thread/post-once.ts';
import { reopen, resolvedBy, withResolved } from '../thread/resolved.ts';
import { tally } from './figures.ts';
import { type Group, newestLook } from './group.ts';
import { changeAndShow, changeGroup, readGroup } from './group-notes.ts';
import { readRoom } from './room.ts';
import { firesAgain, groupContent, groupMark, oneLine, signOf } from './thread.ts';

/** More replies than this about firing again are told by the last one. */
const MAX_REPLIES = 3;
/** News of something that began this long ago may be about a thread of which only Slack still knows. */
const OLD_NEWS_MS = 5 * 60_000;
/** How far back such a thread is looked for, ms. */
const LOOK_BACK_MS = 7 * 24 * 3600 * 1000;

/** What content shows, as a hash. */
export const hashOf = (content: Content, mark: Mark): string =>
  createHash('sha256')
    .update(JSON.stringify([content, mark]))
    .digest('hex')
    .slice(0, 24);

/** Why the look of a group has not begun, when it waits for room. */
const waitingOf = async (bot: BotContext, group: Group): Promise<string | null> => {
  const look = newestLook(group);
  if (look?.state !== 'asked') return null;
  const { waiting } = await readRoom(bot);
  const { looks, looksPerHost } = bot.alerts.limits;
  return waiting.some(({ id }) => id === look.id)
    ? `Waits for its turn (at most ${looksPerHost} looks of alerts at once on a host, ${looks} in all) to look at`
    : null;
};

/** What the first message is to show; with who said in the thread that this episode is done with. */
const contentOf = async (bot: BotContext, group: Group): Promise<Content> => {
  const content = groupContent(group, { workspace: bot.me.url, waiting: await waitingOf(bot, group) });
  if (group.threadTs === null) return content;
  const thread = { channel: group.channel, threadTs: group.threadTs };
  const resolved = await resolvedBy(bot, thread);
  return resolved === null || resolved.at < group.since ? content : withResolved(content, thread, resolved);
};

/** Where a first message that has no ts yet is looked for: since the beginning of the alert, which may be older than its first news. */
const sinceOf = ({ firstAt, since }: Group): number => Math.max(Math.min(firstAt, since), firstAt - LOOK_BACK_MS);

const post = async (bot: BotContext, group: Group, content: Content): Promise<string> => {
  const begun = await changeGroup(bot, group.id, (kept) => (kept === null ? null : { ...kept, posting: true }));
  const maybeThere = group.posting || group.firstAt - group.since > OLD_NEWS_MS || begun === null;
  const place = { channel: group.channel, since: sinceOf(group) };
  const attempt = maybeThere ? 2 : 1;
  const mark = groupMark(group);
  try {
    return await postOnce(bot.slack, bot.me.botId, place, content, mark, attempt);
  } catch (error) {
    if (!(error instanceof SlackRefused) || !isAboutContent(error)) throw error;
    bot.log.error({ group: group.id, code: error.code }, 'first message of an alert refused for what it holds');
    const bare = sentenceContent(`${signOf(group)} ${oneLine(group.title, 200)}`);
    return await postOnce(bot.slack, bot.me.botId, place, bare, mark, attempt);
  }
};

/** A channel that takes no posts: the default channel has them, if there is another one; else the log does. */
const refused = async (bot: BotContext, group: Group, error: SlackRefused): Promise<Group | null> => {
  const { channel, id } = group;
  const { defaultChannel } = bot.alerts;
  bot.log.error({ group: id, channel, code: error.code, title: group.title }, 'thread of an alert refused by Slack');
  if (defaultChannel === undefined || defaultChannel === channel) {
    await tally(bot, 'refused');
    return null;
  }
  return await changeAndShow(bot, id, (kept) =>
    kept.threadTs === null ? { ...kept, channel: defaultChannel, posting: false } : kept,
  );
};

const edit = async (bot: BotContext, group: Group, ts: string, content: Content): Promise<void> => {
  const { channel, id } = group;
  try {
    await bot.queue.turns.other({ channel, ts }, () =>
      bot.slack.edit({ channel, ts }, content, groupMark(group), 'wait'),
    );
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ group: id, channel, code: error.code }, 'first message of an alert cannot be edited');
  }
};

/** An alert that flaps is told again and again by the first message, and by a reply only now and then. */
const isToldByReply = (episode: number): boolean => episode <= 10 || episode % 10 === 0;

/** Replies about each time that it fired again and the thread has not heard of. */
const sayAgain = async (bot: BotContext, group: Group, threadTs: string): Promise<void> => {
  const { episodes, saidEpisode, channel, id } = group;
  if (episodes <= Math.max(1, saidEpisode)) return;
  const from = Math.max(2, saidEpisode + 1, episodes - MAX_REPLIES + 1);
  // Who said that the matter is done with meant the time before.
  await reopen(bot, { channel, threadTs }, group.since);
  for (let episode = from; episode <= episodes; episode += 1) {
    if (!isToldByReply(episode)) continue;
    const mark = { request_id: id, part: `fires-${episode}` };
    const place = { channel, threadTs, since: group.since };
    try {
      // Looked for always: whether an earlier try was made is not known here.
      await postOnce(bot.slack, bot.me.botId, place, firesAgain({ ...group, episodes: episode }), mark, 2);
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      bot.log.warn({ group: id, channel, code: error.code }, 'reply in the thread of an alert refused by Slack');
    }
  }
};

/**
 * Brings a group's thread up to date: posts its first message, edits it, replies when it fires again. Returns the group, or null
 * when it has no thread of its own. Safe to repeat. Throws to be called again: when Slack or the queue do not answer.
 */
export const showGroup = (bot: BotContext, id: string): Promise<Group | null> =>
  bot.queue.alone('alert-show', id, async () => {
    const before = await readGroup(bot, id);
    if (before === null || before.storm !== null) return null;
    // From here on news set another show: what is read now may be older than they are.
    const group = (await changeGroup(bot, id, (kept) => (kept === null ? null : { ...kept, showing: null }))) ?? before;
    const content = await contentOf(bot, group);
    const shown = hashOf(content, groupMark(group));
    let { threadTs } = group;
    if (threadTs === null) {
      try {
        threadTs = await post(bot, group, content);
      } catch (error) {
        if (!(error instanceof SlackRefused)) throw error;
        return await refused(bot, group, error);
      }
      const ts = threadTs;
      await changeGroup(bot, id, (kept) =>
        kept === null
          ? null
          : { ...kept, threadTs: ts, shown, saidEpisode: Math.max(kept.saidEpisode, group.episodes) },
      );
      await tally(bot, 'threads');
      return { ...group, threadTs: ts };
    }
    if (shown !== group.shown) await edit(bot, group, threadTs, content);
    await sayAgain(bot, group, threadTs);
    await changeGroup(bot, id, (kept) =>
      kept === null ? null : { ...kept, shown, saidEpisode: Math.max(kept.saidEpisode, group.episodes) },
    );
    return group;
  });
