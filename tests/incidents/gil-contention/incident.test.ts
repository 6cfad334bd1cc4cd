import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, pythons, startStanding } from '../../support/incident.ts';

describe.each(pythons('3.8.18', '3.13.0'))('%s', (python) => {
  it('names the function in which threads take turns', async () => {
    const { pid } = await startStanding('gil-contention/tariff_workers.py', { python });
    const finding = expectFinding(await examine(pid), 'gil-contention', 0.7);
    expect(finding.title).toMatch(/^6 threads take turns .*work_out.*tariff_workers\.py:13/);
    expect(finding.fixes[0]?.code).toContain('pool.map(work_out, items)');
  });
});

it('names the function in which the threads of a pool are most', async () => {
  const { pid } = await startStanding('gil-contention/feed_ranker.py');
  expect(expectFinding(await examine(pid), 'gil-contention', 0.7).title).toMatch(/(score|parse).*feed_ranker\.py/);
});

it('names the handler of a threaded server that is asked faster than it answers', async () => {
  const { pid } = await startStanding('gil-contention/stock_server.py');
  expect(expectFinding(await examine(pid), 'gil-contention', 0.7).title).toMatch(/forecast.*stock_server\.py/);
});

it.each(['healthy_native', 'healthy_pair'])('%s is no fault', async (name) => {
  const { pid } = await startStanding(`gil-contention/${name}.py`);
  const report = await examine(pid);
  expectHealthy(report);
  expect(report.ruledOut.map((each) => each.cause)).toContain('gil-contention');
});
