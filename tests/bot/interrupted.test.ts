import { expect, test } from 'vitest';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import { botForTest, finishedThread, quiet } from '../support/bot.ts';
import { arrival } from '../support/queue.ts';
import { reported, reportedWithEvidence, siteForTest } from '../support/site.ts';
import { expectWhole } from './trouble.parts.ts';

const WITH_EVIDENCE = { look: reportedWithEvidence };

/** A look that has started at some time, and ends when it is told to go on. */
const heldLook = (): { look: LookHandler; started: Promise<void>; goOn: () => void } => {
  const [started, goOn] = [arrival<void>(), arrival<void>()];
  const look: LookHandler = async (request, tools) => {
    started.arrive();
    await goOn.promise;
    return await reported(request, tools);
  };
  return { look, started: started.promise, goOn: () => goOn.arrive() };
};

test('with Redis down the asker is told at once, and can ask again when it is back', async () => {
  const { slack, redis, queue } = await siteForTest(WITH_EVIDENCE);
  await redis.close();
  const bob = slack.user('bob');
  for (const text of ['web-7 6325', 'status']) {
    const { ack, responses } = await bob.slash('/diagnose', text, 'ops');
    expect(ack.acked).toBe(true);
    expect(responses[0]?.text).toContain('The queue (Redis) does not answer');
  }
  await redis.restart();
  await expect
    .poll(async () => (await bob.slash('/diagnose', 'status', 'ops')).responses[0]?.text, { timeout: 20_000 })
    .toContain('0 waiting');
  await bob.slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('Redis restarts between request and answer: the thread gets its report', async () => {
  const { started, goOn, look } = heldLook();
  const { slack, redis, queue } = await siteForTest({ look });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await started;
  await redis.close();
  goOn();
  await redis.restart();
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('a bot that ends between request and answer leaves the thread to the next one', async () => {
  const { started, goOn, look } = heldLook();
  const { slack, redis, close } = await siteForTest({ look });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await started;
  await close();
  goOn();
  const { queue } = await botForTest(slack, redis.url);
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expectWhole(slack, 'ops');
});

test('two bots on one queue make every post once', async () => {
  const { slack, redis, queue } = await siteForTest({
    look: async (request, tools) => {
      tools.progress({ requestId: request.id, doing: 'Sampling', probes: [], percent: 50, seconds: 1 });
      return await reported(request, tools);
    },
  });
  await botForTest(slack, redis.url);
  for (const pid of [1, 2, 3, 4]) await slack.user('bob').slash('/diagnose', `web-7 ${pid}`, 'ops');
  await finishedThread(slack, 'ops', 4);
  await quiet(queue);
  expectWhole(slack, 'ops', 4);
});
