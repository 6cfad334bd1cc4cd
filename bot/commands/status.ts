import type { QueueStatus } from '../../infra/queue/bot-side.ts';
import { count, duration } from '../../playbooks/reading/text.ts';
import { figuresOf } from '../alerts/figures.ts';
import { readRoom } from '../alerts/room.ts';
import type { Command } from '../command.ts';
import type { BotContext } from '../context.ts';
import { inTime } from '../in-time.ts';
import { seenOf, sightOf } from '../sight.ts';
import { SlackAway } from '../slack/errors.ts';
import { escaped } from '../thread/rich-text.ts';

/** What became of the alerts of today (UTC); nothing when none came. */
const alertsToday = async (bot: BotContext): Promise<string[]> => {
  const figures = await figuresOf(bot, bot.queue.now());
  if (figures.notices === 0) return [];
  const { waiting } = await readRoom(bot);
  const parts = [
    `${count(figures.threads, 'thread')} opened`,
    `${count(figures['looks-asked'], 'look')} asked for`,
    ...(figures['in-storms'] > 0 ? [`${count(figures['in-storms'], 'group')} in storms`] : []),
    ...(waiting.length > 0 ? [`${waiting.length} waiting for room`] : []),
    ...(figures['looks-left'] > 0 ? [`${count(figures['looks-left'], 'look')} left out for want of room`] : []),
    ...(figures.unrouted > 0 ? [`${figures.unrouted} taken by no route`] : []),
    ...(figures.refused > 0 ? [`${figures.refused} refused by Slack`] : []),
  ];
  return [`Alerts today: told ${count(figures.notices, 'time')}, ${parts.join(', ')}.`];
};

/** The looks that this person may see; none of other channels while Slack does not tell what is private. */
const visible = async (active: QueueStatus['active'], user: string, channel: string, bot: BotContext) => {
  const isHere = ({ request: { origin } }: QueueStatus['active'][number]) =>
    origin.kind === 'slack' && (origin.channel === channel || origin.user === user);
  const sees = sightOf(user, bot, channel);
  const all = seenOf(
    active,
    async ({ request: { origin } }) => origin.kind === 'slack' && (await sees(origin)),
    active.length,
  ).catch((error: unknown) => {
    if (error instanceof SlackAway) return null;
    throw error;
  });
  return (await inTime(all)) ?? active.filter(isHere);
};

/** What runs and what waits, for the asker only. */
export const status: Command = {
  verb: 'status',
  usage: '',
  summary: 'what is being examined now, what waits, how many workers there are',
  run: async ({ user, channel }, bot) => {
    const { workers, waiting, active } = await bot.queue.status();
    const shown = await visible(active, user, channel, bot);
    const lines = shown.map(({ request, progress }) => {
      const doing =
        progress === null
          ? 'starting'
          : `${escaped(progress.doing)}, ${Math.floor(progress.percent)} %, ${duration(Math.floor(progress.seconds))}`;
      return `• process ${request.pid} on \`${request.host}\` (\`${request.playbook}\`): ${doing}`;
    });
    const summary = `${count(workers, 'worker')}, ${count(active.length, 'look')} running, ${waiting} waiting.`;
    const missing =
      workers === 0
        ? ['No worker is running: nothing will be examined until one is started (`straceback worker`).']
        : [];
    const hidden = active.length - shown.length;
    const left =
      hidden === 0
        ? []
        : [
            `${count(hidden, 'look')} that may be seen only in private channels ${hidden === 1 ? 'is' : 'are'} not listed.`,
          ];
    return [summary, ...missing, ...(await alertsToday(bot)), ...lines, ...left].join('\n');
  },
};
