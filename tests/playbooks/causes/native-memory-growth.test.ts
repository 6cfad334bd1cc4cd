import { beforeAll, describe, expect, it } from 'vitest';
import { nativeMemoryGrowth } from '../../../playbooks/causes/native-memory-growth.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

const GEO = 'native-memory-growth/geo_lookup';
const FRAMES = 'native-memory-growth/frame_grabber';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

describe('fires', () => {
  it('for what malloc has in use, with the rate, the size of the pieces and the line that ran', () => {
    const finding = firingOn(nativeMemoryGrowth, GEO);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^Native memory grows by [\d.]+ MiB a second, in malloc’s arenas, and it is not Python objects$/,
    );
    expect(finding.summary).toMatch(/chunks for 4,008 bytes or a little less/);
    expect(finding.summary).toMatch(/Python's objects (did not grow|grew by [\d.]+ KiB only) meanwhile/);
    expect(finding.summary).toContain('geo_lookup.py');
    expect(quoted(finding)).toMatch(/begin counters[\s\S]*end counters[\s\S]*all arenas[\s\S]*pymalloc/);
    expect(finding.fixes[0]?.code).toContain('memray run --native');
  });

  it('for mappings that malloc did not make, which is less sure', () => {
    const finding = firingOn(nativeMemoryGrowth, FRAMES);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.title).toContain('in mappings outside of malloc');
    expect(finding.summary).toContain('Inferred: that nothing unmaps it later');
  });

  it('as a hint where it grew in a loop that has an end', () => {
    const finding = firstFinding(verdictOn(nativeMemoryGrowth, loadLook('healthy/spool'), probes));
    expect(finding.confidence).toBe(0.45);
    expect(finding.summary).toContain('that loop has an end');
  });

  it('as a hint where larger pieces took the place of smaller ones, as in a bounded cache', () => {
    const finding = firstFinding(verdictOn(nativeMemoryGrowth, loadLook('healthy/longer_values'), probes));
    expect(finding.confidence).toBe(0.45);
    expect(finding.summary).toContain('there are hardly more pieces than before');
    const more = changedLook(loadLook('healthy/longer_values'), 'malloc', (text) =>
      text.replace(/in use (\d+) in 50601,/g, 'in use $1 in 53550,'),
    );
    expect(firstFinding(verdictOn(nativeMemoryGrowth, more, probes)).confidence).toBe(0.92);
  });

  it('for shared memory, in each quarter, but not for one that a container of mappings keeps', () => {
    const shared = 'python-heap-growth/clip-store';
    expect(clearOn(nativeMemoryGrowth, shared)).toContain('`__main__.CLIPS` grows, and each object in it may own');
    const alone = changedLook(loadLook(shared), 'py-heap', (text) => text.replace(/mmap\.mmap 24/, 'int 24'));
    const finding = firstFinding(verdictOn(nativeMemoryGrowth, alone, probes));
    expect(finding.confidence).toBe(0.8);
    expect(finding.summary).toContain('in 4 of 4 quarters');
  });

  it('as a hint where Python’s objects were not counted', () => {
    const verdict = verdictOn(nativeMemoryGrowth, loadLook(GEO), probes, ['py-heap']);
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
    expect(verdict.verdict === 'fires' ? verdict.wants : []).toContain('py-heap');
  });
});

describe('is clear', () => {
  it.each([
    ['healthy/memory_requests', /not all the time|already reserved|grew by|no more in the seconds/],
    ['healthy/buffer_filler', /already reserved|grew by 0 KiB/],
    ['healthy/big_cache', /grew by/],
    // Its objects were counted when it was done: nothing grew any more, and nearly all that there is are objects.
    ['healthy/catalog_load', /^what grew \(21 MiB\) is Python's/],
    ['allocator-retention/offline', /grew by/],
  ])('of %s', (name, why) => expect(clearOn(nativeMemoryGrowth, name)).toMatch(why));

  it('of growth that ends before malloc is looked at', () => {
    const look = changedLook(loadLook(GEO), 'malloc', (text) => {
      const [head = '', tail = ''] = text.split(/^look at (?=[1-9])/m);
      const first = /^look at 0\.00 s\n([\s\S]*?)(?=^in between)/m.exec(head)?.[1] ?? '';
      return `${head}look at ${tail.split('\n')[0]}\n${first}done\n`;
    });
    const verdict = verdictOn(nativeMemoryGrowth, look, probes);
    expect(verdict).toMatchObject({
      verdict: 'clear',
      why: expect.stringContaining('no more in the seconds after it'),
    });
  });
});

describe('cannot tell', () => {
  it('whose memory grows before malloc’s books were read', () => {
    const { why, wants } = untoldOn(nativeMemoryGrowth, GEO, ['malloc', 'py-heap']);
    expect(why).toContain('whose it is was not read');
    expect(wants).toEqual(['malloc', 'py-heap']);
  });

  it('without its memory', () => expect(untoldOn(nativeMemoryGrowth, GEO, ['memory']).wants).toEqual(['memory']));
});

it('answers whatever became of the evidence', () => expectNeverThrowsOn(nativeMemoryGrowth, [GEO, FRAMES]));
