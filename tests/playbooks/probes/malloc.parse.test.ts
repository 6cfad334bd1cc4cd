import { describe, expect, it } from 'vitest';
import { type MallocData, malloc } from '../../../playbooks/probes/malloc.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { evidenceFrom, stepFor } from '../../support/run-probe.ts';

const read = (name: string): MallocData => {
  const parsed = parseFixture(malloc, name);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
  return parsed.data;
};

describe('recorded runs', () => {
  it('reads arenas, chunks and what could be given back', () => {
    const { glibc, looks, offered, allocators } = read('glibc-2.36-arenas');
    expect(glibc).toMatchObject({ version: '2.36', how: 'search' });
    expect(allocators).toEqual([]);
    expect(offered.map((each) => each.kind)).toEqual(['jemalloc', 'tcmalloc_minimal']);
    expect(looks).toHaveLength(2);
    const [look] = looks;
    expect(look?.arenas).toHaveLength(look?.total.count ?? 0);
    const { system, used, free, top, freeResident, trimmable } =
      look?.total ?? ({} as NonNullable<typeof look>['total']);
    expect(free).toBeGreaterThan(200_000_000);
    expect(freeResident).toBeGreaterThan(free * 0.99);
    expect(trimmable).toBeGreaterThan(free * 0.95);
    // What is left are the heads of heaps and arenas.
    expect(system - used - free - top).toBeLessThan(4096 * (look?.total.heaps ?? 0));
    expect(look?.sizes[0]?.size).toBeGreaterThan(0);
    expect(look?.mapped).toMatchObject({ count: expect.any(Number) });
  });

  it('reads what was in use in between, and the books of a newer glibc', () => {
    expect(read('glibc-2.36-arenas').between).toMatchObject({ walks: expect.any(Number), at: expect.any(Number) });
    const { glibc, looks, between } = read('glibc-2.41-threads');
    expect(glibc?.version).toBe('2.41');
    // malloc_stats(3) of the same process: 167739392 bytes from the system with 31461376 in a mapped chunk.
    expect(looks[0]?.total.system).toBe(167_739_392 - 31_461_376);
    expect(looks[0]?.mapped).toMatchObject({ count: 1, bytes: 31_461_376 });
    expect(between?.least).toBe(between?.most);
  });

  it('names an allocator that has taken malloc’s place, and where it was told so', () => {
    const { allocators, looks, settings } = read('glibc-2.36-jemalloc');
    expect(allocators).toMatchObject([{ kind: 'jemalloc', path: expect.stringContaining('libjemalloc.so') }]);
    expect(settings[0]?.text).toContain('LD_PRELOAD=');
    expect(looks).toEqual([]);
    expect(parseFixture(malloc, 'glibc-2.36-jemalloc')).toMatchObject({ partly: [expect.stringMatching(/jemalloc/)] });
  });

  it('gives a reason where there is nothing', () => {
    expect(parseFixture(malloc, 'gone')).toMatchObject({ ok: false, reason: 'target-gone' });
    const musl =
      'malloc 1\nunreadable not-applicable Its libc is musl, whose malloc keeps no books that can be read.\n';
    expect(malloc.parse(evidenceFrom('malloc', musl), stepFor(malloc, { pid: 1 }))).toMatchObject({
      ok: false,
      reason: 'not-applicable',
      why: expect.stringContaining('musl'),
    });
  });

  it('never throws', () => {
    expectNeverThrows(
      malloc,
      fixtureNames('malloc').map((name) => Buffer.from(loadFixture('malloc', name).evidence.stdout)),
    );
  });
});
