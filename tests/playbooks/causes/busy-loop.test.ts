import { beforeAll, describe, expect, it } from 'vitest';
import { busyLoop } from '../../../playbooks/causes/busy-loop.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const judge = (name: string, without: readonly string[] = []) =>
  verdictOn(busyLoop, loadLook(`busy-loop/${name}`), probes, without);

describe('a loop of Python code that gets nowhere', () => {
  it('is named with function, lines, condition and the variables that stay', () => {
    const finding = firstFinding(judge('recall_service'));
    expect(finding.confidence).toBeGreaterThan(0.95);
    expect(finding.title).toContain('`NewUserRecall.sample_game` (`/srv/app/busy-loop/recall_service.py:37-44`)');
    expect(finding.summary).toContain('`while pool_can_use and len(taken) < want:`');
    expect(finding.summary).toContain('`pool_can_use`, `taken` and `want` were the same in every look');
    expect(finding.summary).toContain('strace saw not a single system call');
    expect(finding.summary).toMatch(/1 connection to `127\.0\.0\.1:\d+` not accepted/);
    expect(finding.evidence.map((quote) => quote.text.trim())).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^index: int, \d+ changes/),
        expect.stringMatching(/^tcp fd=\d+ LISTEN/),
      ]),
    );
    expect(finding.fixes.map((fix) => fix.title)[0]).toBe('Keep the state before you restart');
    expect(finding.fixes[1]?.code).toContain('while pool_can_use and len(taken) < want:\n    rounds += 1');
  });

  it('is asked to be traced before it is called sure, and can be told without', () => {
    const verdict = judge('settle_orders', ['strace']);
    expect(verdict).toMatchObject({ verdict: 'fires', wants: ['strace'] });
    expect(firstFinding(verdict).confidence).toBeCloseTo(0.88, 2);
    expect(firstFinding(judge('settle_orders')).confidence).toBeGreaterThan(0.9);
  });

  it('may count its rounds', () => {
    const finding = firstFinding(judge('settle_orders'));
    expect(finding.summary).toContain('Only `self.rounds` grows, and nothing in the loop depends on it');
    expect(firstFinding(judge('category_walk')).summary).toContain('`steps`');
  });

  it('is told where a request of gevent waits by asking, though its event loop turns', () => {
    const seldomMet = changedLook(loadLook('busy-loop/price_board'), 'py-stacks', (text) =>
      text.replace('6 changes in 43 looks, 3 up, 3 down, 3 back', '1 changes in 43 looks, 1 up, 0 down, 0 back'),
    );
    for (const verdict of [judge('price_board'), verdictOn(busyLoop, seldomMet, probes)]) {
      const finding = firstFinding(verdict);
      expect(finding.title).toContain('goes round a loop in `app` (`/srv/app/price_board.py:9-10`)');
      expect(finding.summary).toContain('`board` was the same in every look');
      expect(finding.confidence).toBeGreaterThan(0.85);
    }
  });

  it('is told of a generator expression over what has no end', () => {
    const finding = firstFinding(judge('port_allocator'));
    expect(finding.confidence).toBeGreaterThan(0.8);
    expect(finding.summary).toContain('comes back again and again');
    expect(finding.summary).toContain('Inferred: that what it looks for is not among what it goes over.');
    expect(finding.fixes[1]?.title).toBe('Give the search an end');
    const ending = changedLook(loadLook('busy-loop/port_allocator'), 'py-stacks', (text) =>
      text.replaceAll('.0: itertools.cycle', '.0: generator'),
    );
    expect(firstFinding(verdictOn(busyLoop, ending, probes)).confidence).toBeLessThan(0.5);
  });

  it('is a hint only when its variables were not watched and nobody waits', () => {
    const look = changedLook(loadLook('busy-loop/category_walk'), 'py-stacks', (text) =>
      text.replace(/^ {2}variables[\s\S]*?(?=^source|^thread|^end)/gm, '').replace(/^source[\s\S]*?(?=^end)/m, ''),
    );
    expect(firstFinding(verdictOn(busyLoop, look, probes)).confidence).toBeLessThan(0.5);
  });

  it('is more than a hint without them when clients wait for this very thread', () => {
    const look = changedLook(loadLook('busy-loop/recall_service'), 'py-stacks', (text) =>
      text.replace(/^ {2}variables[\s\S]*?(?=^source|^thread|^end)/gm, '').replace(/^source[\s\S]*?(?=^end)/m, ''),
    );
    expect(firstFinding(verdictOn(busyLoop, look, probes)).confidence).toBeCloseTo(0.6, 2);
  });
});

describe('a busy thread of which something goes onward', () => {
  const instead = (from: RegExp, to: string) =>
    verdictOn(
      busyLoop,
      changedLook(loadLook('busy-loop/settle_orders'), 'py-stacks', (text) => text.replace(from, to)),
      probes,
      ['strace'],
    );

  it('is clear when an outer iterator advances', () => {
    const verdict = instead(
      /^ {6}still: ([^\n]*)pending/m,
      '      @iterator0: list_iterator, 40 changes in 60 looks, 40 up, 0 down, 0 back, from 3 to 900\n      still: $1pending',
    );
    expect(verdict).toMatchObject({ verdict: 'clear', why: expect.stringContaining('what its loop goes over') });
  });

  it('is clear when the condition’s variable shrinks', () => {
    const verdict = instead(
      /^( {6}still: .*) {2}len\(pending\)/m,
      '      len(pending): size, 12 changes in 60 looks, 0 up, 12 down, 0 back, from 40 to 28\n$1',
    );
    expect(verdict).toMatchObject({ verdict: 'clear', why: expect.stringContaining('`len(pending)`') });
  });

  it('is none when a size is that of one object after the other', () => {
    const verdict = instead(
      /^ {6}len\(order\.after\): size, 12 changes.*$/m,
      '      len(order.after): size, 1 changes in 47 looks, 0 up, 1 down, 0 back, from 2 to 1',
    );
    expect(firstFinding(verdict).confidence).toBeGreaterThan(0.85);
  });

  it('is clear when the counter is what the loop waits for', () => {
    const verdict = instead(/\| {8,9}while pending:/g, '|         while self.rounds < limit:');
    expect(verdict).toMatchObject({ verdict: 'clear', why: expect.stringContaining('`self.rounds`') });
  });

  it('is a hint when the loop asks for the time', () => {
    const verdict = instead(/\| {8,9}while pending:/g, '|         while time.monotonic() < deadline:');
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
  });
});

