import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { quiet, shown } from '../support/bot.ts';
import { loadLook } from '../support/record-look.ts';
import { healthyReport, sickReport } from '../support/reports.ts';
import { type Look, lookAgain, reply, thread } from './thread-reading.parts.ts';

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
  await quiet(queue);
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
  await quiet(queue);
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
