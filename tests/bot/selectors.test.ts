import { expect, onTestFinished, test } from 'vitest';
import type { AuditNote } from '../../infra/audit.ts';
import { silentLog } from '../../infra/log.ts';
import { openWorkerQueue } from '../../infra/queue/worker-side.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import { LookFailed } from '../../playbooks/model/index.ts';
import { botForTest, finishedThread, quiet, shown, slackForTest, threadsIn } from '../support/bot.ts';
import { candidate, found, site } from '../support/finding.ts';
import { arrival, redisForTest } from '../support/queue.ts';

/** What somebody is told alone that has these words. */
const told = (slack: LocalSlack, who: string, words: string | RegExp): Promise<SlackMessage> =>
  slack.waitFor(
    () =>
      slack
        .ephemerals(who)
        .find((message) => (typeof words === 'string' ? shown(message).includes(words) : words.test(shown(message)))),
    { timeoutMs: 60_000, what: `${who} is told ${words}` },
  );

const optionsOf = (message: SlackMessage) =>
  (message.blocks ?? []).flatMap((block) =>
    block.type === 'actions'
      ? block.elements.flatMap((element) =>
          element.type === 'static_select'
            ? [{ actionId: element.action_id ?? '', options: element.options ?? [] }]
            : [],
        )
      : [],
  )[0];

test('one match: the look goes on as if the pid had been typed, and says what led to it', async () => {
  const { slack, queue, asked, sought } = await site(async (find) => found(find, [candidate(6325)]));
  const answer = await slack.user('bob').slash('/diagnose', 'web-7 port:8080 triage 5s', 'ops');
  expect(JSON.stringify(answer)).toContain('Looking on `web-7` for the process that `port:8080` means.');
  const messages = await finishedThread(slack, 'ops');
  await quiet(queue);
  expect(sought).toEqual(['port:8080']);
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({
    host: 'web-7',
    pid: 6325,
    startTime: '63250',
    selector: 'port:8080',
    windowSeconds: 5,
  });
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
  expect(shown(messages[0])).toContain('6325');
});

test('while it waits, the first message says how the process was found', async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  await botForTest(slack, redis.url);
  const worker = openWorkerQueue({ redisUrl: redis.url, concurrency: 1, log: silentLog });
  onTestFinished(() => worker.close());
  worker.find(async (find) => found(find, [candidate(6325)]));
  await slack.user('bob').slash('/diagnose', 'web-7 port:8080', 'ops');
  const first = await slack.waitFor(() => threadsIn(slack, 'ops')[0], { timeoutMs: 60_000, what: 'the thread' });
  expect(shown(first)).toContain('port:8080');
  expect(shown(first)).toContain('It is the only process that listens on port 8080.');
});

test('none and failures: one sentence for the asker alone, and no thread', async () => {
  const { slack, queue } = await site(async (find) => {
    if (find.host === 'db-1') throw new LookFailed('unreachable', 'db-1 does not answer.');
    return found(find, [], { near: 'Listened on are the ports `22` and `80`.', partly: ['not root'] });
  });
  await slack.user('bob').slash('/diagnose', 'web-7 port:8081', 'ops');
  await slack.user('bob').slash('/diagnose', 'db-1 unit:postgres', 'ops');
  await told(slack, 'bob', /^No process on\s+web-7\s+listens on TCP port 8081\. Listened on are the ports/);
  await told(slack, 'bob', 'db-1 does not answer.');
  await quiet(queue);
  expect(threadsIn(slack, 'ops')).toEqual([]);
  expect(slack.ephemerals('alice')).toEqual([]);
});

const FAMILY = [
  candidate(100, { role: 'master', command: 'gunicorn: master [shop]' }),
  ...[101, 102].map((pid) => candidate(pid, { role: 'worker' })),
];

