import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { BotOptions } from '../../bot/bot.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Report, Request } from '../../playbooks/model/index.ts';
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
import { loadFixture } from '../support/fixture.ts';
import { redisForTest } from '../support/queue.ts';
import { loadLook } from '../support/record-look.ts';
import { healthyReport, sickReport } from '../support/reports.ts';

const STACKS = { id: 'stacks', title: 'Stacks', description: 'From outside.', impacts: ['none' as const] };
const PY_BT = { id: 'py-bt', title: 'Stacks', description: 'By gdb.', impacts: ['stops' as const] };

interface Look {
  readonly report: Report;
  readonly files?: readonly { probe: string; content: Uint8Array }[];
}

/** A thread in which a look has ended; further looks answer with the next one of `looks`. */
const thread = async (looks: readonly Look[], policy: BotOptions['policy'] = { allow: ['none', 'slows'] }) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const asked: Request[] = [];
  const { queue } = await botForTest(slack, redis.url, { playbooks: [...PLAYBOOKS, PY_BT, STACKS], policy });
  workerForTest(redis.url, async (request) => {
    const { report, files = [] } = looks[asked.length] ?? { report: sickReport };
    asked.push(request);
    const evidence = files.map(({ probe }, index) => ({
      id: `E${index + 1}`,
      probe,
      command: probe,
      exit: 0,
      seconds: 1,
      bytes: 10,
      truncated: false,
    }));
    return {
      outcome: {
        kind: 'report',
        report: {
          ...reportFor(request, report),
          startedAt: new Date(Date.UTC(2024, 4, 1, 12, 10 * asked.length)).toISOString(),
          ...(evidence.length > 0 && { evidence }),
        },
      },
      files: files.map(({ probe, content }, index) => ({
        name: `E${index + 1}-${probe}.txt`,
        evidenceId: `E${index + 1}`,
        content,
        truncated: false,
      })),
    };
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  const place = { channel: 'ops', threadTs: ts };
  const say = (who: string, words: string) => slack.user(who).say(`@straceback ${words}`, place);
  return { slack, queue, redis, ts, asked, place, say };
};

const reply = (slack: LocalSlack, ts: string, words: RegExp | string): Promise<SlackMessage> =>
  slack.waitFor(
    () =>
      slack
        .thread('ops', ts)
        .find(
          (message) =>
            message.bot_id !== undefined && new RegExp(words, 's').test(`${message.text}\n${shown(message)}`),
        ),
    { timeoutMs: 30_000, what: `a reply with ${words}` },
  );

/** Says something that asks for one more look, and waits until its report is there. */
const lookAgain = async ({ slack, ts, say }: Awaited<ReturnType<typeof thread>>, words = 'again') => {
  const whole = () => slack.thread('ops', ts).filter((message) => (message.files?.length ?? 0) > 0).length;
  const before = whole();
  say('alice', words);
  await slack.waitFor(() => whole() > before, { timeoutMs: 30_000, what: 'the next look' });
};

const figures = (rssKib: number, threads: number) => ({ rssKib, threads, cpuPercent: 2 });

test('compare tells what came, went and grew between the two newest looks, once, though the event comes twice', async () => {
  const calm = { ...healthyReport, figures: figures(100 * 1024, 8), cannotTell: [] };
  const all = await thread([{ report: { ...sickReport, figures: figures(60 * 1024, 8) } }, { report: calm }]);
  const { slack, ts, queue, asked } = all;
  all.say('bob', 'compare');
  await reply(slack, ts, 'There is only one look to compare');
  await lookAgain(all);
  // The first message of the thread shows the second look by now, so that the first one is known by its report.
  await quiet(queue);
  slack.events.repeat(1);
  all.say('bob', 'compare');
  const told = await reply(slack, ts, '^Compared: ');
  expect(shown(told)).toContain(sickReport.findings[0]?.title);
  expect(shown(told)).toMatch(/resident memory +60 MiB +100 MiB +\+40 MiB \(\+67 %\)/);
  expect(shown(told)).toContain(`look \n${asked[0]?.id}`);
  await expect.poll(() => queue.pending(), { timeout: 30_000 }).toEqual({ intake: 0, looks: 0, answers: 0 });
  expect(slack.thread('ops', ts).filter(({ text }) => text.startsWith('Compared: '))).toHaveLength(1);
  expect(asked).toHaveLength(2);
});

test('compare with a named look takes that one, of this channel only', async () => {
  const all = await thread([
    { report: { ...sickReport, figures: figures(10 * 1024, 1) } },
    { report: { ...sickReport, figures: figures(20 * 1024, 2) } },
    { report: { ...sickReport, figures: figures(30 * 1024, 3) } },
  ]);
  const { slack, ts, asked, say, queue } = all;
  await lookAgain(all);
  await lookAgain(all);
  await quiet(queue);
  say('bob', `compare ${asked[0]?.id}`);
  const told = await reply(slack, ts, '^Compared: ');
  expect(shown(told)).toMatch(/resident memory +10 MiB +30 MiB/);
  say('bob', 'compare r-00000000deadbeef');
  await reply(slack, ts, 'I know no finished look .*r-00000000deadbeef.* of this channel');
  say('bob', 'compare this with that');
  await reply(slack, ts, 'the id of one look, as .*history');
  const elsewhere = slack.user('bob').say('Something else', { channel: 'alerts' });
  slack.user('bob').say(`@straceback compare ${asked[0]?.id}`, { channel: 'alerts', threadTs: elsewhere.ts });
  await slack.waitFor(
    () => slack.thread('alerts', elsewhere.ts).find((message) => shown(message).includes('in a thread that I opened')),
    { timeoutMs: 30_000, what: 'the answer elsewhere' },
  );
});

test('compare tells the growth of each type where both looks have a heap, from the evidence that is kept', async () => {
  const heap = Buffer.from(loadFixture('py-heap', '3.11.2-growing').evidence.stdout);
  const grown = Buffer.from(
    heap.toString().replace(/^(type \S+ )(\d+)( objects, )(\d+)( bytes)/m, (_, a, objects, b, size, c) => {
      return `${a}${Number(objects) + 4_000}${b}${Number(size) + 512_000}${c}`;
    }),
  );
  const look = (content: Buffer) => ({ report: sickReport, files: [{ probe: 'py-heap', content }] });
  const all = await thread([look(heap), look(grown)]);
  await lookAgain(all);
  await quiet(all.queue);
  all.say('alice', 'compare');
  const told = await reply(all.slack, all.ts, '^Compared: ');
  expect(shown(told)).toMatch(/Python objects by type.*\+500 KiB/s);
});

test('history lists every look of the thread: who, when, how, what was found, and its id', async () => {
  const all = await thread([{ report: sickReport }, { report: healthyReport }]);
  const { slack, ts, asked, say, redis } = all;
  await lookAgain(all, 'strace 3');
  say('bob', 'history');
  const told = await reply(slack, ts, '2 looks in this thread');
  const [first, second] = asked;
  expect(shown(told)).toMatch(
    new RegExp(
      `${first?.id}.*${sickReport.findings[0]?.cause}.*${second?.id}.*${healthyReport.findings[0]?.cause}`,
      's',
    ),
  );
  expect(shown(told)).toContain('strace');
  expect(shown(told)).toContain('process 6325 on web-7');
  expect(shown(told)).toContain('asked by \nBob');
  expect(JSON.stringify(told.blocks)).not.toContain('"type":"user"');
  const client = new Redis(redis.url);
  await client.flushall();
  await client.quit();
  say('alice', 'history');
  await reply(slack, ts, 'not finished, or kept no longer than a day');
});

test('help shows what this person may do, apart what needs a yes, and what nobody may', async () => {
  const rules = [{ hosts: ['web-*'], allow: [], approve: ['stops' as const] }];
  const { slack, ts, say } = await thread([], { allow: ['none', 'slows'], rules });
  say('bob', 'help');
  const told = shown(await reply(slack, ts, 'Mention me in this thread with one of these'));
  const [free = '', asked = '', not = ''] = told.split(/Needs approval|Not allowed here/);
  expect(free).toContain('compare [LOOK-ID]');
  expect(free).toContain('strace [seconds]');
  expect(free).not.toContain('gcore');
  expect(asked).toMatch(/py-bt.*stops/s);
  expect(asked).not.toContain('writes-disk');
  expect(not).toMatch(/gcore.*stops.*writes-disk/s);
  // This site has no playbook for it, so there is nothing to ask for.
  expect(told).not.toContain('ltrace');
  say('bob', 'help gcore');
  await reply(
    slack,
    ts,
    'It runs the playbook .*gcore.*: A core and what it shows. It has the impact .*stops.* and .*writes-disk.* lets nobody do that here',
  );
  say('bob', 'help compar');
  await reply(slack, ts, 'I do not know “compar”. Did you mean .*compare');
});

test('what people say to each other about logs, looks and help is left alone', async () => {
  const { slack, ts, queue, asked, place } = await thread([]);
  for (const words of ['compare that with yesterday', 'help me please', 'history repeats itself', 'log files are full'])
    slack.user('bob').say(words, place);
  slack.user('bob').say('history', place);
  await reply(slack, ts, 'One look in this thread');
  await expect.poll(() => queue.pending(), { timeout: 30_000 }).toEqual({ intake: 0, looks: 0, answers: 0 });
  expect(asked).toHaveLength(1);
  expect(slack.thread('ops', ts).filter((message) => message.text.startsWith('Compared'))).toEqual([]);
  expect(slack.thread('ops', ts).map(shown).join('\n')).not.toContain('Mention me in this thread');
});

/** The kept evidence of a recorded look, as a worker hands it over. */
const recorded = (name: string): Look => ({
  report: sickReport,
  files: loadLook(name)
    .evidence.filter(({ probe }) => probe === 'sample' || probe === 'py-stacks')
    .map(({ probe, stdout }) => ({ probe, content: stdout })),
});

test('thread tells what the last look with threads knows of one, without another look', async () => {
  const all = await thread([recorded('thread-deadlock/callback'), { report: sickReport }]);
  const { slack, ts, asked, say, place, queue } = all;
  await lookAgain(all);
  await quiet(queue);
  slack.events.repeat(1);
  slack.user('bob').say('thread 7406', place);
  const told = shown(await reply(slack, ts, '^Thread 7406'));
  expect(told).toContain('futex');
  expect(told).toContain('Condition.wait');
  expect(told).toContain(`From look ${asked[0]?.id}`);
  say('alice', 'thread MainThread');
  await reply(slack, ts, '^Thread 7404');
  say('bob', 'thread nosuch <!channel>');
  await reply(slack, ts, 'The last look saw no thread “nosuch .*It saw .*7404.*7406.*idle');
  say('bob', 'thread python3');
  await reply(slack, ts, 'Several threads are called so: .*7404.*7406');
  say('bob', 'thread');
  await reply(slack, ts, 'Which thread');
  expect(asked).toHaveLength(2);
  expect(slack.thread('ops', ts).filter(({ text }) => text === 'Thread 7406')).toHaveLength(1);
});

test('thread looks anew where no evidence of threads is kept, and tells when that look is done', async () => {
  const all = await thread([{ report: sickReport }, recorded('thread-deadlock/callback')]);
  const { slack, ts, asked, say, queue } = all;
  say('bob', 'thread idle');
  const told = shown(await reply(slack, ts, '^Thread 7406'));
  expect(told).toContain('Condition.wait');
  expect(asked[1]).toMatchObject({ playbook: 'stacks', pid: 6325, host: 'web-7' });
  expect(told).toContain(`From look ${asked[1]?.id}`);
  await expect.poll(() => queue.pending(), { timeout: 30_000 }).toEqual({ intake: 0, looks: 0, answers: 0 });
  expect(slack.thread('ops', ts).filter(({ text }) => text === 'Thread 7406')).toHaveLength(1);
});

test('what does not fit into a message is said to be cut, and follows whole as a file, once', async () => {
  const ruledOut = Array.from({ length: 400 }, (_, at) => ({
    cause: `cause-${at}`,
    why: `reason ${at} ${'x'.repeat(60)}`,
  }));
  const { slack, ts, queue, say } = await thread([{ report: { ...sickReport, ruledOut } }]);
  slack.events.repeat(1);
  say('bob', 'why');
  const told = shown(await reply(slack, ts, '^Why: '));
  expect(told).toContain('Shortened here. The whole is in why.txt below.');
  await quiet(queue);
  const files = slack.files().filter((file) => file.name === 'why.txt');
  expect(files).toHaveLength(1);
  const text = slack.fileBytes(files[0]?.id ?? '')?.toString() ?? '';
  expect(text).toContain('reason 399 xxx');
  expect(text).toContain(sickReport.findings[0]?.title.slice(0, 40));
});
