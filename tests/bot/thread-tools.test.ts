import { expect, test } from 'vitest';
import type { Request } from '../../playbooks/model/index.ts';
import {
  botForTest,
  finishedThread,
  PLAYBOOKS,
  reportFor,
  shown,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { redisForTest } from '../support/queue.ts';

const tool = (id: string) => ({ id, title: id, description: id, impacts: ['none' as const] });

/** A bot with more tools, and a thread in which a look has ended. */
const thread = async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const asked: Request[] = [];
  const { queue } = await botForTest(slack, redis.url, {
    playbooks: [...PLAYBOOKS, ...['lsof', 'log', 'locals'].map(tool)],
  });
  workerForTest(redis.url, async (request) => {
    asked.push(request);
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  return { slack, queue, ts, asked, place: { channel: 'ops', threadTs: ts } };
};

test.each([
  ['lsof', { playbook: 'lsof', pid: 6325 }, undefined],
  ['lsof /var/log', { playbook: 'lsof', host: 'web-7' }, { lsof: { pattern: '/var/log' } }],
  ['lsof "a  file" on disk', { playbook: 'lsof' }, { lsof: { pattern: 'a file on disk' } }],
  ['log', { playbook: 'log', pid: 6325 }, undefined],
  ['log connection refused on start', { playbook: 'log' }, { 'log-lines': { pattern: 'connection refused on start' } }],
  ['locals', { playbook: 'locals', pid: 6325 }, undefined],
  ['locals worker 3 on web-8 77', { host: 'web-8', pid: 77 }, { 'py-locals': { thread: 'worker 3' } }],
  ['lsof $(reboot); on web-8 77', { host: 'web-8', pid: 77 }, { lsof: { pattern: '$(reboot);' } }],
])('%s asks with its options', async (words, understood, options) => {
  const { slack, asked, place } = await thread();
  slack.user('alice').say(`@straceback ${words}`, place);
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 30_000, what: 'the second look' });
  expect(asked[1]).toMatchObject(understood);
  expect(asked[1]?.options).toEqual(options);
});

test('a text that is too long to look for is told so', async () => {
  const { slack, asked, place, ts } = await thread();
  slack.user('alice').say(`@straceback lsof ${'x'.repeat(201)}`, place);
  await slack.waitFor(
    () => slack.thread('ops', ts).find((message) => shown(message).includes('a text of at most 200 characters')),
    { timeoutMs: 30_000, what: 'the answer' },
  );
  expect(asked).toHaveLength(1);
});
