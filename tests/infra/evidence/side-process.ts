// A worker or a bot of its own for tests that kill one. Words: side, address of Redis, the bucket as JSON.
import type { S3Place } from '../../../infra/evidence/far-store.ts';
import { openS3 } from '../../../infra/evidence/s3.ts';
import { openHistory } from '../../../infra/history/history.ts';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { openOutboxes } from '../../../infra/queue/outbox.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';
import { sickReport } from '../../support/reports.ts';

const [side, redisUrl = '', bucket = ''] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
const place: S3Place = JSON.parse(bucket);
const shared = {
  redisUrl,
  log: silentLog,
  far: openS3(place, { log: silentLog }),
  leaseMs: 1_000,
  stalledCheckMs: 200,
};

if (side === 'worker') {
  const queue = openWorkerQueue({ ...shared, concurrency: 1 });
  queue.work(async (request) => {
    const { id, host, pid } = request;
    return {
      outcome: { kind: 'report', report: { ...sickReport, id, target: { ...sickReport.target, host, pid } } },
      files: [{ name: 'E1.txt', evidenceId: 'E1', content: Buffer.from('pid 6325\n'), truncated: false }],
    };
  });
} else {
  const queue = openBotQueue(shared);
  const history = openHistory({
    // Nothing listens there: what is to be written waits.
    place: { url: 'postgresql://nobody@127.0.0.1:9/none' },
    outboxes: openOutboxes(redisUrl, silentLog),
    readFile: queue.readFile,
    log: silentLog,
    retentionDays: 730,
    evidenceRetentionDays: 30,
  });
  queue.onAnswer(async (answer) => {
    await history.keepLook({ answer, headline: 'sick', state: 'fault', private: false });
    say(`kept ${answer.requestId}`);
  });
}
say('ready');