describe('a loop that is meant to last, or whose counter was read while it ran on', () => {
  const torn = / {6}t: int, [^\n]*/;
  const tornCounter = (line: string) =>
    verdictOn(
      busyLoop,
      changedLook(loadLook('healthy/control_loop'), 'py-stacks', (text) => text.replace(torn, line)),
      probes,
    );

  it('is no fault when most looks at its counter rise', () => {
    const line =
      '      t: int, 57 changes in 60 looks, 44 up, 13 down, 8 back, from 610426 to 2118775, of which 47 rising 4 falling';
    expect(tornCounter(line)).toMatchObject({ verdict: 'clear', why: expect.stringContaining('`t` in `simulate`') });
  });

  it('is no fault when its lines only add to what its condition compares, however it was read', () => {
    const line = '      t: int, 59 changes in 60 looks, 46 up, 13 down, 8 back, from 3861028 to 8495281';
    expect(tornCounter(line)).toMatchObject({ verdict: 'clear', why: expect.stringContaining('`t` in `simulate`') });
  });

  it('cannot be told when it waits for its counter to be exactly something', () => {
    const line = '      t: int, 60 changes in 60 looks, 60 up, 0 down, 0 back, from 3861028 to 8495281';
    const look = changedLook(loadLook('healthy/control_loop'), 'py-stacks', (text) =>
      text.replace(torn, line).replace('while t < hours * 3600 * 1000:', 'while t != hours:'),
    );
    const verdict = verdictOn(busyLoop, look, probes);
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
    expect(firstFinding(verdict).summary).toContain('may have passed');
  });

  it.each(['life_board', 'life_log'])('%s: is no fault though all of its state comes back', (name) => {
    for (const without of [[], ['strace']]) {
      const verdict = verdictOn(busyLoop, loadLook(`healthy/${name}`), probes, without);
      const found = verdict.verdict === 'fires' ? verdict.findings : [];
      for (const finding of found) expect(finding.confidence).toBeLessThan(0.5);
    }
  });

  it('is not said to make no system call when the trace has some', () => {
    const look = changedLook(loadLook('busy-loop/settle_orders'), 'strace', (text) =>
      text.replace(
        /^== detail ended/m,
        '26523 1795282113.100000 write(3</srv/app/out>, "x", 1) = 1 <0.000080>\n== detail ended',
      ),
    );
    const finding = firstFinding(verdictOn(busyLoop, look, probes));
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).not.toMatch(/no system call|not a single system call/);
  });
});

describe('is clear', () => {
  it.each([
    ['idle_server', 'no thread was busy'],
    ['numeric_job', 'what its loop goes over in `count_primes` goes up'],
    ['relax_grid', 'takes ever new values'],
    ['hash_files', 'reads and writes'],
    ['gzip_logs', 'reads and writes'],
  ])('healthy %s: %s', (name, why) => {
    const verdict = verdictOn(busyLoop, loadLook(`healthy/${name}`), probes);
    expect(verdict).toMatchObject({ verdict: 'clear', why: expect.stringContaining(why) });
  });
});

describe('cannot tell', () => {
  it('without a window', () => {
    expect(judge('settle_orders', ['sample'])).toMatchObject({ verdict: 'cannot-tell', wants: ['sample'] });
  });

  it('from a window that was too short', () => {
    const look = changedLook(loadLook('busy-loop/settle_orders'), 'sample', (text) =>
      text.replace(/^window: [\d.]+ s, \d+ samples/m, 'window: 0.100 s, 3 samples'),
    );
    expect(verdictOn(busyLoop, look, probes)).toMatchObject({
      verdict: 'cannot-tell',
      why: expect.stringContaining('too short'),
    });
  });
});

describe('a list that grows while it is gone over', () => {
  it('is named with its growth and the item that comes again', () => {
    const finding = firstFinding(judge('retry_pool'));
    expect(finding.confidence).toBeGreaterThan(0.85);
    expect(finding.summary).toMatch(/`len\(parcels\)` grew from \d+ to \d+, as fast as the loop went over it/);
    expect(finding.summary).toContain('`parcel`');
    expect(finding.evidence.map((quote) => quote.text.trim())).toEqual(
      expect.arrayContaining([expect.stringMatching(/^len\(parcels\): size/)]),
    );
    expect(finding.fixes[1]?.title).toContain('Do not add to `parcels`');
  });

  it('is no fault when the things in it are new ones, or when its end comes nearer', () => {
    expect(verdictOn(busyLoop, loadLook('healthy/crawl'), probes).verdict).not.toBe('fires');
    const nearer = changedLook(loadLook('busy-loop/retry_pool'), 'py-stacks', (text) =>
      text.replace(/^( {6}len\(parcels\): .* from )\d+ to (\d+)/m, '$1$2 to $2'),
    );
    expect(verdictOn(busyLoop, nearer, probes).verdict).not.toBe('fires');
  });
});
