import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, pythons, startStanding } from '../../support/incident.ts';

// A resolver of their own needs namespaces of their own, which takes root.
const may =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--net', '--mount', 'ip', 'link'], { stdio: 'ignore' }).status === 0;

describe.skipIf(!may)('names that are not answered', () => {
  it.each(pythons('3.8.18', '3.13.0'))('in a job that fetches by name, %s', async (python) => {
    const { pid } = await startStanding('dns-stall/rate_import.py', { python });
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'dns-stall', 0.9);
    expect(finding.title).toMatch(/main thread waits in `(RateImport\.)?fetch`.* for name server 127\.0\.0\.1:53/);
  });

  it('by all threads of a pool', async () => {
    const { pid } = await startStanding('dns-stall/mail_router.py');
    const finding = expectFinding(await examine(pid), 'dns-stall', 0.9);
    expect(finding.title).toMatch(/^[2-4] threads wait in `deliver`/);
  });

  it('in the threads that resolve for an event loop', async () => {
    const { pid } = await startStanding('dns-stall/status_board.py');
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'dns-stall', 0.9);
    expect(finding.summary).toContain('each is given 2 s and asked 1 time');
  });

  it('with the old interface, which has no frame', async () => {
    const { pid } = await startStanding('dns-stall/access_log.py');
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'dns-stall', 0.8);
    expect(finding.title).toContain('`annotate`');
    // A trace of that window may lie between two questions.
    if (finding.confidence >= 0.9) expect(finding.summary).toMatch(/It asked for `host\d+\.example\.com`/);
  });

  it.each(['healthy_health_check', 'healthy_bulk_lookup'])('but nothing of %s', async (program) => {
    const { pid } = await startStanding(`dns-stall/${program}.py`);
    expectHealthy(await examine(pid, { windowSeconds: 2 }));
  });
});
