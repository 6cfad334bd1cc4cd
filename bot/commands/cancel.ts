import type { Command } from '../command.ts';
import { requestIdOf } from '../request-id.ts';
import { readLook } from './look.ts';

const USAGE = 'Ask like this: `/diagnose cancel HOST PID`. In a thread that I opened the word `cancel` is enough.';

/** Ends the looks at a process, whoever asked for them and where: done from the queue, because it takes its time. */
export const cancel: Command = {
  verb: 'cancel',
  usage: 'HOST PID',
  summary: 'end the looks at a process that run or wait, and its watches',
  run: async ({ words, team, channel, user, triggerId, responseUrl, at }, bot) => {
    if (words.length !== 2) return USAGE;
    const understood = readLook(words, bot);
    if (typeof understood === 'string') return understood;
    if (!('pid' in understood)) return USAGE;
    const { host, pid } = understood;
    const data = { team, channel, user, host, pid, responseUrl };
    const id = `cancel-${requestIdOf(team, triggerId)}`;
    await bot.queue.accept({ kind: 'errand', id, errand: 'cancel', data, at });
    return null;
  },
};
