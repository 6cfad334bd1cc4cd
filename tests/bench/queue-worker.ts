/**
 * One worker process of the bench `queue`: node queue-worker.js KIND REDIS_URL CONCURRENCY. `looks` is our side of the queue with
 * looks that do nothing; `plain` is a BullMQ worker that does nothing; `hop` is one that does nothing but put a second
 * job, as every look has an answer. Says `ready`, begins when it is told something, and ends when its input does.
 */
import { once } from 'node:events';
import { Queue, Worker } from 'bullmq';
import { silentLog } from '../../infra/log.ts';
import { patientOptions } from '../../infra/queue/connection.ts';
import { type LookHandler, openWorkerQueue } from '../../infra/queue/worker-side.ts';

const [kind, redisUrl = '', words = '100'] = process.argv.slice(2);
const concurrency = Number(words);
const closers: (() => Promise<unknown>)[] = [];
let go: () => void;
if (kind === 'looks') {
  const queue = openWorkerQueue({ redisUrl, concurrency, log: silentLog });
  closers.push(queue.close);
  // As a look does: the process is held while it is looked at. The shortest answer there is.
  const look: LookHandler = (request, tools) =>
    tools.withTargetLock(
      { host: request.host, pid: request.pid, doing: 'nothing', signal: tools.signal },
      async () => ({
        outcome: { kind: 'failure', failure: { code: 'no-such-process', sentence: 'Nothing was looked at.' } },
        files: [],
      }),
    );
  go = () => queue.work(look);
} else {
  const connection = patientOptions(redisUrl);
  const answers = new Queue('plain-answers', { connection });
  const worker = new Worker(
    'plain',
    async (job) => {
      if (kind === 'hop') await answers.add('answer', job.data, { jobId: `answer-${job.id}`, removeOnComplete: 2_000 });
    },
    { connection, concurrency, autorun: false, removeOnComplete: { count: 2_000 } },
  );
  closers.push(
    () => worker.close(),
    () => answers.close(),
  );
  await worker.waitUntilReady();
  go = () => void worker.run();
}
process.stdout.write('ready\n');
process.stdin.once('data', () => go());
await once(process.stdin, 'end');
for (const close of closers) await close();
