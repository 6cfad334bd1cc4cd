import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, headlines, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'waiting-forever';
const WINDOW = { windowSeconds: 2 };
const system = '/usr/bin/python3';
const [older = system, newer = system] = pythons('3.8.18', '3.13.0').slice(1);

it.each([
  ['order_intake.py', older, 0.7, /next_order.* for an item of a queue, and no other thread is left/],
  ['report_pool.py', system, 0.9, /for results of a process pool, and all workers are idle/],
  ['feed_merge.py', newer, 0.9, /nobody is left who could write it/],
  ['mail_batch.py', newer, 0.7, /send_all.*every other thread waits too/],
  ['nightly_cleanup.py', system, 0.7, /having come to its own end/],
  ['ask_model.py', older, 0.9, /ask.* for data from another process, and nobody is left/],
  ['thumbnail_futures.py', older, 0.7, /for a future to be done/],
] as const)('%s waits for ever', async (program, python, atLeast, title) => {
  const { pid } = await startStanding(`${HERE}/${program}`, { python });
  const report = await examine(pid, WINDOW);
  const finding = expectFinding(report, 'waiting-forever', atLeast);
  expect(finding.title).toMatch(title);
  expect(headlines(report).map((each) => each.cause)).toEqual(['waiting-forever']);
});

it.each([
  ['capture', system, 0.9],
  ['script', older, 0.9],
  ['threads', newer, 0.9],
  ['lines', system, 0.7],
  ['patient', system, 0.9],
] as const)(
  'release_agent.py %s waits for a pipe that a service has inherited, and says which',
  async (kind, python, atLeast) => {
    const { pid } = await startStanding(`${HERE}/release_agent.py`, { python, args: [kind] });
    const report = await examine(pid, WINDOW);
    const finding = expectFinding(report, 'waiting-forever', atLeast);
    expect(finding.title).toMatch(/restart|one.*for the end of the output of a child that has ended/);
    const text = finding.evidence.map((quote) => quote.text).join('\n');
    const [, holder = ''] = /^pipe \d+ is held by process (\d+): /m.exec(text) ?? [];
    expect(text).toMatch(/^zombie \d+: .* both times/m);
    expect(finding.related?.map((each) => each.pid)).toContain(Number(holder));
    expect(headlines(report).map((each) => each.cause)).toEqual(['waiting-forever']);
  },
);

it.each([system, newer])('release_agent.py awaits waits in a task, beside which others go on (%s)', async (python) => {
  const { pid } = await startStanding(`${HERE}/release_agent.py`, { python, args: ['awaits'] });
  const report = await examine(pid, WINDOW);
  const finding = expectFinding(report, 'waiting-forever', 0.7);
  expect(finding.title).toMatch(
    /^A task waits in .*restart_awaited.* for the end of the output of a child that has ended/,
  );
  expect(finding.evidence.map((quote) => quote.text).join('\n')).toMatch(/^pipe \d+ is held by process \d+: /m);
  expect(headlines(report).map((each) => each.cause)).toEqual(['waiting-forever']);
});

it.each([
  ['answer_broker.py', system, /^7 tasks of the event loop wait in `ask` /],
  ['answer_broker.py', older, /tasks of the event loop wait/],
  ['seat_planner.py', newer, /^3 tasks of the event loop wait in .*book/],
] as const)('%s has an event loop that nothing can wake (%s)', async (program, python, title) => {
  const { pid } = await startStanding(`${HERE}/${program}`, { python });
  const report = await examine(pid, WINDOW);
  expect(expectFinding(report, 'waiting-forever', 0.7).title).toMatch(title);
  expect(headlines(report).map((each) => each.cause)).toEqual(['waiting-forever']);
});

describe('healthy waits', () => {
  it.each(['stop', 'thread', 'child', 'pipe'])('healthy_async_waits.py %s', async (kind) => {
    const { pid } = await startStanding(`${HERE}/healthy_async_waits.py`, { args: [kind] });
    expectHealthy(await examine(pid, WINDOW));
  });

  it.each(['healthy_stop_event.py', 'healthy_bare_event.py', 'healthy_pool_work.py'])('%s', async (program) => {
    const { pid } = await startStanding(`${HERE}/${program}`);
    expectHealthy(await examine(pid, WINDOW));
  });

  it.each(['slow', 'redirected', 'impatient', 'awaits-some'])('release_agent.py %s', async (kind) => {
    const { pid } = await startStanding(`${HERE}/release_agent.py`, { args: [kind] });
    expectHealthy(await examine(pid, WINDOW));
  });
});
