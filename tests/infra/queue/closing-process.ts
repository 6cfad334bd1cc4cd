// Both sides of the queue in a process of their own, which must end by itself after they were closed.
import { type Log, silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';

const redisUrl = process.argv[2] ?? '';
// Trouble with Redis is told to the test.
const log: Log = { ...silentLog, warn: () => process.stdout.write('lost\n') };
const bot = openBotQueue({ redisUrl, log });
bot.onProgress(() => undefined);
bot.onAnswer(async () => undefined);
bot.onIntake(async () => undefined);
const worker = openWorkerQueue({ redisUrl, concurrency: 1, log });
worker.work(() => Promise.reject(new Error('not asked')));
let closing = false;
process.once('SIGTERM', async () => {
  closing = true;
  process.stdout.write('closing\n');
  await bot.close();
  await worker.close();
  process.stdout.write('closed\n');
});
// Each question waits half a second for a connection, which a cluster on a busy machine may take longer for.
while (!closing && !(await bot.healthy()));
if (!closing) {
  await bot.status();
  process.stdout.write('ready\n');
}
