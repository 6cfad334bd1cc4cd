import { expect, test } from 'vitest';
import { figuresOf } from '../../../bot/alerts/figures.ts';
import type { LocalSlack } from '../../../infra/sandbox/slack/server.ts';
import { type Candidate, LookFailed } from '../../../playbooks/model/index.ts';
import { alertSite, notice, tell } from '../../support/alert-groups.ts';
import { ALERTS, OPS, PID_ROUTE } from '../../support/alert-routing.ts';
import { quiet, shown, threadsIn } from '../../support/bot.ts';

const first = (slack: LocalSlack, index = 0) => threadsIn(slack, ALERTS)[index];
const replies = (slack: LocalSlack, index = 0) => slack.thread(ALERTS, first(slack, index)?.ts ?? '').slice(1);
const site = alertSite;

test('an alert opens a thread with its look, and its end makes the first message green', async () => {
  const { slack, queue, asked } = await site({ routes: [PID_ROUTE] });
  const begin = Date.now() - 3_600_000;
  await tell(queue, notice({ alert: { startsAt: begin } }));
  await quiet(queue);
  expect(asked).toMatchObject([
    { host: 'web-7', pid: 6325, playbook: 'triage', allow: ['none', 'slows'], origin: { via: 'alert' } },
  ]);
  const opened = first(slack);
  expect(shown(opened)).toContain('🔴 CPU of checkout is high');
  expect(shown(opened)).toContain('Main thread waits in its own SIGTERM handler');
  expect(shown(opened)).toContain('service=checkout');
  const said = replies(slack).map(shown).join('\n');
  expect(said).toContain('An alert asked.');
  expect(said).toContain('The look is done');
  expect(JSON.stringify(slack.messages(ALERTS))).not.toContain('"user_id"');
  await tell(queue, notice({ status: 'resolved', alert: { startsAt: begin, endsAt: begin + 720_000 } }));
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(shown(first(slack))).toContain('🟢 CPU of checkout is high');
  expect(shown(first(slack))).toContain('after 12 min');
  expect(asked).toHaveLength(1);
});

test('repeats and further alerts edit the first message and start no second look', async () => {
  const { slack, queue, asked } = await site({ routes: [PID_ROUTE] });
  for (const fingerprint of ['f1', 'f1', 'f2', 'f3', 'f1']) await tell(queue, notice({ alert: { fingerprint } }));
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(shown(first(slack))).toContain('3 of 3 alerts firing, told 5 times');
  expect(asked).toHaveLength(1);
});

test('after the cool-down a new alert of the group is looked at, and a repeat is not', async () => {
  const { slack, queue, asked } = await site({ routes: [{ ...PID_ROUTE, cooldownMinutes: 0 }] });
  const labels = (pid: string) => ({ alertname: 'HighCpu', pid });
  await tell(queue, notice({ labels: labels('11') }));
  await quiet(queue);
  await tell(queue, notice({ labels: labels('11') }));
  await quiet(queue);
  expect(asked).toHaveLength(1);
  await tell(queue, notice({ labels: labels('12'), alert: { fingerprint: 'f2' } }));
  await quiet(queue);
  expect(asked.map(({ pid }) => pid)).toEqual([11, 12]);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(shown(first(slack))).toContain('process 12 on web-7');
});

test('an alert that fires again goes on in the same thread, which says so', async () => {
  const { slack, queue, asked } = await site({ routes: [PID_ROUTE] });
  await tell(queue, notice());
  await quiet(queue);
  await tell(queue, notice({ status: 'resolved' }));
  await quiet(queue);
  expect(shown(first(slack))).toMatch(/^🟢/u);
  await tell(queue, notice());
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(shown(first(slack))).toMatch(/^🔴/u);
  expect(shown(first(slack))).toContain('fired 2 times');
  const again = replies(slack).filter((message) => shown(message).includes('fires again, the 2nd time'));
  expect(again).toHaveLength(1);
  await slack.user('bob').say('resolve', { channel: ALERTS, threadTs: first(slack)?.ts ?? '' });
  await slack.waitFor(() => shown(first(slack)).includes('Resolved by'), {
    timeoutMs: 30_000,
    what: 'who resolved it',
  });
  await tell(queue, notice());
  await quiet(queue);
  expect(shown(first(slack))).toContain('Resolved by');
  await tell(queue, notice({ status: 'resolved' }));
  await tell(queue, notice({ at: Date.now() + 1_000 }));
  await quiet(queue);
  expect(shown(first(slack))).not.toContain('Resolved by');
  expect(shown(first(slack))).toMatch(/^🔴/u);
  // Still within the cool-down.
  expect(asked).toHaveLength(1);
});

test('news in the wrong order ends in the right state, and a late beginning of what is over starts no look', async () => {
  const { slack, queue, asked } = await site({ routes: [PID_ROUTE] });
  const at = Date.now() - 60_000;
  const startsAt = at - 600_000;
  await tell(queue, notice({ at: at + 1_000, status: 'resolved', alert: { startsAt, endsAt: at } }));
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(0);
  await tell(queue, notice({ at: at + 2_000, alert: { startsAt } }));
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(shown(first(slack))).toContain('🟢 CPU of checkout is high');
  expect(shown(first(slack))).toContain('Resolved\n after 10 min');
  expect(asked).toHaveLength(0);
  expect(await figuresOf({ queue }, Date.now())).toMatchObject({ notices: 2, 'ended-unseen': 1, threads: 1 });
});

