import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, headlines, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'zombie-children';
const WINDOW = { windowSeconds: 2 };
const [system = '', newer = system] = pythons('3.12.1');

it.each([
  ['image_proxy.py', system, /children have ended and nobody waits for them \(all of them `sh`\)/, 'Wait for `sh`'],
  ['job_forker.py', newer, /status 3|status other than 0/, 'not one'],
  ['crawler_pool.py', system, /`python3`/, 'Wait for `python3`'],
])('%s has children that nobody waits for', async (program, python, words, fix) => {
  const { pid } = await startStanding(`${HERE}/${program}`, { python });
  const report = await examine(pid, WINDOW);
  const finding = expectFinding(report, 'zombie-children', 0.9);
  expect(`${finding.title} ${finding.summary}`).toMatch(words);
  expect(finding.fixes[0]?.title).toContain(fix);
  expect(headlines(report).map((each) => each.cause)).toEqual(['zombie-children']);
});

describe('children that end in an orderly way', () => {
  it.each(['healthy_runner.py', 'healthy_batches.py', 'healthy_in_turn.py'])('%s', async (program) => {
    const { pid } = await startStanding(`${HERE}/${program}`);
    expectHealthy(await examine(pid, WINDOW));
  });
});
