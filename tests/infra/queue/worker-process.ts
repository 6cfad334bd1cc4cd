// A worker of its own for tests that kill one: its looks write to the journal and never end.
import { openLog } from '../../../infra/log.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';

const [redisUrl] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
const queue = openWorkerQueue({
  redisUrl: redisUrl ?? '',
  concurrency: 1,
  log: openLog('error'),
  leaseMs: 1_000,
  stalledCheckMs: 200,
});
queue.work(async (request, { journal, progress }) => {
  progress({ requestId: request.id, doing: 'Looking', probes: ['strace'], percent: 10, seconds: 0 });
  await journal.started('strace', ['slows']);
  say(`started ${request.id}`);
  return await new Promise<never>(() => {});
});
say('ready');
