import { expect, test } from 'vitest';
import { offerHosts } from '../../bot/look-form.ts';
import type { Request } from '../../playbooks/model/index.ts';
import {
  botForTest,
  finishedThread,
  HOSTS,
  quiet,
  reportFor,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { redisForTest } from '../support/queue.ts';

/** Bob has typed `/diagnose` and sees the form. */
const form = async (words = '') => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const asked: Request[] = [];
  const { queue } = await botForTest(slack, redis.url);
  workerForTest(redis.url, async (request) => {
    asked.push(request);
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  const bob = slack.user('bob');
  const result = await bob.slash('/diagnose', words, 'ops');
  return { slack, redis, queue, asked, bob, result };
};

test.each(['', 'form'])('/diagnose %s opens a form that does what the typed command does', async (words) => {
  const { slack, queue, asked, bob, result } = await form(words);
  expect(result.responses).toEqual([]);
  expect(bob.modal()?.title?.text).toBe('Examine a process');
  expect((await bob.suggest('straceback-host', 'we')).map(({ value }) => value)).toEqual(['web-7', 'web-8']);
  const filled = { host: 'web-8', process: ' 6325 ', playbook: 'strace', window: '4' };
  expect(await bob.submitView(filled)).toEqual({ ok: true });
  expect(bob.modal()).toBeUndefined();
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({ host: 'web-8', pid: 6325, playbook: 'strace', windowSeconds: 4 });
  expect(asked[0]?.origin).toMatchObject({ user: bob.id, channel: slack.channel('ops'), via: 'command' });
});

test('what may be left out is the playbook’s own', async () => {
  const { slack, asked, bob } = await form();
  expect(await bob.submitView({ host: 'web-7', process: '6325' })).toEqual({ ok: true });
  await finishedThread(slack, 'ops');
  expect(asked[0]).toMatchObject({ host: 'web-7', pid: 6325, playbook: 'triage' });
  expect(asked[0]?.windowSeconds).toBeUndefined();
});

test('what the typed command would complain of is said at the field that it is about, and the form stays', async () => {
  const { slack, asked, bob } = await form();
  const errors = async (filled: Record<string, string>) => {
    const result = await bob.submitView(filled);
    return result.ok || !('errors' in result) ? result : result.errors;
  };
  expect(await errors({})).toEqual({
    host: 'Please complete this required field.',
    process: 'Please complete this required field.',
  });
  expect(await errors({ host: 'web-7', process: 'gunicorn' })).toEqual({
    process: expect.stringContaining('“gunicorn” '),
  });
  expect(await errors({ process: '0' })).toEqual({ process: expect.stringContaining('“0” ') });
  expect(await errors({ process: '6325', window: '61' })).toEqual({
    window: expect.stringContaining('I can look for 0.5 to 60 seconds'),
  });
  expect(bob.modal()).toBeDefined();
  expect(await bob.submitView({ window: '2' })).toEqual({ ok: true });
  await finishedThread(slack, 'ops');
  expect(asked).toHaveLength(1);
});

test('a process may be named by a selector, in one word', async () => {
  const { slack, bob } = await form();
  expect(await bob.submitView({ host: 'web-7', process: '6325 strace' })).toEqual({
    ok: false,
    errors: { process: 'One process: a pid or one selector, in one word.' },
  });
  expect(await bob.submitView({ process: 'port:99999' })).toMatchObject({
    ok: false,
    errors: { process: expect.stringContaining('“port:99999”') },
  });
  expect(await bob.submitView({ process: 'port:8080' })).toEqual({ ok: true });
  const told = await slack.waitFor(() => slack.ephemerals('bob')[0], { timeoutMs: 30_000, what: 'what happens now' });
  expect(told.text).toContain('Looking on `web-7` for the process that `port:8080` means.');
});

test('who may not ask sees no form', async () => {
  const { slack, result } = await form();
  const guest = await slack.user('carol').slash('/diagnose', '', 'ops');
  expect(guest.responses[0]?.text).toContain('I take no requests from guests');
  const stranger = await slack.user('dana').slash('/diagnose', '', 'shared');
  expect(stranger.responses[0]?.text).toContain('I only take requests from members of this workspace');
  expect(slack.modal('carol')).toBeUndefined();
  expect(slack.modal('dana')).toBeUndefined();
  expect(result.ack.acked).toBe(true);
});

test('when Slack opens no form the asker is told how to ask in words', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  await botForTest(slack, redis.url);
  slack.faults.add({ method: 'views.open', kind: 'error', error: 'missing_scope' });
  const refused = await slack.user('bob').slash('/diagnose', '', 'ops');
  expect(refused.responses[0]?.text).toContain('Slack did not let me open the form (missing_scope)');
  slack.faults.add({ method: 'views.open', kind: 'timeout' });
  const late = await slack.user('bob').slash('/diagnose', '', 'ops');
  expect(late.responses[0]?.text).toContain('Slack does not answer me now');
});

test('a form that is submitted while Redis is away says so and can be submitted again', async () => {
  const { slack, redis, asked, bob } = await form();
  await redis.close();
  const away = await bob.submitView({ host: 'web-7', process: '6325' });
  expect(away).toMatchObject({ ok: false, errors: { process: expect.stringMatching(/queue|Redis/) } });
  await redis.restart();
  await expect.poll(async () => (await bob.submitView()).ok, { timeout: 60_000 }).toBe(true);
  await finishedThread(slack, 'ops');
  expect(asked).toHaveLength(1);
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
});

test('hosts are offered by what they hold, by likeness, and by rules when the name is whole', () => {
  const offered = (typed: string, hosts = HOSTS) => offerHosts(typed, { hosts }).map(({ value }) => value);
  expect(offered('')).toEqual(['local', 'web-7', 'web-8', 'db-1']);
  expect(offered('7')).toEqual(['web-7']);
  expect(offered('WEB')).toEqual(['web-7', 'web-8']);
  expect(offered('wbe-7')[0]).toBe('web-7');
  expect(offered('cache-12')).toEqual(['cache-12']);
  expect(offered('Cache-12', { names: ['web-7'], known: (name) => name === 'Cache-12' })).toEqual(['Cache-12']);
  expect(offered('; rm -rf /')).toEqual([]);
  const names = [...Array(300)].map((_, index) => `${'long-'.repeat(20)}${index}`);
  const many = offerHosts('long', { hosts: { names: [...names, 'x'.repeat(200)], known: () => false } });
  expect(many).toHaveLength(100);
  for (const { text } of many) expect(text.text.length).toBeLessThanOrEqual(75);
});
