import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, headlines, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'inherited-signal-handlers';
const WINDOW = { windowSeconds: 2 };
const system = '/usr/bin/python3';
const [older = system, newer = system] = pythons('3.8.18', '3.13.0').slice(1);

it.each([
  ['prefetch_server.py', system, /`stop_all` .*asks again and again whether its sibling, process \d+/],
  ['crawler_master.py', newer, /shutdown` .*sends SIGTERM to its sibling, process \d+/],
  ['task_farm.py', older, /`on_interrupt` .*sends SIGQUIT to its whole process group/],
] as const)('%s: a worker runs the handler of its master', async (program, python, title) => {
  const { live, pid } = await startStanding(`${HERE}/${program}`, { python });
  const report = await examine(pid, WINDOW);
  const finding = expectFinding(report, 'inherited-signal-handlers', 0.9);
  expect(finding.title).toMatch(title);
  expect(finding.related?.map((each) => each.pid)).toContain(live.pid);
  expect(finding.fixes[0]?.code).toContain('SIG_DFL');
  const others = headlines(report).filter((each) => each.explainedBy === undefined);
  expect(others.map((each) => each.cause)).toEqual(['inherited-signal-handlers']);
});

describe('workers that do no harm', () => {
  it.each(['healthy_prefork.py', 'healthy_same_handlers.py'])('%s', async (program) => {
    const { live, pid } = await startStanding(`${HERE}/${program}`);
    expectHealthy(await examine(pid, WINDOW));
    expectHealthy(await examine(live.pid, WINDOW));
  });
});
