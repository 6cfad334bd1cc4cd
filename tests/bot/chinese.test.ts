import { expect, test } from 'vitest';
import type { Report, Request } from '../../playbooks/model/index.ts';
import { LookFailed } from '../../playbooks/model/index.ts';
import { botForTest, quiet, reportFor, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { redisForTest } from '../support/queue.ts';
import { recordedReport } from '../support/recorded-reports.ts';

const REPORT = recordedReport('busy-loop/category_walk');
const HAN = /\p{Script=Han}/u;
/** Words of ours in English, beside each other. */
const ENGLISH = /\b(?:the|is|of|in|that|and|with)\b [a-z]{2,}/;

const world = async (options: { language?: 'reader' | 'en' | 'zh'; fail?: LookFailed } = {}) => {
  const [slack, redis] = await Promise.all([slackForTest(), redisForTest()]);
  const asked: Request[] = [];
  workerForTest(redis.url, async (request) => {
    asked.push(request);
    if (options.fail !== undefined) throw options.fail;
    const report: Report = reportFor(request, REPORT);
    return { outcome: { kind: 'report', report }, files: [] };
  });
  const { queue } = await botForTest(
    slack,
    redis.url,
    options.language === undefined ? {} : { language: options.language },
  );
  const bob = slack.world.users.find(({ name }) => name === 'bob');
  if (bob === undefined) throw new Error('there is no bob');
  bob.locale = 'zh-CN';
  const done = async (count = 1): Promise<string[]> => {
    await slack.waitFor(() => asked.length >= count || undefined, { timeoutMs: 60_000, what: 'a look' });
    await quiet(queue);
    const [first] = threadsIn(slack, 'ops');
    return slack.thread('ops', first?.ts ?? '').map(shown);
  };
  const reply = (who: string, text: string) =>
    slack.user(who).say(text, { channel: 'ops', threadTs: threadsIn(slack, 'ops')[0]?.ts ?? '' });
  return { slack, asked, done, reply, ask: (who = 'bob') => slack.user(who).slash('/diagnose', 'web-7 6325', 'ops') };
};

/** Messages whose words are ours: no code, no evidence, no names of files. */
const prose = (text: string): string =>
  text
    .split('\n')
    .filter((line) => HAN.test(line))
    .join('\n');

test('who reads Chinese has the whole thread in Chinese, and names, numbers and code as they are', async () => {
  const { slack, done, ask, reply, asked } = await world();
  await ask();
  const messages = await done();
  const all = messages.join('\n');
  expect(messages[0]).toMatch(/🔴 主线程在 path_to_root/);
  expect(messages[0]).toContain('置信度：');
  expect(messages[0]).toContain('发起了检查。报告在消息列中。');
  expect(all).toContain('/srv/app/busy-loop/category_walk.py:21-23');
  expect(all).toContain('已排除');
  expect(all).toContain('本次检查对进程的影响');
  expect(all).toContain('再次检查');
  expect(messages.map(prose).filter((text) => ENGLISH.test(text))).toEqual([]);
  reply('bob', '@straceback why');
  const first = threadsIn(slack, 'ops')[0]?.ts ?? '';
  const why = await slack.waitFor(
    () => slack.thread('ops', first).find((message, index) => index > messages.length && HAN.test(shown(message))),
    { timeoutMs: 60_000, what: 'why' },
  );
  expect(shown(why)).toContain('置信度：');
  expect(asked[0]?.origin).toMatchObject({ locale: 'zh-CN' });
});

test('a thread has the language of who asked first, whoever speaks later', async () => {
  const { done, ask, reply, asked } = await world();
  await ask();
  await done();
  reply('alice', '@straceback again');
  const messages = await done(2);
  expect(asked[1]?.origin).toMatchObject({ user: expect.anything(), locale: 'zh-CN' });
  expect(messages[0]).toContain('🔴 主线程');
});

test('who reads English has English in a thread of their own', async () => {
  const { done, ask } = await world();
  await ask('alice');
  const messages = await done();
  expect(messages.join('\n')).not.toMatch(HAN);
});

test('a site with one language has it for everybody', async () => {
  const { done, ask } = await world({ language: 'en' });
  await ask();
  expect((await done()).join('\n')).not.toMatch(HAN);
});

test('a look that fails says so in Chinese', async () => {
  const fail = new LookFailed(
    'no-such-process',
    'There is no process 6325 on web-7: it has ended or never was. Check the pid (the process had ended).',
  );
  const { done, ask } = await world({ fail });
  await ask();
  const messages = await done();
  expect(messages[0]).toContain('无法检查 web-7 上的进程 6325');
  expect(messages.join('\n')).toContain('web-7 上没有进程 6325：它已结束，或从未存在。');
});
