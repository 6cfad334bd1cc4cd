import type { BotContext } from '../context.ts';
import { SlackRefused } from '../slack/errors.ts';
import { once, postOnce } from '../thread/post-once.ts';
import type { Group } from './group.ts';
import { hashOf } from './show.ts';
import { fileComment, isFileOf, stormContent, stormFile, stormMark, stormMention } from './storm-message.ts';
import { changeStorm, newStorm, quietMs, readStorm, type Storm, type StormBot, withMembers } from './storm-state.ts';
import { together } from './together.ts';

const SHOW_EVERY_MS = 2_000;

const errandOf = (id: string, name: string, at: number) =>
  ({ kind: 'errand', id: `${id}-${name}`, errand: 'alert-storm', data: { storm: id }, at }) as const;

const setShow = async ({ queue }: StormBot, storm: Storm): Promise<void> => {
  if (storm.showing === null) return;
  await queue.accept(errandOf(storm.id, `show-${storm.showing}`, queue.now()), storm.ts === null ? 0 : SHOW_EVERY_MS);
};

/** The look at the storm when it should be over, for the file with all of it. */
const setSettling = async (bot: StormBot, { id }: Storm): Promise<void> => {
  const every = quietMs(bot);
  const now = bot.queue.now();
  const next = Math.floor(now / every) + 2;
  await bot.queue.accept(errandOf(id, `settled-${next}`, now), next * every - now);
};

type Change = { readonly bot: StormBot; readonly group: Group };

const changes = new WeakMap<BotContext['queue'], (key: string, item: Change) => Promise<void>>();

const change = async (items: readonly Change[]): Promise<void> => {
  const [first] = items;
  const id = first?.group.storm ?? null;
  if (first === undefined || id === null) return;
  const { bot, group } = first;
  const groups = items.map((item) => item.group);
  const now = bot.queue.now();
  const storm = await changeStorm(bot, id, (kept) => {
    const before = kept ?? newStorm(id, group.channel, now);
    const after = withMembers(before, groups, now);
    if (after === before && kept !== null) return kept;
    return after.showing === null ? { ...after, shows: after.shows + 1, showing: after.shows + 1 } : after;
  });
  if (storm === null) return;
  await setShow(bot, storm);
  if (storm.filed < storm.members.length) await setSettling(bot, storm);
};

/** Puts the newest of a group into its storm's message; nothing for one that has a thread of its own. Safe to repeat. */
export const changeMember = async (bot: StormBot, group: Group): Promise<void> => {
  if (group.storm === null) return;
  let changing = changes.get(bot.queue);
  if (changing === undefined) {
    changing = together(change);
    changes.set(bot.queue, changing);
  }
  await changing(group.storm, { bot, group });
};

const saidMentions = async (bot: BotContext, storm: Storm, threadTs: string): Promise<void> => {
  const { id, channel, mention, mentioned, startedAt } = storm;
  for (const who of mention.filter((each) => !mentioned.includes(each))) {
    const mark = { request_id: id, part: `mention-${who}` };
    await postOnce(bot.slack, bot.me.botId, { channel, threadTs, since: startedAt }, stormMention(who), mark, 2);
  }
};

const attachList = async (bot: BotContext, storm: Storm, threadTs: string): Promise<void> => {
  const { slack, me } = bot;
  const place = { channel: storm.channel, threadTs, since: storm.startedAt };
  await once(
    2,
    async () => {
      let there = false;
      await slack.scan({ channel: storm.channel, threadTs }, (message) => {
        if (message.bot_id === me.botId && isFileOf(storm, message)) there = true;
        return there;
      });
      return there ? true : null;
    },
    async () => {
      const id = await slack.upload('alerts.txt', stormFile(storm));
      await slack.share(place, [{ id, title: 'alerts.txt' }], fileComment(storm));
      return true;
    },
  );
};

const editStorm = async (bot: BotContext, storm: Storm, ts: string): Promise<void> => {
  const { channel } = storm;
  try {
    const edit = () => bot.slack.edit({ channel, ts }, stormContent(storm), stormMark(storm), 'wait');
    await bot.queue.turns.other({ channel, ts }, edit);
  } catch (error) {
    if (!(error instanceof SlackRefused)) throw error;
    bot.log.warn({ storm: storm.id, channel, code: error.code }, 'message of a storm cannot be edited');
  }
};

/**
 * Brings the message of a storm up to date, and attaches the list of all when it is over. Returns its thread; null when Slack
 * refuses it, which is in the log. Safe to repeat. Throws to be called again: when Slack or the queue do not answer.
 */
export const showStorm = (bot: BotContext, id: string): Promise<{ channel: string; threadTs: string } | null> =>
  bot.queue.alone('alert-show', id, async () => {
    const before = await readStorm(bot, id);
    if (before === null) return null;
    const { channel } = before;
    try {
      const storm =
        (await changeStorm(bot, id, (kept) => (kept === null ? null : { ...kept, showing: null, posting: true }))) ??
        before;
      const shown = hashOf(stormContent(storm), stormMark(storm));
      let threadTs = storm.ts;
      if (threadTs === null) {
        const place = { channel, since: storm.startedAt };
        const attempt = before.posting ? 2 : 1;
        threadTs = await postOnce(bot.slack, bot.me.botId, place, stormContent(storm), stormMark(storm), attempt);
        const ts = threadTs;
        await changeStorm(bot, id, (kept) => (kept === null ? null : { ...kept, ts, shown, mentioned: storm.mention }));
        return { channel, threadTs };
      }
      if (shown !== storm.shown) await editStorm(bot, storm, threadTs);
      await saidMentions(bot, storm, threadTs);
      const filing = storm.members.length > storm.filed && bot.queue.now() - storm.lastAt >= quietMs(bot);
      if (filing) await attachList(bot, storm, threadTs);
      await changeStorm(bot, id, (kept) =>
        kept === null
          ? null
          : { ...kept, shown, mentioned: storm.mention, filed: filing ? storm.members.length : kept.filed },
      );
      return { channel, threadTs };
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      bot.log.error(
        { storm: id, channel, code: error.code, groups: before.members.length },
        'message of a storm refused by Slack',
      );
      return null;
    }
  });
