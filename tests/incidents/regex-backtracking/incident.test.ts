import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, pythons, startStanding } from '../../support/incident.ts';

describe.each(pythons('2.7.18', '3.8.18', '3.13.0'))('%s', (python) => {
  it('names pattern, text length and line of a compiled pattern’s match', async () => {
    const { pid } = await startStanding('regex-backtracking/comment_filter.py', { python });
    const finding = expectFinding(await examine(pid), 'regex-backtracking', 0.9);
    expect(finding.title).toMatch(/add.*comment_filter\.py:17/);
    expect(finding.title).toContain('`^(\\w+\\s?)*$`');
    expect(finding.summary).toContain('of 52 characters');
    expect(finding.summary).toContain('`(\\w+\\s?)*` has a quantifier inside of a quantifier');
  });
});

describe.each(pythons('3.10.13', '3.12.1'))('%s', (python) => {
  it('names a search through the module’s function in a worker thread', async () => {
    const { pid } = await startStanding('regex-backtracking/invoice_import.py', { python });
    const finding = expectFinding(await examine(pid), 'regex-backtracking', 0.9);
    expect(finding.title).toMatch(/customer_of.*invoice_import\.py:15/);
    expect(finding.title).toContain('`^(.*?,){11}P`');
  });

  it('names a bound method in a handler, before the event loop that it holds up', async () => {
    const { pid } = await startStanding('regex-backtracking/signup_api.py', { python });
    const report = await examine(pid);
    const finding = expectFinding(report, 'regex-backtracking', 0.9);
    expect(finding.title).toMatch(/check.*signup_api\.py:17/);
    expect(report.findings.find((each) => each.cause === 'event-loop-blocked')?.explainedBy).toBe('regex-backtracking');
  });
});

it.each(['healthy_log_scan', 'healthy_long_text', 'healthy_total'])('%s is no fault', async (name) => {
  const { pid } = await startStanding(`regex-backtracking/${name}.py`);
  expectHealthy(await examine(pid));
});
