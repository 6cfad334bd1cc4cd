import { expect, test } from 'vitest';
import { quiet, shown } from '../support/bot.ts';
import { loadFixture } from '../support/fixture.ts';
import { healthyReport, sickReport } from '../support/reports.ts';
import { lookAgain, reply, thread } from './thread-reading.parts.ts';

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
  await quiet(queue);
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