test('what no route takes goes to the default channel, or is counted and logged', async () => {
  const only = { ...PID_ROUTE, match: { service: 'web' } };
  const some = await site({ routes: [only], defaultChannel: OPS });
  await tell(some.queue, notice());
  await quiet(some.queue);
  expect(shown(threadsIn(some.slack, OPS)[0])).toContain('Nothing is looked at: no route takes this alert.');
  const none = await site({ routes: [only] });
  await tell(none.queue, notice());
  await quiet(none.queue);
  expect(threadsIn(none.slack, OPS)).toHaveLength(0);
  expect(await figuresOf(none, Date.now())).toMatchObject({ notices: 1, unrouted: 1, threads: 0 });
  const { responses } = await none.slack.user('bob').slash('/diagnose', 'status', 'ops');
  expect(responses[0]?.text).toContain(
    'Alerts today: told 1 time, 0 threads opened, 0 looks asked for, 1 taken by no route.',
  );
  expect(none.log.lines.map(({ message }) => message)).toContain(
    'no route takes this alert and there is no defaultChannel',
  );
});

test('those whom the route names are mentioned, in the first message alone, and nobody whom an alert names', async () => {
  const { slack, queue } = await site({ routes: [{ ...PID_ROUTE, mention: ['U0ALICE01', 'S0ONCALL1'] }] });
  const hostile = '<!channel> <@U0BOB0001> *x* `y` \u0007\u202e';
  const labels = { alertname: hostile, pid: '1', '<!here>': '<https://evil.example|click>' };
  await tell(queue, notice({ title: hostile, group: hostile, labels }));
  await quiet(queue);
  const mentions = (messages: unknown) => JSON.stringify(messages).match(/"(?:user|usergroup)_id":"\w+"/g) ?? [];
  expect(mentions(first(slack)?.blocks)).toEqual(['"user_id":"U0ALICE01"', '"usergroup_id":"S0ONCALL1"']);
  expect(mentions(replies(slack).map(({ blocks }) => blocks))).toEqual([]);
  for (const { text } of slack.messages(ALERTS)) expect(text).not.toMatch(/<[!@]/);
});

test('the process is found by its selector, by the rule of the route where several fit', async () => {
  const candidate = (pid: number, cpuPercent: number, rssKib: number): Candidate => ({
    pid,
    startTime: '1',
    parent: 1,
    name: 'web',
    command: `web --port ${pid} \u001b[2J`,
    ageSeconds: 10,
    cpuPercent,
    rssKib,
    fds: 3,
    user: 'www',
    unit: null,
    container: null,
    ports: [],
  });
  const candidates = [candidate(21, 5, 900), candidate(22, 80, 100)];
  const routes = (['likely', 'top:rss', 'list'] as const).map((choose) => ({
    name: choose,
    match: { choose },
    channel: ALERTS,
    host: 'web-7',
    selector: 'name:web*',
    choose,
  }));
  const { slack, queue, asked, worker } = await site({ routes });
  worker.find(async ({ host, selector }) => ({
    kind: 'found',
    host,
    selector,
    candidates,
    total: 2,
    pick: null,
    likely: candidates[1] ?? null,
    how: '',
    near: '',
    partly: [],
  }));
  for (const choose of ['likely', 'top:rss', 'list']) {
    await tell(queue, notice({ group: choose, title: choose, labels: { choose } }));
    await quiet(queue);
  }
  expect(asked.map(({ pid }) => pid)).toEqual([22, 21]);
  expect(shown(first(slack, 2))).toMatch(/Several processes fit\s+name:web\*\s+on web-7/);
  const list = replies(slack, 2).map(shown).join('\n');
  expect(list).toContain('2 processes on web-7 fit');
  expect(list).toContain('22: ');
});

test('a host that cannot be searched is said in the thread, and the next alert finds room', async () => {
  const { slack, queue, worker } = await site({
    routes: [{ ...PID_ROUTE, selector: 'top:cpu' }],
    limits: { looks: 1, looksPerHost: 1 },
  });
  worker.find(async () => {
    throw new LookFailed('unreachable', 'web-7 does not answer on port 22.');
  });
  for (const group of ['a', 'b']) await tell(queue, notice({ group, title: `group ${group}` }));
  const failed = () =>
    threadsIn(slack, ALERTS).filter((message) => shown(message).includes('does not answer on port 22'));
  await slack.waitFor(() => failed().length === 2, { timeoutMs: 30_000, what: 'two threads that say why' });
  for (const index of [0, 1]) {
    expect(replies(slack, index).map(shown)).toEqual(['web-7 does not answer on port 22.']);
  }
});

test('commands in the thread of an alert are about its process, and leave its first message alone', async () => {
  const { slack, queue, asked } = await site({ routes: [PID_ROUTE] });
  await tell(queue, notice());
  await quiet(queue);
  const before = shown(first(slack));
  slack.user('bob').say('again', { channel: ALERTS, threadTs: first(slack)?.ts ?? '' });
  await slack.waitFor(() => asked.length === 2, { timeoutMs: 30_000, what: 'the second look' });
  await quiet(queue);
  expect(asked[1]).toMatchObject({ host: 'web-7', pid: 6325, origin: { via: 'follow-up' } });
  expect(shown(first(slack))).toBe(before);
});
