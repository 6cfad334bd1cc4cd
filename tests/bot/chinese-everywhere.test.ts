import { expect, test } from 'vitest';
import type { BotOptions } from '../../bot/bot.ts';
import { alertSite, notice, tell } from '../support/alert-groups.ts';
import { ALERTS, PID_ROUTE } from '../support/alert-routing.ts';
import {
  botForTest,
  finishedThread,
  PLAYBOOKS,
  quiet,
  reportFor,
  shown,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { buttonsOf, pressButton } from '../support/buttons.ts';
import { redisForTest } from '../support/queue.ts';
import { recordedReport } from '../support/recorded-reports.ts';

const REPORT = recordedReport('busy-loop/category_walk');
/** Words of ours in English, beside each other. */
const ENGLISH = /\b(?:the|is|of|in|that|and|with|for|to|at|on|was|not|no)\b [a-z]{2,}/;

/** A core needs a yes that anybody else may say. */
const POLICY: BotOptions['policy'] = {
  allow: ['none', 'slows'],
  rules: [{ allow: [], approve: ['stops', 'writes-disk'] }],
};

const BOOKS: BotOptions['playbooks'] = PLAYBOOKS.map((each) =>
  each.id === 'gcore'
    ? {
        ...each,
        title: 'Take a core',
        harmful: [
          {
            probe: 'gcore',
            title: 'A core',
            impacts: ['stops', 'writes-disk'],
            always: true,
            tools: ['gdb'],
            command: (pid) => `sh gcore.sh ${pid}`,
          },
        ],
      }
    : each,
);

/** Everybody reads Chinese. */
const world = async () => {
  const [slack, redis] = await Promise.all([slackForTest(), redisForTest()]);
  for (const user of slack.world.users) user.locale = 'zh-CN';
  workerForTest(redis.url, async (request) => ({
    outcome: { kind: 'report', report: reportFor(request, REPORT) },
    files: [],
  }));
  const { queue } = await botForTest(slack, redis.url, { policy: POLICY, playbooks: BOOKS });
  const messages = () => slack.thread('ops', threadsIn(slack, 'ops')[0]?.ts ?? '');
  const until = (what: string, found: (text: string) => boolean) =>
    slack.waitFor(() => messages().find((message) => found(shown(message))), { timeoutMs: 60_000, what });
  return { slack, queue, messages, until };
};

/** Lines that have English words of ours in them. */
const english = (text: string): string[] => text.split('\n').filter((line) => ENGLISH.test(line));

test('an approval is asked for, given and refused in Chinese', async () => {
  const { slack, until } = await world();
  await slack.user('bob').slash('/diagnose', 'web-7 6325 gcore', 'ops');
  const asked = await until('the question', (text) => text.includes('进程 6325 需要审批'));
  expect(shown(asked)).toContain('web-7 上的进程 6325 需要审批');
  expect(shown(asked)).toContain('本工作区的任何其他成员都可以批准。');
  expect(shown(asked)).toContain('识别出进程之前，无法得知会停多久');
  expect(buttonsOf(asked).map(({ label }) => label)).toEqual(['批准', '拒绝']);
  expect(english(shown(asked))).toEqual([]);
  await pressButton(slack, 'alice', asked, '拒绝');
  const decided = await until('the decision', (text) => text.includes('没有执行任何操作。'));
  expect(decided.ts).toBe(asked.ts);
  await until('the end', (text) => text.includes('批准请求被拒绝。没有执行任何操作；请求的内容见消息列。'));
});

test('the form, its complaints, the home tab, help and what one person is told are in Chinese', async () => {
  const { slack, queue, until } = await world();
  const bob = slack.user('bob');
  await bob.slash('/diagnose', '', 'ops');
  expect(bob.modal()?.title?.text).toBe('检查一个进程');
  expect(JSON.stringify(bob.modal())).toContain('检查多久，单位秒，0.5 到 60。留空则使用 playbook 自己的窗口。');
  expect(await bob.submitView({ host: 'web-7', process: 'port:99999' })).toMatchObject({
    errors: { process: expect.stringMatching(/^“port:99999”不能指定进程：port: 后面应是 1 到 65535 之间的数字。/) },
  });
  expect(await bob.submitView({ host: 'web-7', process: '6325' })).toEqual({ ok: true });
  await finishedThread(slack, 'ops').catch(() => undefined);
  await quiet(queue);
  const threadTs = threadsIn(slack, 'ops')[0]?.ts ?? '';
  bob.say('@straceback help', { channel: 'ops', threadTs });
  const help = shown(await until('help', (text) => text.includes('请在本消息列中 @ 我')));
  expect(help).toContain('用同样的方式再次检查同一进程');
  expect(help).toContain('需要审批');
  expect(english(help)).toEqual([]);
  bob.say('@straceback agian', { channel: 'ops', threadTs });
  await until('a doubt', (text) => text.includes('我不认识“agian”。') && text.includes('你是想说'));
  const { responses } = await bob.slash('/diagnose', 'status', 'ops');
  expect(responses.map(({ text }) => text).join('\n')).toContain('1 个 worker，0 次检查正在进行，0 个等待中。');
  bob.openHome();
  const home = () => JSON.stringify(slack.home('bob')?.blocks ?? []);
  await slack.waitFor(() => home().includes('最近的检查') || undefined, { timeoutMs: 60_000, what: 'a home tab' });
  expect(home()).toContain('web-7 上的进程 6325');
  expect(home()).toContain('|消息列>');
  expect(home()).not.toMatch(/Refresh|Running looks|Recent looks|not looked at yet/);
});

test('a site in Chinese has its alerts and storms in Chinese, and what the alerts say as it is', async () => {
  const { slack, queue } = await alertSite({ routes: [PID_ROUTE], limits: { groupsPerMinute: 1 } }, { language: 'zh' });
  await tell(queue, notice({ group: 'cpu', title: 'CPU of the checkout is high' }));
  await quiet(queue);
  const [first] = threadsIn(slack, ALERTS);
  expect(shown(first)).toContain('🔴 CPU of the checkout is high');
  expect(shown(first)).toContain('正在触发');
  expect(shown(first)).toContain('已检查 web-7 上的进程 6325');
  await tell(queue, notice({ group: 'cpu', title: 'CPU of the checkout is high', status: 'resolved' }));
  await quiet(queue);
  expect(shown(threadsIn(slack, ALERTS)[0])).toContain('已恢复');
  for (const group of ['a', 'b', 'c']) {
    await tell(queue, notice({ group, title: `Trouble ${group}`, severity: 'warning' }));
  }
  const storm = await slack.waitFor(
    () => threadsIn(slack, ALERTS).find((message) => shown(message).includes('同时出现')),
    { timeoutMs: 60_000, what: 'a storm' },
  );
  expect(shown(storm)).toMatch(/条告警/);
  expect(shown(storm)).toContain('最严重的优先检查');
  expect(shown(storm)).toMatch(/Trouble [abc]/);
});
