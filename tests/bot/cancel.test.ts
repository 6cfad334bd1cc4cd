import { expect, test } from 'vitest';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { LookFailed, type Request } from '../../playbooks/model/index.ts';
import { botForTest, quiet, reportFor, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { arrival, redisForTest } from '../support/queue.ts';

/** A bot whose looks at 6325 run until they are cancelled, others until the test ends them. */
const running = async (worker = true) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  const begun: Request[] = [];
  const started = arrival<Request>();
  const goOn = arrival<void>();
  if (worker) {
    workerForTest(redis.url, async (request, { signal, progress }) => {
      begun.push(request);
      progress({ requestId: request.id, doing: 'Tracing', probes: ['strace'], percent: 60, seconds: 4 });
      started.arrive(request);
      await Promise.race([
        goOn.promise,
        new Promise<never>((_resolve, reject) => {
          if (signal.aborted) reject(signal.reason);
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
      ]);
      return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
    });
  }
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  const ts = (
    await slack.waitFor(() => threadsIn(slack, 'ops')[0], { timeoutMs: 30_000, what: 'the thread of the look' })
  ).ts;
  return {
    slack,
    redis,
    queue,
    begun,
    started: started.promise,
    goOn: goOn.arrive,
    ts,
    place: { channel: 'ops', threadTs: ts },
  };
};

const said = (slack: LocalSlack, ts: string, words: string | RegExp) =>
  slack.waitFor(
    () =>
      slack
        .thread('ops', ts)
        .slice(1)
        .find((message) => message.bot_id !== undefined && shown(message).match(words) !== null),
    { timeoutMs: 30_000, what: `a reply with ${words}` },
  );

const all = (slack: LocalSlack, ts: string): string[] => slack.thread('ops', ts).map(shown);

test('cancel in the thread ends the look that runs, and its message says who wanted it', async () => {
  const { slack, queue, ts, place, started } = await running();
  await started;
  slack.events.repeat(1);
  slack.user('alice').say('cancel', place);
  const reply = await said(slack, ts, /is being ended/);
  expect(shown(reply).replaceAll('\n', '')).toBe(
    'The triage look at process 6325 on web-7, which had run for 4 s, is being ended; its answer says what was learnt.',
  );
  await said(slack, ts, 'The look was cancelled by');
  await slack.waitFor(() => shown(threadsIn(slack, 'ops')[0]).startsWith('⚪ Cancelled: the look at process 6325'), {
    timeoutMs: 30_000,
    what: 'the first message says that it was cancelled',
  });
  await quiet(queue);
  expect(all(slack, ts).filter((text) => text.includes('is being ended'))).toHaveLength(1);
  expect(all(slack, ts).filter((text) => text.includes('was cancelled by'))).toHaveLength(2);
});

test('a look that waits is taken out of the queue', async () => {
  const { slack, queue, ts, place, redis } = await running(false);
  await expect.poll(async () => (await queue.open(() => true)).length, { timeout: 20_000 }).toBe(1);
  slack.user('bob').say('@straceback cancel', place);
  await said(slack, ts, 'had not begun, and will not');
  await said(slack, ts, 'while it waited for a worker');
  const begun: string[] = [];
  workerForTest(redis.url, async ({ id }) => {
    begun.push(id);
    throw new LookFailed('internal', 'must not run');
  });
  await quiet(queue);
  expect(begun).toEqual([]);
});

test('cancelling once more, and what has ended, is answered in one sentence', async () => {
  const { slack, queue, ts, place, started, goOn } = await running();
  await started;
  goOn();
  await quiet(queue);
  slack.user('bob').say('cancel', place);
  await said(slack, ts, 'Nothing of this thread runs or waits now, so there is nothing to cancel.');
});

test('a look of another thread goes on', async () => {
  const { slack, queue, ts, started, begun } = await running();
  await started;
  await slack.user('bob').slash('/diagnose', 'web-8 77', 'ops');
  await expect.poll(() => begun.length, { timeout: 20_000 }).toBe(2);
  const other = threadsIn(slack, 'ops').find((message) => message.ts !== ts)?.ts ?? '';
  slack.user('bob').say('cancel', { channel: 'ops', threadTs: other });
  await said(slack, other, 'process 77 on web-8');
  await said(slack, other, 'was cancelled by');
  expect((await queue.open(() => true)).map(({ request }) => request.pid)).toEqual([6325]);
});

test('/diagnose cancel ends the looks at a process, and tells the asker alone', async () => {
  const { slack, ts, started, queue } = await running();
  await started;
  await slack.user('alice').slash('/diagnose', 'cancel web-7 6325', 'ops');
  const told = (words: string) =>
    slack.waitFor(() => slack.ephemerals('alice').find(({ text }) => text.includes(words)), {
      timeoutMs: 30_000,
      what: `alice is told ${words}`,
    });
  await told('process 6325 on web-7, which had run for 4 s, is being ended');
  await said(slack, ts, 'was cancelled by');
  await quiet(queue);
  await slack.user('alice').slash('/diagnose', 'cancel web-7 6325', 'ops');
  await told('Nothing that you may see looks at process 6325 on web-7 now, so there is nothing to cancel.');
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
});

test.each([
  ['cancel', 'Ask like this: `/diagnose cancel HOST PID`'],
  ['cancel web-7', 'Ask like this: `/diagnose cancel HOST PID`'],
  ['cancel nohost 6325', 'I know no host called'],
])('/diagnose %s is answered with what to do', async (words, answer) => {
  const { slack } = await running(false);
  expect((await slack.user('bob').slash('/diagnose', words, 'ops')).responses[0]?.text).toContain(answer);
});
