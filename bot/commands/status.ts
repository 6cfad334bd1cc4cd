import { count, duration } from '../../playbooks/reading/text.ts';
import type { Command } from '../command.ts';
import { escaped } from '../thread/rich-text.ts';

/** What runs and what waits, for the asker only. */
export const status: Command = {
  verb: 'status',
  usage: '',
  summary: 'what is being examined now, what waits, how many workers there are',
  run: async (_asked, bot) => {
    const { workers, waiting, active } = await bot.queue.status();
    const lines = active.map(({ request, progress }) => {
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
    return [summary, ...missing, ...lines].join('\n');
  },
};
