import { expect, test } from 'vitest';
import { PLAYBOOKS } from '../support/bot.ts';
import { looksAsked, replyWith, threadForTest } from '../support/site.ts';

const tool = (id: string) => ({ id, title: id, description: id, impacts: ['none' as const] });

/** A bot with more tools, and a thread in which a look has ended. */
const thread = () => threadForTest({ playbooks: [...PLAYBOOKS, ...['lsof', 'log', 'locals'].map(tool)] });

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
  await looksAsked(slack, asked, 2);
  expect(asked[1]).toMatchObject(understood);
  expect(asked[1]?.options).toEqual(options);
});

test('a text that is too long to look for is told so', async () => {
  const { slack, asked, place, ts } = await thread();
  slack.user('alice').say(`@straceback lsof ${'x'.repeat(201)}`, place);
  await replyWith(slack, 'ops', ts, 'a text of at most 200 characters');
  expect(asked).toHaveLength(1);
});
