import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, headlines, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'thread-leak';
const WINDOW = { windowSeconds: 3 };
const system = '/usr/bin/python3';
const [older = system, newer = system] = pythons('3.8.18', '3.13.0').slice(1);

it.each([
  ['webhook_sender.py', older, /deliver.*webhook_sender\.py:17.* more within/],
  ['thumbnail_api.py', system, /thread pools are alive/],
  ['session_reaper.py', newer, /Session\.run.*wait in .*Session\.open.*session_reaper\.py:22/],
] as const)('%s leaks threads', async (program, python, title) => {
  const { pid } = await startStanding(`${HERE}/${program}`, { python });
  const report = await examine(pid, WINDOW);
  const finding = expectFinding(report, 'thread-leak', 0.8);
  expect(finding.title).toMatch(title);
  expect(finding.fixes.at(-1)?.code).toContain(`/proc/${pid}/task`);
  expect(headlines(report).map((each) => each.cause)).toEqual(['thread-leak']);
});

describe('many threads that are meant', () => {
  it.each(['healthy_many_threads.py', 'healthy_short_threads.py', 'healthy_pool_grows.py'])('%s', async (program) => {
    const { pid } = await startStanding(`${HERE}/${program}`);
    expectHealthy(await examine(pid, WINDOW));
  });
});
