import { describe, expect, it } from 'vitest';
import { gcDisabledCycles } from '../../../playbooks/causes/gc-disabled-cycles.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const probes: ReadonlyMap<string, Probe> = await loadProbes();
const TREE = 'gc-disabled-cycles/order-tree';

const ifHeapSaid = (name: string, from: RegExp, to: string) =>
  verdictOn(
    gcDisabledCycles,
    changedLook(loadLook(name), 'py-heap', (text) => text.replace(from, to)),
    probes,
  );

describe('cycles that pile up', () => {
  it('gc.disable(): what is garbage, the proof, and where it was switched off', () => {
    const finding = firingOn(gcDisabledCycles, TREE);
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toMatch(
      /^Cyclic garbage piles up: at least [\d,]+ unreachable objects \(.*`__main__\.(Item|Order)`.*order_tree\.py:10/,
    );
    expect(quoted(finding)).toMatch(
      /collector disabled, thresholds 700 10 10[\s\S]*all references to them are from each other/,
    );
    expect(finding.fixes.map((fix) => fix.title)[1]).toMatch(/Break the cycle of `__main__\.(Item|Order)`/);
  });

  it('gc.garbage of Python 2', () => {
    const finding = firingOn(gcDisabledCycles, 'gc-disabled-cycles/python2-del');
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toMatch(/^gc\.garbage keeps [\d,]+ uncollectable objects, [\d,]+ more in/);
    expect(finding.summary).toContain('__main__.Form');
    expect(finding.fixes[0]?.title).toContain('__del__');
  });

  it('gc.garbage that gc.set_debug() fills: no object is uncollectable', () => {
    const saved = changedLook(loadLook('gc-disabled-cycles/python2-del'), 'py-heap', (text) =>
      text.replace(/^python 2\.7\.\d+/, 'python 3.10.13').replace(/\? uncollectable/g, '0 uncollectable'),
    );
    const finding = firstFinding(verdictOn(gcDisabledCycles, saved, probes));
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toMatch(/^gc\.garbage keeps [\d,]+ objects, [\d,]+ more in/);
    expect(finding.summary).toContain('gc.set_debug() has told it to with DEBUG_SAVEALL');
    expect(finding.fixes.map((fix) => fix.code).join()).toMatch(/^grep -rnE 'set_debug/);
    const untold = changedLook(saved, 'py-heap', (text) => text.replace(/0 uncollectable/g, '? uncollectable'));
    expect(firstFinding(verdictOn(gcDisabledCycles, untold, probes)).confidence).toBe(0.85);
  });

  it('is less sure of a pile that does not grow, and of one that is collected at last', () => {
    const still = ifHeapSaid(TREE, /counts \d+ \d+ \d+/g, 'counts 40000 0 0');
    expect(firstFinding(still).confidence).toBeLessThan(0.9);
    const seldom = ifHeapSaid(TREE, /collector disabled, thresholds 700/g, 'collector enabled, thresholds 200000');
    expect(firstFinding(seldom).confidence).toBe(0.7);
  });
});

describe('no pile', () => {
  it('gc.disable() alone is no fault', () => {
    expect(clearOn(gcDisabledCycles, 'healthy/gc_disabled_no_cycles')).toMatch(
      /disabled, but of \d+ sampled objects none is garbage/,
    );
  });

  it('cycles that the collector frees are none either', () => {
    expect(clearOn(gcDisabledCycles, 'healthy/cycles_collected')).toMatch(/collector is enabled/);
    expect(ifHeapSaid(TREE, /collector disabled/g, 'collector enabled').verdict).toBe('clear');
  });

  it('nothing grows: nothing to look at', () => {
    expect(clearOn(gcDisabledCycles, 'healthy/price_table', ['py-heap'])).toMatch(/nothing piles up/);
  });
});

describe('what it cannot tell', () => {
  it('memory grows and the collector was not looked at: it asks for that', () => {
    expect(untoldOn(gcDisabledCycles, TREE, ['py-heap']).wants).toEqual(['py-heap']);
  });

  it('its state could not be found', () => {
    const verdict = ifHeapSaid(TREE, /^collector .*\n/gm, '');
    expect(verdict).toMatchObject({ verdict: 'cannot-tell', why: expect.stringContaining('could not be read') });
  });

  it('answers whatever became of the evidence', () => {
    expectNeverThrowsOn(gcDisabledCycles, lookNames('gc-disabled-cycles'));
  });
});
