import { gunzipSync } from 'node:zlib';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { startBot } from '../../bot/bot.ts';
import type { OpenDatabase } from '../../infra/history/database.ts';
import { type History, openHistory } from '../../infra/history/history.ts';
import { silentLog } from '../../infra/log.ts';
import { openBotQueue } from '../../infra/queue/bot-side.ts';
import { openOutboxes } from '../../infra/queue/outbox.ts';
import { openWorkerQueue } from '../../infra/queue/worker-side.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import { finishedThread, HOSTS, PLAYBOOKS, reportFor, shown, slackForTest, threadsIn } from '../support/bot.ts';
import { KINDS, sharedDatabase } from '../support/history.ts';
import { redisForTest } from '../support/queue.ts';
import { type S3Server, s3ForTest } from '../support/s3-server.ts';
import { farForTest } from '../support/s3-store.ts';

const shared = sharedDatabase(KINDS[0]);
const SAID = 'pid 6325\nwaits for a lock\n';

/** The real bot, with a bucket, and with a history where there is a database for it. */
const bot = async (slack: LocalSlack, redisUrl: string, server: S3Server, database: OpenDatabase | null) => {
  const queue = openBotQueue({
    redisUrl,
    log: silentLog,
    far: farForTest(server),
    leaseMs: 5_000,
    stalledCheckMs: 200,
  });
  const outboxes = openOutboxes(redisUrl, silentLog);
  const history: History = openHistory({
    // Nothing listens there: what is to be written waits.
    place: { url: 'postgresql://nobody@127.0.0.1:9/none' },
    ...(database === null ? {} : { database }),
    outboxes,
    readFile: queue.readFile,
    log: silentLog,
    retentionDays: 730,
    evidenceRetentionDays: 30,
    everyMs: 100,
  });
  const { botToken, appToken, signingSecret, apiUrl } = slack;
  const running = await startBot({
    slack: { mode: 'socket', port: 0, botToken, appToken, signingSecret, apiUrl },
    hosts: HOSTS,
    playbooks: PLAYBOOKS,
    policy: { allow: ['none', 'slows'] },
    history,
    queue,
    log: silentLog,
  });
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= (async () => {
      await running.close();
      await queue.close();
      await history.close();
      await outboxes.close();
    })();
    return closed;
  };
  onTestFinished(close);
  return { queue, close };
};

const worker = (redisUrl: string, server: S3Server) => {
  const queue = openWorkerQueue({
    redisUrl,
    concurrency: 2,
    log: silentLog,
    far: farForTest(server),
    leaseMs: 5_000,
    stalledCheckMs: 200,
    graceMs: 500,
  });
  onTestFinished(queue.close);
  queue.work(async (request) => ({
    outcome: { kind: 'report', report: reportFor(request) },
    files: [
      { name: 'E1-identify.txt', evidenceId: 'E1', content: Buffer.from(SAID), truncated: false },
      { name: 'E2-sample.txt', evidenceId: 'E2', content: Buffer.alloc(100_000, 'abc'), truncated: false },
    ],
  }));
};

const world = async () => {
  const [slack, redis, server, database] = await Promise.all([
    slackForTest(),
    redisForTest(),
    s3ForTest(),
    shared.forTest(),
  ]);
  return { slack, redisUrl: redis.url, server, database };
};

const filesOf = (slack: LocalSlack, messages: readonly SlackMessage[]): string =>
  messages
    .flatMap(({ files = [] }) => files)
    .map(({ id }) => slack.fileBytes(id)?.toString() ?? '')
    .join('\n');

/** What the database has of the first file of a look, once it has the look. */
const written = async (database: OpenDatabase): Promise<string | null> => {
  const rows = () => database.use((own) => own.selectFrom('evidence').selectAll().orderBy('position').execute());
  await expect.poll(async () => (await rows()).length, { timeout: 60_000 }).toBe(2);
  const [first] = await rows();
  return first?.content === null || first === undefined ? null : gunzipSync(first.content).toString();
};

test('evidence goes by the bucket into thread and history, and none of it through Redis', async () => {
  const { slack, redisUrl, server, database } = await world();
  await bot(slack, redisUrl, server, database);
  worker(redisUrl, server);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  const messages = await finishedThread(slack, 'ops');
  expect(filesOf(slack, messages)).toContain('waits for a lock');
  expect(await written(database)).toBe(SAID);
  expect(server.objects.size).toBe(1);
  const redis = new Redis(redisUrl);
  onTestFinished(() => redis.disconnect());
  expect(await redis.keys('*own:evidence:*')).toEqual([]);
  expect(await redis.keys('*own:evidence-lease:*')).toHaveLength(1);
  // One request to put all files of the look, and one to get them for both.
  expect(server.requests.map(({ operation }) => operation)).toEqual(['put', 'get']);
});

test('the bucket goes away before a bot has read it: the report comes, and history waits until it is back', async () => {
  const { slack, redisUrl, server, database } = await world();
  const first = await bot(slack, redisUrl, server, null);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await expect.poll(async () => (await first.queue.pending()).looks, { timeout: 60_000 }).toBe(1);
  server.fault = ({ operation }) => (operation === 'put' ? null : { kind: 'reset' });
  worker(redisUrl, server);
  const messages = await finishedThread(slack, 'ops');
  expect(messages.map(({ text }) => text).join('\n')).toContain('The evidence cannot be read now');
  expect(filesOf(slack, messages)).not.toContain('waits for a lock');
  expect(filesOf(slack, messages)).toContain('web-7');
  // It ends with its row unwritten; another one, with a database, goes on from there.
  await first.close();
  server.fault = () => ({ kind: 'refuse', status: 503, code: 'ServiceUnavailable' });
  await bot(slack, redisUrl, server, database);
  const [thread] = threadsIn(slack, 'ops');
  const place = { channel: 'ops', threadTs: thread?.ts ?? '' };
  const replies = () => slack.thread('ops', place.threadTs).map(shown);
  slack.user('bob').say('@straceback raw identify', place);
  await slack.waitFor(() => replies().some((text) => text.includes('it is asked for too much at the moment')), {
    timeoutMs: 60_000,
  });
  const asked = server.requests.length;
  await expect.poll(() => server.requests.length, { timeout: 60_000 }).toBeGreaterThan(asked + 4);
  const none = await database.use((own) => own.selectFrom('looks').selectAll().execute());
  expect(none).toEqual([]);
  server.fault = null;
  expect(await written(database)).toBe(SAID);
  slack.user('bob').say('@straceback raw identify', place);
  await slack.waitFor(() => filesOf(slack, slack.thread('ops', place.threadTs)).includes('waits for a lock'), {
    timeoutMs: 60_000,
  });
});

test('the bucket is away when the worker has the answer: the report comes with what is small', async () => {
  const { slack, redisUrl, server, database } = await world();
  await server.stop();
  await bot(slack, redisUrl, server, database);
  worker(redisUrl, server);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  const messages = await finishedThread(slack, 'ops');
  expect(filesOf(slack, messages)).toContain('waits for a lock');
  expect(await written(database)).toBe(SAID);
  expect(server.objects.size).toBe(0);
});
