import { afterEach, describe, expect, it } from 'vitest';
import { type CpuCgroup, makeCpuCgroup, whyNoCpuCgroup } from '../../support/cpu-cgroup.ts';
import { endPrograms, examine, expectFinding, expectHealthy, startStanding } from '../../support/incident.ts';

const groups: CpuCgroup[] = [];

const quota = (share: number, inside?: CpuCgroup): CpuCgroup => {
  const group = makeCpuCgroup(share, inside);
  groups.unshift(group);
  return group;
};

afterEach(async () => {
  await endPrograms();
  for (const group of groups.splice(0)) await group.remove();
});

describe.skipIf(whyNoCpuCgroup() !== null)('a process in a control group', () => {
  it('that stops its only thread is told so, with the quota', async () => {
    const { pid } = await startStanding('cpu-throttled/invoice_batch.py');
    const group = quota(0.25);
    group.add(pid);
    const finding = expectFinding(await examine(pid), 'cpu-throttled', 0.9);
    expect(finding.title).toContain('0.25 processors');
    expect(finding.summary).toContain('25 ms in each 100 ms');
    expect(finding.fixes[0]?.code).toMatch(new RegExp(`^echo \\d+( 100000)? > /sys/fs/cgroup/.*${group.path}/cpu`));
  });

  it('of which one above has the quota that its pool of threads uses up', async () => {
    const { pid } = await startStanding('cpu-throttled/thumbnail_pool.py');
    // Little enough to be used up on a machine that is busy with other things, too.
    const outer = quota(0.2);
    quota(Number.POSITIVE_INFINITY, outer).add(pid);
    const finding = expectFinding(await examine(pid), 'cpu-throttled', 0.9);
    expect(finding.title).toContain('0.2 processors');
    expect(finding.title).toContain(outer.path);
  });

  it('that holds up a worker which serves', async () => {
    const { pid } = await startStanding('cpu-throttled/report_server.py');
    quota(0.2).add(pid);
    expectFinding(await examine(pid), 'cpu-throttled', 0.8);
  });

  it('whose quota is more than it needs has no fault', async () => {
    const batch = await startStanding('cpu-throttled/invoice_batch.py');
    quota(1.8).add(batch.pid);
    expectHealthy(await examine(batch.pid));
    const poller = await startStanding('cpu-throttled/healthy_poller.py');
    quota(0.3).add(poller.pid);
    const report = await examine(poller.pid);
    expectHealthy(report);
    expect(report.ruledOut.map((each) => each.cause)).toContain('cpu-throttled');
  });
});
