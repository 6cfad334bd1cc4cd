// A worker of its own for tests that kill one: its questions never end.
import { openLog } from '../../../infra/log.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';

const [redisUrl] = process.argv.slice(2);
const queue = openWorkerQueue({
  redisUrl: redisUrl ?? '',
  concurrency: 1,
  log: openLog('error'),
  leaseMs: 1_000,
  stalledCheckMs: 200,
});
queue.question(async ({ id }) => {
  process.stdout.write(`began ${id}\n`);
  return await new Promise<never>(() => {});
});
