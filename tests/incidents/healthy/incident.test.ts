import { describe, expect, it } from 'vitest';
import { examine, expectHealthy, pythons, startStanding } from '../../support/incident.ts';

const WAITING = ['idle_server', 'thread_pool', 'asyncio_server', 'child_waiter', 'consumer', 'prefork_server'];
const WORKING = ['busy_server', 'hash_files', 'numeric_job', 'relax_grid', 'gzip_logs', 'sqlite_batch', 'process_pool'];

describe.each([...WAITING, ...WORKING])('%s', (program) => {
  it('is given no fault', async () => {
    const { pid } = await startStanding(`healthy/${program}.py`);
    const report = await examine(pid);
    expectHealthy(report);
    expect(report.findings[0]?.cause, JSON.stringify(report.cannotTell)).toBe('healthy');
    expect(report.findings[0]?.evidence.length).toBeGreaterThan(0);
  });
});

describe.each(pythons('3.6.15', '3.8.18', '3.13.0').slice(1))('%s', (python) => {
  it.each(['numeric_job', 'relax_grid', 'idle_server'])('%s is given no fault', async (program) => {
    const { pid } = await startStanding(`healthy/${program}.py`, { python });
    expectHealthy(await examine(pid));
  });
});
