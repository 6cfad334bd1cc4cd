import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { openHistory } from '../../../infra/history/history.ts';
import { silentLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { openOutboxes } from '../../../infra/queue/outbox.ts';
import { KINDS, sharedDatabase } from '../../support/history.ts';
import { arrival, redisForTest, requestForTest, startProcess } from '../../support/queue.ts';
import { s3ForTest } from '../../support/s3-server.ts';
import { farForTest, placeOn } from '../../support/s3-store.ts';

const SIDE = fileURLToPath(new URL('./side-process.ts', import.meta.url));
const shared = sharedDatabase(KINDS[0]);

test('a worker killed while it puts evidence, and a bot killed before it is written down: nothing is lost', async () => {
  const [{ url }, server, database] = await Promise.all([redisForTest(), s3ForTest(), shared.forTest()]);
  const start = (side: string) => startProcess(SIDE, [side, url, JSON.stringify(placeOn(server))]);
  const queue = openBotQueue({ redisUrl: url, log: silentLog, far: farForTest(server), leaseMs: 1_000 });
  onTestFinished(queue.close);
  const request = requestForTest();
  const putting = arrival<void>();
  server.fault = ({ operation }) => {
    if (operation === 'put') putting.arrive();
    return operation === 'put' ? { kind: 'hang' } : null;
  };
  const first = start('worker');
  await first.says('ready');
  await queue.enqueue(request);
  await putting.promise;
  first.child.kill('SIGKILL');
  await first.ended;
  expect(server.objects.size).toBe(0);

  server.fault = null;
  const bot = start('bot');
  start('worker');
  await bot.says(`kept ${request.id}`);
  bot.child.kill('SIGKILL');
  await bot.ended;
  expect(server.objects.size).toBe(1);

  const outboxes = openOutboxes(url, silentLog);
  expect(await outboxes.looks.size()).toBe(1);
  const history = openHistory({
    place: { folder: '' },
    database,
    outboxes,
    readFile: queue.readFile,
    log: silentLog,
    retentionDays: 730,
    evidenceRetentionDays: 30,
    everyMs: 100,
  });
  onTestFinished(async () => {
    await history.close();
    await outboxes.close();
  });
  await expect.poll(() => outboxes.looks.size(), { timeout: 60_000 }).toBe(0);
  const rows = await database.use((own) => own.selectFrom('evidence').selectAll().execute());
  expect(rows.map(({ look_id, content }) => [look_id, content && gunzipSync(content).toString()])).toEqual([
    [request.id, 'pid 6325\n'],
  ]);
});