test('several: a private list, from which its asker picks once', async () => {
  const { slack, queue, asked } = await site(async (find) => found(find, FAMILY));
  await slack.user('bob').slash('/diagnose', 'web-7 name:gunicorn', 'ops');
  const list = await told(slack, 'bob', '3 processes on');
  expect(shown(list)).toMatch(/102 +12.5 % +200 MiB +66 min 40 s {2}worker, www/);
  const menu = optionsOf(list);
  expect(menu?.options.map(({ text }) => text.text.split(':')[0])).toEqual([
    '100 (master)',
    '101 (worker)',
    '102 (worker)',
  ]);
  expect(threadsIn(slack, 'ops')).toEqual([]);
  const place = { channel: list.channel, ts: list.ts };
  await slack.user('bob').choose(place, menu?.actionId ?? '', '102:1020');
  await finishedThread(slack, 'ops');
  await slack.user('bob').choose(place, menu?.actionId ?? '', '101:1010');
  await quiet(queue);
  expect(asked.map(({ pid, startTime, selector }) => [pid, startTime, selector])).toEqual([
    [102, '1020', 'name:gunicorn'],
  ]);
  expect(slack.ephemerals('bob').filter((message) => shown(message).includes('3 processes on'))).toHaveLength(1);
});

test('a list holds at most 20, says the rest, and survives hostile names', async () => {
  const command = '<!channel> ``` *x*\n\u202ereverse & <@U1> '.repeat(40);
  const many = Array.from({ length: 100 }, (_, index) =>
    candidate(200 + index, { command, user: '<!here>', unit: 'a`b'.repeat(60) }),
  );
  const { slack, queue } = await site(async (find) => found(find, many, { total: 431 }));
  await slack.user('bob').slash('/diagnose', 'web-7 name:x', 'ops');
  const list = await told(slack, 'bob', '431 processes on');
  expect(optionsOf(list)?.options).toHaveLength(20);
  expect(shown(list)).toContain('411 more are not shown');
  expect(shown(list)).not.toContain('\u202e');
  await quiet(queue);
});

test('in a thread: another process of the host, and any process of another host', async () => {
  const { slack, queue, asked, sought } = await site(async (find) =>
    find.selector.kind === 'name' ? found(find, FAMILY) : found(find, [candidate(find.host === 'db-1' ? 500 : 400)]),
  );
  const bob = slack.user('bob');
  await bob.slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  bob.say('diagnose port:8080 triage 2s', { channel: 'ops', threadTs: ts });
  bob.say('@straceback strace 3 on db-1 unit:postgres', { channel: 'ops', threadTs: ts });
  await expect.poll(() => asked.length, { timeout: 60_000 }).toBe(3);
  bob.say('diagnose name:gunicorn', { channel: 'ops', threadTs: ts });
  const list = await told(slack, 'bob', '3 processes on');
  expect(list.thread_ts).toBe(ts);
  await bob.choose({ channel: list.channel, ts: list.ts }, optionsOf(list)?.actionId ?? '', '100:1000');
  await expect.poll(() => asked.length, { timeout: 60_000 }).toBe(4);
  await quiet(queue);
  expect(sought.sort()).toEqual(['name:gunicorn', 'port:8080', 'unit:postgres']);
  expect(asked.slice(1).map(({ host, pid, playbook, windowSeconds }) => [host, pid, playbook, windowSeconds])).toEqual(
    expect.arrayContaining([
      ['web-7', 400, 'triage', 2],
      ['db-1', 500, 'strace', 3],
      ['web-7', 100, 'triage', undefined],
    ]),
  );
  const looks = slack.thread('ops', ts).map(shown);
  for (const pid of [400, 500, 100])
    expect(looks.filter((text) => text.includes(`rocess ${pid} on`))).not.toHaveLength(0);
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
});

test('a guest is refused before any host is asked', async () => {
  const { slack, queue, sought } = await site(async (find) => found(find, FAMILY));
  const guest = slack.world.users.find((user) => user.isRestricted === true);
  expect(guest).toBeDefined();
  await slack.user(guest?.name ?? '').slash('/diagnose', 'web-7 name:gunicorn', 'ops');
  await told(slack, guest?.name ?? '', 'I take no requests from guests');
  await quiet(queue);
  expect(sought).toEqual([]);
});

