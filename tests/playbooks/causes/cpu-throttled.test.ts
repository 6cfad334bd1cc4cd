import { describe, expect, it } from 'vitest';
import { cpuThrottled } from '../../../playbooks/causes/cpu-throttled.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

const probes = await loadProbes();

const judged = (change: (text: string) => string, probe = 'sample') =>
  verdictOn(cpuThrottled, changedLook(loadLook('cpu-throttled/invoice_batch'), probe, change), probes);

describe('a process whose control group is stopped', () => {
  it('is told the quota, what it got and what it wanted', () => {
    const finding = firingOn(cpuThrottled, 'cpu-throttled/invoice_batch');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toContain('0.25 processors (25 ms in each 100 ms)');
    expect(finding.summary).toContain('wanted 1 processor');
    expect(quoted(finding)).toMatch(/^throttled: \d+ periods/m);
    expect(quoted(finding)).toMatch(/^group: quota 25000 us of 100000 us/m);
    expect(finding.fixes[0]?.code).toBe('echo 100000 > /sys/fs/cgroup/cpu/shop-batch/cpu.cfs_quota_us');
  });

  it('may want more processors than one', () => {
    const finding = firingOn(cpuThrottled, 'cpu-throttled/thumbnail_pool');
    expect(finding.summary).toMatch(/wanted (2\.\d+|3) processors/);
  });

  it('is told without the quota’s figures when these were not seen', () => {
    const finding = firingOn(cpuThrottled, 'cpu-throttled/invoice_batch', ['cpu-limits']);
    expect(finding.title).toContain('which is not known');
  });

  it.each([
    ['/system.slice/shop-web.service', 'systemctl set-property --runtime shop-web.service CPUQuota='],
    ['/kubepods/burstable/pod1/2', 'kubectl set resources'],
    [`/docker/${'0123456789ab'.padEnd(64, 'c')}`, 'docker update --cpus'],
  ])('in %s is told how to raise it there', (path, command) => {
    const verdict = judged((text) => text.replace('/shop-batch', path));
    expect(firstFinding(verdict).fixes[0]?.code).toContain(command);
  });

  it('is less sure, and a hint, when it was stopped less often', () => {
    const stopped = (times: number) =>
      judged((text) =>
        text.replace(/^throttled: (\d+) periods, \d+ throttled/m, `throttled: $1 periods, ${times} throttled`),
      );
    expect(firstFinding(stopped(10)).confidence).toBeCloseTo(0.8, 2);
    expect(firstFinding(stopped(10)).summary).toContain('Inferred');
    expect(firstFinding(stopped(4)).confidence).toBeLessThan(0.5);
    expect(stopped(1)).toMatchObject({ verdict: 'clear' });
  });

  it('may be held up by others that use up the quota', () => {
    const verdict = judged((text) =>
      text.replace(/^process: user [\d.]+ s, system [\d.]+ s/m, 'process: user 0.05 s, system 0.00 s'),
    );
    expect(firstFinding(verdict).summary).toContain('others in the group');
  });
});

describe('a process that is not held up', () => {
  it.each(['healthy/quota_batch', 'healthy/quota_poller', 'healthy/numeric_job'])('%s', (name) => {
    expect(clearOn(cpuThrottled, name)).toMatch(/throttled|control group/);
  });

  it('sleeps while its group is stopped', () => {
    const verdict = judged((text) => text.replace(/states R (\d+)/g, 'states S $1'));
    expect(verdict).toMatchObject({ verdict: 'clear', why: expect.stringContaining('hardly wanted to run') });
  });
});

it('cannot tell without the sample', () => {
  expect(untoldOn(cpuThrottled, 'cpu-throttled/invoice_batch', ['sample']).wants).toEqual(['sample']);
});

it('never throws', () => expectNeverThrowsOn(cpuThrottled, ['cpu-throttled/invoice_batch', 'healthy/quota_poller']));
