import { describe, expect, it } from 'vitest';
import { pythonHeapGrowth } from '../../../playbooks/causes/python-heap-growth.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const probes: ReadonlyMap<string, Probe> = await loadProbes();
const CACHE = 'python-heap-growth/request-cache';

/** The verdict on a recorded look in which some text of the heap was another. */
const ifHeapSaid = (name: string, from: RegExp, to: string) =>
  verdictOn(
    pythonHeapGrowth,
    changedLook(loadLook(name), 'py-heap', (text) => text.replace(from, to)),
    probes,
  );

describe('what is kept for clients', () => {
  it('is a hint at most while as many of them are there and become more', () => {
    const finding = firingOn(pythonHeapGrowth, 'healthy/session_crowd');
    expect(finding.confidence).toBe(0.4);
    expect(finding.title).toMatch(/dict `__main__\.registry\.live` grows/);
    expect(finding.summary).toContain('as much of it as there are connections of clients');
  });

  it('is a leak when they have gone', () => {
    const finding = firingOn(pythonHeapGrowth, 'python-heap-growth/session_crowd');
    expect(finding.confidence).toBe(0.9);
    expect(finding.title).toMatch(/dict `__main__\.registry\.live` grows/);
  });

  it.each([
    ['sockets', /ESTAB/g, 'CLOSE-WAIT'],
    ['fds', /^open: .*$/m, 'open: 300 at 0.00 s, 300 at 1.00 s, 300 at 2.00 s'],
    ['fds', /[\s\S]*/, ''],
  ])('is a leak when their %s do not say so', (probe, from, to) => {
    const look = changedLook(loadLook('healthy/session_crowd'), probe, (text) => text.replace(from, to));
    expect(firstFinding(verdictOn(pythonHeapGrowth, look, probes)).confidence).toBe(0.9);
  });
});