test('a bot that ends while the host is asked: another one goes on, and its list can be picked from', async () => {
  const [asked, goOn] = [arrival<void>(), arrival<void>()];
  const first = await site(async (find) => {
    asked.arrive();
    await goOn.promise;
    return found(find, FAMILY);
  });
  const { slack, redis } = first;
  await slack.user('bob').slash('/diagnose', 'web-7 name:gunicorn', 'ops');
  await asked.promise;
  await first.close();
  goOn.arrive();
  const second = await botForTest(slack, redis.url);
  const list = await told(slack, 'bob', '3 processes on');
  await second.close();
  const third = await botForTest(slack, redis.url);
  await slack.user('bob').choose({ channel: list.channel, ts: list.ts }, optionsOf(list)?.actionId ?? '', '101:1010');
  await finishedThread(slack, 'ops');
  await quiet(third.queue);
  expect(first.asked.map(({ pid }) => pid)).toEqual([101]);
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
  expect(slack.ephemerals('bob').filter((message) => shown(message).includes('3 processes on'))).toHaveLength(1);
});

test('who asked for what on which host is in the audit log before the host is asked', async () => {
  const notes: AuditNote[] = [];
  const redis = await redisForTest();
  const slack = await slackForTest();
  const write = async (note: AuditNote): Promise<void> => void notes.push(note);
  const { queue } = await botForTest(slack, redis.url, { audit: { write } });
  await slack.user('bob').slash('/diagnose', 'web-7 name:gunicorn', 'ops');
  await expect.poll(() => notes.length, { timeout: 60_000 }).toBe(1);
  const { id: user } = slack.user('bob');
  expect(notes).toMatchObject([{ event: 'sought', host: 'web-7', user, outcome: 'name:gunicorn' }]);
  await told(slack, 'bob', 'No worker is running now; the process is looked for when one does.');
  expect((await queue.pending()).looks).toBe(1);
});

test.each(['500', '429', 'drop'] as const)('a list that meets %s is shown all the same, once', async (kind) => {
  const { slack, queue } = await site(async (find) => found(find, FAMILY));
  onTestFinished(() => slack.faults.clear());
  slack.faults.add({ kind, method: 'response_url', times: 2, retryAfter: 1 });
  await slack.user('bob').slash('/diagnose', 'web-7 name:gunicorn', 'ops');
  await told(slack, 'bob', '3 processes on');
  await quiet(queue);
  expect(slack.ephemerals('bob').filter((message) => shown(message).includes('3 processes on'))).toHaveLength(1);
});

test('of a list that was shown twice, because Slack said that it failed, one pick counts', async () => {
  const { slack, queue, asked } = await site(async (find) => found(find, FAMILY));
  onTestFinished(() => slack.faults.clear());
  slack.faults.add({ kind: 'after-effect-500', method: 'response_url' });
  await slack.user('bob').slash('/diagnose', 'web-7 name:gunicorn', 'ops');
  const lists = await slack.waitFor(
    () => {
      const all = slack.ephemerals('bob').filter((message) => shown(message).includes('3 processes on'));
      return all.length === 2 ? all : undefined;
    },
    { timeoutMs: 60_000, what: 'both lists' },
  );
  for (const [index, list] of lists.entries()) {
    const value = `${101 + index}:${1010 + index * 10}`;
    await slack.user('bob').choose({ channel: list.channel, ts: list.ts }, optionsOf(list)?.actionId ?? '', value);
    await quiet(queue);
  }
  expect(asked.map(({ pid }) => pid)).toEqual([101]);
});

test('a list whose command was long ago comes another way', async () => {
  const { slack, queue } = await site(async (find) => found(find, FAMILY), { responseUrlLifetimeMs: 0 });
  await slack.user('bob').slash('/diagnose', 'web-7 name:gunicorn', 'ops');
  await told(slack, 'bob', '3 processes on');
  await quiet(queue);
});
