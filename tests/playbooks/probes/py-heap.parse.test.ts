import { describe, expect, it } from 'vitest';
import { type PyHeapData, pyHeap } from '../../../playbooks/probes/py-heap.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { evidenceFrom, stepFor } from '../../support/run-probe.ts';

const recorded = (name: string): PyHeapData => {
  const parsed = parseFixture(pyHeap, name);
  if (!parsed.ok) throw new Error(parsed.why);
  expect(parsed.partly?.filter((each) => !each.startsWith('Python 2.7 keeps'))).toEqual([]);
  return pyHeap.data.parse(parsed.data);
};

const lineAt = (name: string, at: number): string =>
  Buffer.from(loadFixture('py-heap', name).evidence.stdout).toString().split('\n')[at - 1] ?? '';

describe('recorded looks at heaps', () => {
  it.each(['2.7.18-growing', '3.11.2-growing', '3.13.0-growing'])(
    '%s: types, sizes, holders, lines of source',
    (name) => {
      const data = recorded(name);
      expect(data.seconds).toBeGreaterThan(1);
      expect(data.pools).toHaveLength(2);
      expect(data.pools[1]?.blocks).toBeGreaterThan(data.pools[0]?.blocks ?? 0);
      const jobs = data.types.find((type) => type.name === '__main__.Job');
      expect(jobs?.grewObjects).toBeGreaterThan(500);
      expect(lineAt(name, jobs?.at ?? 0)).toMatch(/^type __main__\.Job /);
      const results = data.containers.find((each) => each.holder?.path === '__main__.RESULTS');
      expect(results).toMatchObject({
        type: 'dict',
        containers: 1,
        holder: { kind: 'global', file: '/srv/app/results_service.py', library: false },
      });
      expect(results?.sizes.length).toBeGreaterThan(5);
      expect(results?.uses).toMatchObject([
        {
          kind: 'adds',
          file: '/srv/app/results_service.py',
          line: 6,
          function: 'handle',
          text: "RESULTS['req-%d' % n] = Job(n)",
        },
      ]);
      expect(lineAt(name, results?.uses?.[0]?.at ?? 0)).toContain('RESULTS');
      expect(lineAt(name, results?.holds?.at ?? 0)).toContain('__main__.Job 24');
      const lists = data.containers.find((each) => each.holder?.path === 'hub.by_user[]');
      expect(lists).toMatchObject({ containers: 50, holder: { function: 'main', line: 12 } });
      expect(lineAt(name, lists?.sizesAt ?? 0)).toContain('of 50 containers of that name');
    },
  );

  it('3.11.2-cycles: the collector, garbage, a cycle, and references', () => {
    const data = recorded('3.11.2-cycles');
    expect(data.collector[0]).toMatchObject({ enabled: false, thresholds: [700, 10, 10], garbage: 0, frozen: 0 });
    expect(data.collector[0]?.counts[0]).toBeGreaterThan(50_000);
    expect(data.garbage.dead).toBeGreaterThan(40);
    expect(data.garbage.types.map((type) => type.name)).toContain('__main__.Node');
    expect(lineAt('3.11.2-cycles', data.garbage.cycle?.at ?? 0)).toContain(
      'all references to them are from each other',
    );
    expect(data.references?.found).toMatchObject([{ level: 0, type: 'dict', path: 'class __main__.Live' }]);
    const cache = data.containers.find((each) => each.holder?.kind === 'cache');
    expect(cache).toMatchObject({ items: 3000, holder: { path: '__main__.square', function: 'square', line: 18 } });
  });

  it('not-python: the typed reason', () => {
    expect(parseFixture(pyHeap, 'not-python')).toMatchObject({ ok: false, reason: 'not-applicable' });
  });

  it('cut: what was there is read, and what is missing is said', () => {
    const whole = Buffer.from(loadFixture('py-heap', '3.11.2-growing').evidence.stdout).toString();
    const cut = whole.slice(0, whole.indexOf('container '));
    const parsed = pyHeap.parse(evidenceFrom('py-heap', cut), stepFor(pyHeap, { pid: 1 }));
    expect(parsed).toMatchObject({ ok: true, data: { containers: [] } });
    expect(parsed.ok && parsed.partly?.join(' ')).toMatch(/was cut/);
  });

  it('any bytes: no exception', () => {
    const samples = fixtureNames('py-heap').map((name) => Buffer.from(loadFixture('py-heap', name).evidence.stdout));
    expectNeverThrows(pyHeap, samples);
  });
});
