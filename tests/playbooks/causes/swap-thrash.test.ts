import { beforeAll, describe, expect, it } from 'vitest';
import { swapThrash } from '../../../playbooks/causes/swap-thrash.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

const INDEX = 'swap-thrash/price_index';
const ARCHIVE = 'swap-thrash/archive';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

describe('fires', () => {
  it.each([INDEX, ARCHIVE])('for %s, with faults, swap, the limit and what it needs', (name) => {
    const finding = firingOn(swapThrash, name);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^It waits for its own memory to come back from swap: \d+ major faults a second, \d+ MiB in swap$/,
    );
    expect(finding.summary).toMatch(/Its control group is at .*of its memory limit/);
    expect(quoted(finding)).toMatch(/begin faults[\s\S]*end faults[\s\S]*pages swapped in[\s\S]*end counters/);
    expect(finding.fixes[0]?.title).toMatch(/^Raise the memory limit of its control group: 90 MiB/);
  });

  it('with the unit’s own limit to set', () => {
    const look = changedLook(loadLook(INDEX), 'identify', (text) =>
      text.replace(/^(cgroup: .*), \S+$/m, '$1, /system.slice/prices.service'),
    );
    const fix = firstFinding(verdictOn(swapThrash, look, probes)).fixes[0];
    expect(fix?.code).toMatch(/^systemctl set-property prices\.service MemoryHigh=infinity MemoryMax=\d+M/);
  });

  it('for a host without memory, where no limit is near', () => {
    const look = changedLook(loadLook(INDEX), 'memory', (text) => text.replace(/^(begin|end) group: .*\n/gm, ''));
    const finding = firstFinding(verdictOn(swapThrash, look, probes));
    expect(finding.summary).toMatch(/The host has [\d.]+ GiB of [\d.]+ GiB available/);
    expect(finding.fixes[0]?.title).toMatch(/^Give the host back/);
  });

  it('less surely when the kernel does not tell of swap', () => {
    const look = changedLook(loadLook(INDEX), 'memory', (text) => text.replace(/^(begin|end) host: .*\n/gm, ''));
    const finding = firstFinding(verdictOn(swapThrash, look, probes));
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Inferred: that these faults were for pages in swap');
  });
});

describe('is clear', () => {
  it('of what is in swap and not used', () =>
    expect(clearOn(swapThrash, 'healthy/swapped_out')).toMatch(/\d+ MiB of it are in swap and left there/));

  it('of a process that is all in memory', () =>
    expect(clearOn(swapThrash, 'healthy/big_cache')).toBe('it had 0 major page faults in the window'));

  it('of faults for files', () => {
    const look = changedLook(loadLook(INDEX), 'memory', (text) =>
      text.replace(/swapped \d+, peak/g, 'swapped 0, peak'),
    );
    expect(verdictOn(swapThrash, look, probes)).toMatchObject({
      verdict: 'clear',
      why: expect.stringContaining('were for files'),
    });
  });
});

describe('cannot tell', () => {
  it('without its memory', () => expect(untoldOn(swapThrash, INDEX, ['memory']).wants).toEqual(['memory']));

  it('when it was read only once', () => {
    const look = changedLook(loadLook(INDEX), 'memory', (text) => text.replace(/^(end|done).*\n/gm, ''));
    expect(verdictOn(swapThrash, look, probes)).toMatchObject({ verdict: 'cannot-tell' });
  });
});

it('answers whatever became of the evidence', () => expectNeverThrowsOn(swapThrash, [INDEX, ARCHIVE]));
