import type { Report } from '../../playbooks/model/index.ts';
import { count } from '../../playbooks/reading/text.ts';
import { readLook } from '../commands/look.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp, Said } from '../follow-up.ts';
import { requestIdOf } from '../request-id.ts';
import { SlackRefused } from '../slack/errors.ts';
import { clock, watched } from '../watches/message.ts';
import { beginWatch, endWatch, extendWatch } from '../watches/run.ts';
import { MOST_WATCHES, runningWatches, type Watch } from '../watches/state.ts';
import { knownCauses } from '../watches/take-in.ts';
import { quoted } from '../words.ts';
import { lastLook } from './last-look.shared.ts';

const DEFAULT_MINUTES = 10;
const MOST_MINUTES = 120;
const MINUTES = /^(\d{1,4})(?:m|min|mins|minutes?)?$/i;
const USAGE = 'Say for how many minutes: `watch 10`, or of another process `watch 10 on HOST PID`.';

interface Wanted {
  readonly minutes: number;
  readonly host: string;
  readonly pid: number;
}

/** Reads `MINUTES [on HOST PID]`; a sentence when it cannot. */
const wantedOf = ({ words, thread }: Said, bot: BotContext): Wanted | string => {
  const on = words.findIndex((word) => word.toLowerCase() === 'on');
  const [first = String(DEFAULT_MINUTES), unit, ...more] = on < 0 ? words : words.slice(0, on);
  const minutes = Number(MINUTES.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(minutes) || more.length > 0 || (unit !== undefined && !/^min(?:ute)?s?$/i.test(unit))) {
    return `I do not understand ${quoted(words.join(' '))}. ${USAGE}`;
  }
  if (minutes < 1 || minutes > MOST_MINUTES)
    return `I can watch for 1 to ${MOST_MINUTES} minutes, not ${quoted(first)}.`;
  const { host, pid } = thread?.mark ?? {};
  if (on < 0 && (host === undefined || pid === undefined)) {
    return `Which process? Say it in a thread that I opened, or name one: \`watch ${minutes} on HOST PID\`.`;
  }
  const process = on < 0 ? [String(host), String(pid)] : words.slice(on + 1);
  if (process.length !== 2) return 'Which process? After `on` come a host and a pid: `on HOST PID`.';
  const understood = readLook(process, bot);
  if (typeof understood === 'string') return understood;
  if (!('pid' in understood)) return 'I can only watch a process whose id you name: `watch 10 on HOST PID`.';
  return { minutes, host: understood.host, pid: understood.pid };
};

/** Begins a watch with a message of its own. A sentence when that cannot be. */
const begun = async ({ minutes, host, pid }: Wanted, said: Said, bot: BotContext): Promise<string | null> => {
  const { mention, attempt } = said;
  const { team, channel, user, at } = mention;
  const threadTs = mention.threadTs ?? mention.ts;
  const same = ({ target }: Report) => target.host === host && target.pid === pid;
  const last = await lastLook(said, bot, same);
  const id = requestIdOf(team, mention.id);
  const fresh: Watch = {
    id,
    team,
    channel,
    threadTs,
    user,
    host,
    pid,
    messageTs: null,
    startedAt: at,
    until: at + minutes * 60_000,
    startTime: null,
    command: null,
    round: 0,
    points: [],
    failing: null,
    compared: last !== null,
    causes: last === null ? [] : knownCauses(last.report),
    ended: null,
  };
  const running = await runningWatches(bot.queue, () => true);
  if (running.length >= MOST_WATCHES && !running.some((watch) => watch.id === id)) {
    return `I watch ${MOST_WATCHES} processes already, which is as many as I do at once. End one with \`cancel\` in its thread.`;
  }
  try {
    await beginWatch(bot, fresh, attempt);
  } catch (error) {
    if (error instanceof SlackRefused) await endWatch(bot, id, `Slack does not let me show it (${error.code}).`);
    throw error;
  }
  const { workers } = await bot.queue.status();
  return workers === 0 ? 'No worker is running now; the first look is made when one does.' : null;
};

/** Looks again and again, and says what comes and goes. One watch for a process in a thread; said again, it gets a new end. */
export const watch: FollowUp = {
  verb: 'watch',
  usage: 'MINUTES',
  summary: 'look again and again, show how its figures move, say what appears or goes',
  // "watch this" and "watch out" are said to people.
  fits: ([first = '']) => first === '' || first.toLowerCase() === 'on' || MINUTES.test(first),
  run: async (said, bot) => {
    const wanted = wantedOf(said, bot);
    if (typeof wanted === 'string') return wanted;
    const { mention } = said;
    if (!(await bot.policy.allowed(mention, wanted.host)).includes('none')) {
      return `I may not look at ${watched(wanted)} for you: the policy of this bot does not allow it.`;
    }
    const threadTs = mention.threadTs ?? mention.ts;
    const own = requestIdOf(mention.team, mention.id);
    const place = `${mention.channel}/${threadTs}/${wanted.host}/${wanted.pid}`;
    return await bot.queue.alone('watch-place', place, async () => {
      const [current] = await runningWatches(
        bot.queue,
        (each) =>
          each.channel === mention.channel &&
          each.threadTs === threadTs &&
          each.host === wanted.host &&
          each.pid === wanted.pid &&
          each.id !== own,
      );
      if (current !== undefined) {
        const longer = await extendWatch(bot, current.id, mention.at + wanted.minutes * 60_000);
        if (longer !== null) {
          return `I watch ${watched(wanted)} already; now until ${clock(longer.until)}, ${count(wanted.minutes, 'minute')} from now.`;
        }
      }
      return await begun(wanted, said, bot);
    });
  },
};