describe('a heap that grows', () => {
  it('a dict that keeps every answer: which, how fast, until when, and the line that adds', () => {
    const finding = firingOn(pythonHeapGrowth, CACHE);
    expect(finding.confidence).toBe(0.9);
    expect(finding.title).toMatch(
      /^The dict `__main__\.ANSWERS` grows by [\d,]+ items a minute, [\d.]+ MiB a minute: `answer` \(`\/srv\/app\/quote_api\.py:25`\) adds to it$/,
    );
    expect(finding.summary).toMatch(
      /in each quarter of that time.*`str 24 -> __main__\.Quote 24`.*At this rate it meets the host’s memory in/,
    );
    expect(quoted(finding)).toMatch(
      /container dict 0x\w+ \d+ items, global __main__\.ANSWERS[\s\S]*sizes 0\.00:\d+[\s\S]*adds \/srv\/app\/quote_api\.py 25 answer/,
    );
    expect(finding.fixes[0]?.code).toContain('ANSWERS.pop(');
  });

  it('a list that takes few large items, less surely: as many came as the process grew by', () => {
    const frames = 'python-heap-growth/frame-archive';
    const finding = firingOn(pythonHeapGrowth, frames);
    expect(finding.confidence).toBe(0.75);
    expect(finding.title).toMatch(
      /^The list `__main__\.camera\.frames` grows by .*`keep` \(`\/srv\/app\/frame_archive\.py:12`\)/,
    );
    expect(finding.summary).toMatch(
      /one after the other and without shrinking.*Inferred: that it goes on: few items came/,
    );
    const sizes = (items: string) => ifHeapSaid(frames, /(frames in .*\n {2}sizes ).*/, `$1${items}`);
    expect(sizes('0.00:20 0.60:21 1.20:20 1.80:21 2.60:22').verdict).toBe('clear');
    expect(sizes('0.00:1 0.60:2 1.20:3 1.80:4 2.60:4').verdict).toBe('clear');
    const end = Number(
      /^end counters: resident \d+, anonymous (\d+)/m.exec(
        Buffer.from(loadLook(frames).evidence.find(({ probe }) => probe === 'memory')?.stdout ?? []).toString(),
      )?.[1],
    );
    const step = changedLook(loadLook(frames), 'memory', (text) =>
      text.replace(/^((?:begin counters|at [\d.]+ s): resident \d+, anonymous) \d+/gm, `$1 ${end - 800}`),
    );
    const once = changedLook(step, 'py-heap', (text) =>
      text.replace(/(frames in .*\n {2}sizes ).*/, '$10.00:41 0.60:41 1.20:41 1.80:42 2.60:42'),
    );
    const one = firstFinding(verdictOn(pythonHeapGrowth, once, probes));
    expect(one.confidence).toBe(0.6);
    expect(one.summary).toContain('one item came while it was looked at');
    const deep = (bytes: number) => ifHeapSaid(frames, /819273 bytes an item/, `${bytes} bytes an item`);
    expect(firstFinding(deep(20_000)).title).toMatch(/grows by .* items a minute, \d\d MiB a minute/);
    expect(deep(2_000).verdict).toBe('clear');
    const falls = changedLook(loadLook(frames), 'memory', (text) =>
      text.replace(/^(at [01]\.\d+ s: resident \d+, anonymous) \d+/gm, '$1 90000'),
    );
    expect(verdictOn(pythonHeapGrowth, falls, probes).verdict).toBe('clear');
  });

  it('is a hint where few large items are loaded in a loop that has an end', () => {
    expect(firingOn(pythonHeapGrowth, 'healthy/loads_shards').confidence).toBe(0.4);
  });

  it('a cache of functools.lru_cache without a bound', () => {
    const finding = firingOn(pythonHeapGrowth, 'python-heap-growth/lru-cache');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/functools\.lru_cache keeps for `__main__\.Catalog\.render`.*translations\.py:16/);
    expect(finding.fixes[0]?.code).toContain('maxsize=10_000');
  });

  it('a backlog: less sure, for a burst may pass', () => {
    const finding = firingOn(pythonHeapGrowth, 'python-heap-growth/backlog');
    expect(finding.confidence).toBe(0.7);
    expect(finding.summary).toContain('Inferred: that this is no passing burst');
    expect(finding.fixes[0]?.title).toContain('Bound `__main__.pending.queue`');
  });

  it('is not sure where the source removes, measures or empties', () => {
    for (const kind of ['removes', 'measures', 'empties']) {
      const line = `  ${kind} /srv/app/quote_api.py 30 forget | …`;
      const found = firstFinding(ifHeapSaid(CACHE, /^( {2}adds .*ANSWERS.*)$/m, `$1\n${line}`));
      expect(found.confidence, kind).toBeLessThan(0.5);
      expect(found.summary, kind).toContain('Inferred: that');
    }
  });

  it('does not call it a leak when a finite loop that goes on all the time fills it', () => {
    const filled = ifHeapSaid(CACHE, /25 answer \|/, '25 serve in a loop that is finite |');
    expect(firstFinding(filled).confidence).toBe(0.4);
    const again = ifHeapSaid(CACHE, /25 answer \|/, '25 elsewhere in a loop that is finite |');
    expect(firstFinding(again).confidence).toBe(0.9);
  });

  it('lays the growth of shared mappings to the list that keeps them', () => {
    const finding = firingOn(pythonHeapGrowth, 'python-heap-growth/clip-store');
    expect(finding.confidence).toBe(0.85);
    expect(finding.title).toMatch(/^The list `__main__\.CLIPS` grows .* MiB a minute: `cut`/);
    expect(finding.summary).toMatch(
      /Inferred: that the memory outside of Python's objects .* is that of its items, 1\d\d(\.\d)? KiB each/,
    );
    const name = 'python-heap-growth/clip-store';
    expect(firstFinding(ifHeapSaid(name, /mmap\.mmap 24/, 'app.Clip 24')).confidence).toBe(0.65);
    expect(firstFinding(ifHeapSaid(name, /mmap\.mmap 24/, 'int 24')).title).toMatch(/[\d.]+ KiB a minute/);
  });

  it('is silent on what fills up to its bound, but not where the bound is no help', () => {
    const name = 'healthy/warming';
    const hints = firstFinding(verdictOn(pythonHeapGrowth, loadLook(name), probes));
    expect(hints.title).toContain('pages.kept');
    expect(hints.confidence).toBe(0.4);
    const bounded = ifHeapSaid(
      name,
      /^container dict \S+ \d+ items, attribute __main__\.pages\.kept.*$/m,
      '$& bounded to 4000',
    );
    expect(bounded).toMatchObject({
      verdict: 'clear',
      why: expect.stringMatching(/has a bound: \d+ of at most [\d,]+ items/),
    });
    const nameless = ifHeapSaid(CACHE, /, global __main__\.ANSWERS.*$/m, ', nameless bounded to 90000');
    expect(nameless.verdict).toBe('clear');
    const vast = ifHeapSaid(CACHE, /(, global __main__\.ANSWERS.*)$/m, '$1 bounded to 2000000000');
    expect(firstFinding(vast)).toMatchObject({
      confidence: 0.7,
      summary: expect.stringContaining('its bound of 2,000,000,000 items comes too late'),
    });
  });

  it('is silent on a cache that has a bound, a slow one, and one that rests or shrinks', () => {
    const lru = 'python-heap-growth/lru-cache';
    expect(ifHeapSaid(lru, / of render at (\d+)/, ' of render at $1 bounded to 100000').verdict).toBe('clear');
    expect(ifHeapSaid(CACHE, /sizes 0\.00:(\d+) .*/, 'sizes 0.00:$1 0.50:$1 1.00:$1 1.50:$19999').verdict).toBe(
      'clear',
    );
    expect(ifHeapSaid(CACHE, /sizes 0\.00:\d+ .*/, 'sizes 0.00:100 0.50:900 1.00:300 1.50:1200 2.00:600').verdict).toBe(
      'clear',
    );
    const slow = changedLook(loadLook(CACHE), 'py-heap', (text) =>
      text
        .replace(/sizes 0\.00:\d+ .*/, 'sizes 0.00:100 0.50:101 1.00:102 1.50:103 2.00:104')
        .replaceAll(/grew by \d+ objects, \d+ bytes/g, 'grew by 4 objects, 400 bytes'),
    );
    expect(verdictOn(pythonHeapGrowth, slow, probes).verdict).toBe('clear');
  });

  it('names the type alone, and is less sure, when nothing that holds it was found', () => {
    const held = changedLook(loadLook(CACHE), 'py-heap', (text) => text.replace(/^container [\s\S]*?(?=^end$)/m, ''));
    const found = firstFinding(verdictOn(pythonHeapGrowth, held, probes));
    expect(found.confidence).toBe(0.6);
    expect(found.title).toMatch(/^Live `(str|__main__\.Quote)` objects grow by/);
    expect(found.summary).toContain('Inferred: that they are kept for good');
  });
});

describe('no growth', () => {
  it.each(['healthy/bounded_caches', 'healthy/price_table', 'healthy/cycles_collected'])('%s', (name) => {
    expect(clearOn(pythonHeapGrowth, name)).toMatch(/none grew all the time at a rate that matters/);
  });

  it('of memory that stood still needs no count', () => {
    expect(clearOn(pythonHeapGrowth, 'healthy/price_table', ['py-heap'])).toMatch(/memory did not grow in/);
  });
});

describe('what it cannot tell', () => {
  it('memory grows and nothing was counted: it asks for the count', () => {
    const { why, wants } = untoldOn(pythonHeapGrowth, CACHE, ['py-heap']);
    expect(why).toMatch(/its memory grew .* were not counted/);
    expect(wants).toEqual(['py-heap']);
  });

  it('memory was not watched at all', () => {
    const { wants } = untoldOn(pythonHeapGrowth, CACHE, ['py-heap', 'memory', 'sample']);
    expect(wants).toEqual(['py-heap']);
  });

  it('answers whatever became of the evidence', () => {
    expectNeverThrowsOn(pythonHeapGrowth, lookNames('python-heap-growth'));
  });
});
