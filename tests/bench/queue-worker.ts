/**
 * One worker process of the bench `queue`: node queue-worker.js KIND REDIS_URL CONCURRENCY. `looks` is our side of the queue with
 * looks that do nothing; `plain` is a BullMQ worker that does nothing; `hop` is one that does nothing but put
 * an answer, tried as often and kept as long as every look's is. Says `ready`, begins when it is told something, and ends when its input does.
 */
import { once } from 'node:events';
import { Queue, Worker } from 'bullmq';
import { silentLog } from '../../infra/log.ts';
import { patientOptions } from '../../infra/queue/connection.ts';
import { KEPT, UNTIL_DONE } from '../../infra/queue/keep.ts';
import { type LookHandler, openWorkerQueue } from '../../infra/queue/worker-side.ts';

const [kind, redisUrl = '', words = '100'] = process.argv.slice(2);
const concurrency = Number(words);
const closers: (() => Promise<unknown>)[] = [];
/** The shortest answer there is. */
const NOTHING = {
  kind: 'failure',
  failure: { code: 'no-such-process', sentence: 'Nothing was looked at.' },
} as const;
let go: () => void;
if (kind === 'looks') {
  const queue = openWorkerQueue({ redisUrl, concurrency, log: silentLog });
  closers.push(queue.close);
  // As a look does: the process is held while it is looked at.
  const look: LookHandler = (request, tools) =>
    tools.withTargetLock(
      { host: request.host, pid: request.pid, doing: 'nothing', signal: tools.signal },
      async () => ({
        outcome: NOTHING,
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
      if (kind !== 'hop') return;
      const answer = { requestId: job.id, request: job.data, outcome: NOTHING, files: [] };
      await answers.add('answer', { kind: 'answer', answer }, { ...UNTIL_DONE, jobId: `answer-${job.id}` });
    },
    { connection, concurrency, autorun: false, ...KEPT },
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
