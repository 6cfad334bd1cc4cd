import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, headlines, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'import-deadlock';
const WINDOW = { windowSeconds: 2 };
const system = '/usr/bin/python3';
const [older = system, newer = system] = pythons('3.8.18', '3.13.0').slice(1);

it.each([
  [
    'price_service.py',
    older,
    /imports `rates_config` and waits in `<module>` .*rates_config\.py:14.*`rates`.*rates_config\.py:8/,
  ],
  ['plugin_host.py', system, /imports `plugin_set` and waits in .*ThreadPoolExecutor-0_\d/],
  ['report_tool.py', newer, /imports `report_store` and waits in .*report_store\.py:17.*`store`.*report_store\.py:11/],
] as const)('%s is an import deadlock', async (program, python, title) => {
  const { pid } = await startStanding(`${HERE}/${program}`, { python });
  const report = await examine(pid, WINDOW);
  const finding = expectFinding(report, 'import-deadlock', 0.8);
  expect(finding.title).toMatch(title);
  expect(finding.fixes[0]?.title).toContain('is imported');
  expect(
    headlines(report)
      .filter((each) => each.explainedBy === undefined)
      .map((each) => each.cause),
  ).toEqual(['import-deadlock']);
});

describe('healthy imports', () => {
  it.each(['healthy_slow_import.py', 'healthy_late_import.py'])('%s', async (program) => {
    const { pid } = await startStanding(`${HERE}/${program}`);
    expectHealthy(await examine(pid, WINDOW));
  });
});
