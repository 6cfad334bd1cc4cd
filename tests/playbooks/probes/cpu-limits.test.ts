import { afterEach, describe, expect, it } from 'vitest';
import { cpuLimits } from '../../../playbooks/probes/cpu-limits.ts';
import { type CpuCgroup, makeCpuCgroup, whyNoCpuCgroup } from '../../support/cpu-cgroup.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, stepFor } from '../../support/run-probe.ts';

const groups: CpuCgroup[] = [];

afterEach(async () => {
  await endProcesses();
  for (const group of groups.splice(0)) await group.remove();
});

describe('cpu-limits', () => {
  it('reads the processors that a process may use', async () => {
    const one = await startProcess('taskset', ['-c', '0', 'sleep', '60']);
    const { parsed } = await runProbe(cpuLimits, { pid: one.pid });
    expect(parsed).toMatchObject({ ok: true, data: { processors: { allowed: 1 } }, partly: [] });
  });

  it.skipIf(whyNoCpuCgroup() !== null)('reads the quotas of its group and of those above', async () => {
    const outer = makeCpuCgroup(1.5);
    const inner = makeCpuCgroup(0.25, outer);
    groups.push(inner, outer);
    const { pid } = await startProcess('sleep', ['60']);
    inner.add(pid);
    const { parsed } = await runProbe(cpuLimits, { pid });
    if (!parsed.ok) throw new Error(parsed.why);
    expect(parsed.data.groups.slice(0, 2)).toMatchObject([
      { path: inner.path, quota: { micros: 25_000, periodMicros: 100_000 } },
      { path: outer.path, quota: { micros: 150_000, periodMicros: 100_000 } },
    ]);
    expect(parsed.data.groups[0]?.file).toContain(inner.path);
  });

  it('says that a process is gone', async () => {
    const { parsed } = await runProbe(cpuLimits, { pid: 4_194_303, startTime: '1' });
    expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it('reads recorded hosts', () => {
    const v2 = parseFixture(cpuLimits, 'v2');
    expect(v2).toMatchObject({
      ok: true,
      data: {
        processors: { host: 8, allowed: 2, at: 2 },
        groups: [
          {
            path: '/shop.slice/shop-web.service',
            quota: { micros: 50_000, periodMicros: 100_000 },
            throttledPeriods: 8120,
            at: 3,
          },
          { path: '/shop.slice', at: 4 },
        ],
      },
    });
    expect(parseFixture(cpuLimits, 'unlimited')).toMatchObject({ ok: true, data: { groups: [{ quota: null }] } });
    expect(parseFixture(cpuLimits, 'v1')).toMatchObject({
      ok: true,
      data: { groups: [{ throttledSeconds: 1.404 }, {}] },
    });
  });

  it('says what is missing of a cut or empty answer', () => {
    const step = stepFor(cpuLimits, { pid: 1 });
    const whole = Buffer.from(loadFixture('cpu-limits', 'v2').evidence.stdout).toString();
    const cut = cpuLimits.parse(evidenceFrom('cpu-limits', whole.slice(0, 200)), step);
    expect(cut).toMatchObject({ ok: true, partly: ['the list of control groups was cut'] });
    expect(cpuLimits.parse(evidenceFrom('cpu-limits', ''), step)).toMatchObject({ ok: false, reason: 'not-parsable' });
  });

  it('never throws', () => {
    expectNeverThrows(
      cpuLimits,
      fixtureNames('cpu-limits').map((name) => Buffer.from(loadFixture('cpu-limits', name).evidence.stdout)),
    );
  });
});
