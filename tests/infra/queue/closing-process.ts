// Both sides of the queue in a process of their own, which must end by itself after they were closed.
import { silentLog as log } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';

const redisUrl = process.argv[2] ?? '';
const bot = openBotQueue({ redisUrl, log });
bot.onProgress(() => undefined);
bot.onAnswer(async () => undefined);
bot.onIntake(async () => undefined);
const worker = openWorkerQueue({ redisUrl, concurrency: 1, log });
worker.work(() => Promise.reject(new Error('not asked')));
process.once('SIGTERM', async () => {
  await bot.close();
  await worker.close();
  process.stdout.write('closed\n');
});
await bot.status();
process.stdout.write('ready\n');
