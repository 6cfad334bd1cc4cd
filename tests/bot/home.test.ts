import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { homeView } from '../../bot/home/view.ts';
import { recentLooks } from '../../infra/queue/lately.ts';
import { checkHomeView } from '../../infra/sandbox/slack/blocks/index.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { LookFailed } from '../../playbooks/model/index.ts';
import {
  botForTest,
  finishedThread,
  quiet,
  reportFor,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { arrival, redisForTest } from '../support/queue.ts';

const CAUSES = [{ id: 'signal-handler-deadlock', title: 'A signal handler waits for what it interrupted' }];

const setUp = async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url, { causes: CAUSES });
  return { slack, redis, queue };
};

const words = (slack: LocalSlack, who: string): string => JSON.stringify(slack.home(who)?.blocks ?? []);

/** Waits until the home tab of a person holds these words. */
const homeWith = (slack: LocalSlack, who: string, wanted: string) =>
  slack.waitFor(() => words(slack, who).includes(wanted), { timeoutMs: 60_000, what: `a home tab with ${wanted}` });

test('the home tab shows running looks with their progress, and ends one that is cancelled there', async () => {
  const { slack, redis, queue } = await setUp();
  const ended = arrival<void>();
  workerForTest(redis.url, async (request, { progress, signal }) => {
    progress({ requestId: request.id, doing: 'Sampling <!channel>', probes: ['sample'], percent: 50, seconds: 2 });
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    ended.arrive();
    throw new LookFailed('cancelled', 'The look was cancelled.');
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await expect.poll(async () => (await queue.status()).active[0]?.progress?.percent, { timeout: 30_000 }).toBe(50);
  slack.user('alice').openHome();
  await homeWith(slack, 'alice', 'process 6325 on web-7 (triage)');
  expect(words(slack, 'alice')).toContain('▰▰▰▰▰▰▱▱▱▱▱▱  50 %  Sampling <!channel>');
  expect(words(slack, 'alice')).toContain('1 worker, 1 look running, 0 waiting.');
  const id = (await queue.status()).active[0]?.request.id ?? '';
  await slack.user('carol').openHome();
  await homeWith(slack, 'carol', 'I take no requests from guests');
  await slack.user('alice').actInView('straceback-home-cancel', id, 'home');
  await ended.promise;
  await homeWith(slack, 'alice', 'cancelled');
  await homeWith(slack, 'alice', '1 worker, 0 looks running, 0 waiting.');
  expect(words(slack, 'alice')).not.toContain('straceback-home-cancel');
});

test('recent looks come with cause, state and thread; one that is resolved is green; hosts are listed', async () => {
  const { slack, redis, queue } = await setUp();
  workerForTest(redis.url, async (request) => {
    if (request.host === 'db-1') throw new LookFailed('no-such-process', 'There is no process 1 on db-1.');
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  await slack.user('bob').slash('/diagnose', 'db-1 1', 'ops');
  await queue.hostStates.put('web-8', Date.now(), {
    host: 'web-8',
    at: Date.now(),
    reachable: false,
    words: 'no answer <!here>',
  });
  await quiet(queue);
  slack.user('bob').openHome();
  await homeWith(slack, 'bob', 'There is no process 1 on db-1.');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  const shown = words(slack, 'bob');
  expect(shown).toContain('🔴 *process 6325 on web-7* (triage): A signal handler waits for what it interrupted.');
  expect(shown).toContain(`${slack.pageUrl}archives/${slack.channel('ops')}/p${ts.replace('.', '')}|thread>`);
  expect(shown).toContain('🔴 *web-8*: no answer &lt;!here&gt; (just now)');
  expect(shown).toContain('⚪ *web-7*: not looked at yet');
  expect(shown.indexOf('*web-8*')).toBeLessThan(shown.indexOf('*web-7*: not'));
  slack.user('bob').say('resolve', { channel: 'ops', threadTs: ts });
  await quiet(queue);
  await slack.user('bob').actInView('straceback-home-refresh', null, 'home');
  await homeWith(slack, 'bob', 'what it interrupted, resolved.');
  expect(words(slack, 'bob')).toContain('✅ *process 6325 on web-7*');
});

test('looks of a private channel are shown to those who are in it, and nobody else ends them', async () => {
  const { slack, redis, queue } = await setUp();
  const alerts = slack.world.channels.find(({ name }) => name === 'alerts');
  const alice = slack.world.users.find(({ name }) => name === 'alice');
  if (alerts === undefined || alice === undefined) throw new Error('there is no #alerts or no alice');
  alerts.isPrivate = true;
  alerts.members = alerts.members.filter((id) => id !== alice.id);
  workerForTest(redis.url, async (request, { signal }) => {
    if (request.pid === 1) throw new LookFailed('no-such-process', 'There is no secret-pid.');
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    throw new LookFailed('cancelled', 'The look was cancelled.');
  });
  await slack.user('bob').slash('/diagnose', 'db-1 1', 'alerts');
  await quiet(queue);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'alerts');
  await expect.poll(async () => (await queue.status()).active.length, { timeout: 30_000 }).toBe(1);
  slack.user('alice').openHome();
  await homeWith(slack, 'alice', '1 look in private channels that you are not in is left out.');
  expect(words(slack, 'alice')).not.toMatch(/6325|secret-pid|straceback-home-cancel/);
  slack.user('bob').openHome();
  await homeWith(slack, 'bob', 'process 6325 on web-7 (triage)');
  expect(words(slack, 'bob')).toContain('There is no secret-pid.');
  const ops = (await slack.user('alice').slash('/diagnose', 'status', 'ops')).responses[0]?.text ?? '';
  expect(ops).toContain('1 look running');
  expect(ops).not.toContain('6325');
  const id = (await queue.status()).active[0]?.request.id ?? '';
  await queue.accept({
    kind: 'errand',
    id: 'forged',
    errand: 'cancel-look',
    data: { user: alice.id, requestId: id },
    at: Date.now(),
  });
  await slack.user('alice').slash('/diagnose', 'cancel web-7 6325', 'ops');
  await slack.waitFor(() => slack.ephemerals('alice').find(({ text }) => text.includes('Nothing that you may see')), {
    timeoutMs: 30_000,
    what: 'alice is told that there is nothing for her to end',
  });
  await expect.poll(async () => (await queue.pending()).intake, { timeout: 30_000 }).toBe(0);
  expect((await queue.status()).active).toHaveLength(1);
  await slack.user('bob').actInView('straceback-home-cancel', id, 'home');
  await homeWith(slack, 'bob', '0 looks running, 0 waiting.');
});

test('refreshed often, it is shown at most about once a second, and the last state is shown', async () => {
  const { slack, queue } = await setUp();
  const bob = slack.user('bob');
  bob.openHome();
  await homeWith(slack, 'bob', 'None yet.');
  const before = slack.requests('views.publish').length;
  const began = Math.floor(Date.now() / 1_000);
  for (let press = 0; press < 25; press += 1) await bob.actInView('straceback-home-refresh', null, 'home');
  const ended = Math.floor(Date.now() / 1_000);
  await queue.recentLooks.put('r-1', Date.now(), {
    requestId: 'r-1',
    host: 'web-7',
    pid: 1,
    playbook: 'triage',
    channel: 'C0OPS0001',
    threadTs: '1.000001',
    at: Date.now(),
    state: 'healthy',
    cause: null,
    failure: null,
  });
  await bob.actInView('straceback-home-refresh', null, 'home');
  await homeWith(slack, 'bob', '🟢 *process 1 on web-7*');
  await quiet(queue);
  // One for each second that was begun, and one after it.
  expect(slack.requests('views.publish').length - before).toBeLessThanOrEqual(ended - began + 4);
});

test('what was looked at lately is kept in order, once each, and bounded', async () => {
  const redis = await redisForTest();
  const client = new Redis(redis.url);
  const recent = recentLooks(client, (work) => work());
  const look = (at: number, pid = 1) =>
    ({ requestId: `r-${at}`, host: 'h', pid, playbook: 'triage', channel: 'C', threadTs: '1.1', at }) as const;
  for (let at = 0; at < 130; at += 1)
    await recent.put(`r-${at}`, at, { ...look(at), state: 'fault', cause: null, failure: null });
  await recent.put('r-120', 120, { ...look(120, 7), state: 'unclear', cause: null, failure: null });
  const newest = await recent.newest(1_000);
  expect(newest.map(({ at }) => at)).toEqual([...Array(100)].map((_, index) => 129 - index));
  expect(newest.find(({ at }) => at === 120)?.pid).toBe(7);
  expect(await client.hlen('{straceback}:own:lately:looks:values')).toBe(100);
  await client.hset('{straceback}:own:lately:looks:values', 'r-129', '{"of":"another version"}');
  expect((await recent.newest(2)).map(({ at }) => at)).toEqual([128]);
  await client.quit();
});

test('however much there is to show, Slack takes it', () => {
  const long = 'x'.repeat(5_000);
  const request = { id: `r-${'0'.repeat(60)}`, host: 'a'.repeat(253), pid: 1, playbook: 'triage' };
  const look = {
    requestId: 'r',
    host: 'a'.repeat(253),
    pid: 1,
    playbook: 'triage',
    channel: 'C',
    threadTs: '1.1',
    at: 0,
  };
  const view = homeView({
    leftOut: 3,
    status: {
      workers: 0,
      waiting: 5,
      active: [...Array(50)].map((_, index) => ({
        request: { ...request, id: `r-${index}`, allow: [], requestedAt: 0, origin: { kind: 'terminal' } },
        progress: { requestId: 'r', doing: long, probes: [], percent: 100, seconds: 9 },
      })),
    },
    recent: [...Array(15)].map(() => ({
      ...look,
      state: 'failed',
      cause: null,
      failure: `${long}<&>`,
      resolved: false,
    })),
    hosts: [...Array(500)].map((_, index) => `host-${index}`),
    states: [{ host: 'gone', at: 0, reachable: false, words: '&'.repeat(5_000) }],
    causes: [],
    url: 'https://example.slack.com/',
    now: 1_000,
  });
  expect(checkHomeView(view)).toMatchObject({ ok: true });
});
