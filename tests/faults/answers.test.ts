import { expect, test } from 'vitest';
import { MARK_EVENT } from '../../bot/slack/shapes.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Asked } from './asking.ts';
import { answersOf, outcomesOf, truthOf } from './invariants.ts';
import { FAULT_KINDS, planRun } from './plan.ts';
import { historyOf } from './stores.ts';
import { failed, tableOf } from './table.ts';

let lastTs = 0;

const posted = (id: string, part: string, text: string, threadTs?: string, channel = 'C1'): SlackMessage => {
  lastTs += 1;
  return {
    type: 'message',
    channel,
    ts: `${lastTs}.000000`,
    user: 'U1',
    team: 'T1',
    text,
    bot_id: 'B1',
    metadata: { event_type: MARK_EVENT, event_payload: { request_id: id, part } },
    ...(threadTs === undefined ? {} : { thread_ts: threadTs }),
  };
};

const asked = (id: string, change: Partial<Asked> = {}): Asked => ({
  id,
  way: 'command',
  what: 'web-1 7 glance',
  taken: true,
  told: [],
  ...change,
});

const troubles = (requests: readonly Asked[], messages: readonly SlackMessage[]): string[] =>
  answersOf(requests, messages).flatMap(({ violations }) => violations);

test('a thread with its report, one with a sentence, and a command that was not taken are in order', () => {
  const [first, second] = [posted('r-1', 'first', '🟢 Healthy'), posted('r-2', 'first', '🟡 Unreachable')];
  const messages = [
    first,
    posted('r-1', 'report-1', 'Healthy', first.ts),
    posted('r-1', 'report-2', 'More', first.ts),
    second,
    posted('r-2', 'failure', 'The host 10 cannot be reached.', second.ts),
  ];
  const requests = [asked('r-1'), asked('r-2'), asked('r-3', { taken: false })];
  expect(troubles(requests, messages)).toEqual([]);
  expect(outcomesOf(requests, messages)).toEqual({
    reports: 1,
    failures: { 'The host N cannot be reached.': 1 },
    toldOnly: 0,
    notTaken: 1,
  });
});

test('what is missing, there twice, or left in the middle is told', () => {
  const first = posted('r-1', 'first', 'Looking at process 7 on web-1');
  expect(troubles([asked('r-1'), asked('r-2')], [first])).toEqual([
    'r-1 (command web-1 7 glance): no answer, only first',
    'r-1 (command web-1 7 glance): left at "Looking at process 7 on web-1"',
    'r-2 (command web-1 7 glance): no thread and no answer',
  ]);
  const done = posted('r-3', 'first', '🟢 Healthy');
  const twice = [done, ...['report-1', 'report-1'].map((part) => posted('r-3', part, 'Healthy', done.ts))];
  expect(troubles([asked('r-3')], twice)).toEqual([
    'r-3 (command web-1 7 glance): 2 answers: report-1, report-1',
    'r-3 report-1 in C1: 2 times',
  ]);
  const both = [done, posted('r-3', 'report-1', 'x', done.ts), posted('r-3', 'failure', 'y', done.ts)];
  expect(troubles([asked('r-3')], both)).toEqual(['r-3 (command web-1 7 glance): 2 answers: report-1, failure']);
});

test('an alert has one thread, one look and its answer, which may be a link to another one', () => {
  const group = posted('alert-1', 'first', 'Slow');
  const look = posted('r-9', 'look', '🔴 Stuck\nThe same cause in the same process was found for another', group.ts);
  const requests = [asked('alert-1', { way: 'alert' })];
  expect(troubles(requests, [group, look])).toEqual([]);
  expect(troubles(requests, [group])).toEqual(['alert-1 (alert web-1 7 glance): no look']);
  expect(troubles(requests, [])).toEqual(['alert-1 (alert web-1 7 glance): no thread']);
  const open = posted('r-8', 'look', 'Looking at process 7 on web-1', group.ts);
  expect(troubles(requests, [group, look, open])).toEqual([
    'alert-1 (alert web-1 7 glance): no answer, only look',
    'alert-1 (alert web-1 7 glance): left at "Looking at process 7 on web-1"',
    'alert-1 (alert web-1 7 glance): 2 looks',
  ]);
});

test('a program that lives and is said to have gone is told', () => {
  const said = (text: string) => truthOf([posted('r-1', 'failure', text, '1.0')]).violations;
  expect(said('The connection to web-1 was lost.')).toEqual([]);
  const replaced =
    'Process 7 on web-1 started after you asked: the one you meant has ended and its pid was reused by x.';
  expect(said(replaced)).toEqual([`r-1: ${replaced}`]);
});

test('history that lacks a look or has one twice is told', () => {
  expect(historyOf(['a', 'b'], new Set(['a', 'b'])).violations).toEqual([]);
  expect(historyOf(['a', 'a'], new Set(['a', 'b'])).violations).toEqual(['b is missing', '1 rows are there twice']);
});

test('the same seed plans the same run, and each fault is planned for as few requests as there are kinds', () => {
  expect(planRun(7, 200)).toEqual(planRun(7, 200));
  expect(planRun(8, 200)).not.toEqual(planRun(7, 200));
  const { faults, looks } = planRun(7, 20);
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
  expect(looks).toHaveLength(20);
  expect(faults.map(({ at }) => at)).toEqual(faults.map(({ at }) => at).sort((a, b) => a - b));
});

test('the table shows what was violated and how often', () => {
  const ran = {
    plan: planRun(7, 1),
    asked: [asked('r-1')],
    outcomes: { reports: 0, failures: {}, toldOnly: 0, notTaken: 0 },
    faults: new Map([['Redis killed', 2]] as const),
    invariants: [
      { name: 'One answer in its thread', of: '1 command', violations: ['r-1: no | answer'] },
      { name: 'Nothing waits', of: '5 queues', violations: [] },
    ],
    resident: [{ name: 'bot-1', firstMib: 100, lastMib: 120.4 }],
    seconds: 12.3,
  };
  expect(failed(ran)).toBe(true);
  const text = tableOf(ran);
  expect(text).toContain('Seed 7: 1 requests (1 command) in 12 s.');
  expect(text).toContain('| Redis killed | 2 |');
  expect(text).toContain('| One answer in its thread | 1 command | 1 | r-1: no \\| answer |');
  expect(text).toContain('bot-1 100 → 120');
});
