import { describe, expect, it } from 'vitest';
import { type MallocData, malloc } from '../../../playbooks/probes/malloc.ts';
import { type MemoryData, memory } from '../../../playbooks/probes/memory.ts';
import { divideMemory, divisionText } from '../../../playbooks/reading/memory-division.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { parseFixture } from '../../support/fixture.ts';
import { loadLook, lookFrom } from '../../support/record-look.ts';

const memoryOf = (name: string): MemoryData => {
  const parsed = parseFixture(memory, name);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.data;
};
const mallocOf = (name: string): MallocData => {
  const parsed = parseFixture(malloc, name);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.data;
};

const probes = await loadProbes();
const PYTHON = { smallKib: 1200, freeKib: 300, largeKib: 500 };

describe('how resident memory divides', () => {
  it.each(['allocator-retention/offline', 'allocator-retention/report_builder', 'healthy/big_cache'])(
    'adds up to what is resident: %s',
    (name) => {
      const look = lookFrom(loadLook(name), probes);
      const books = look.see(malloc);
      const seen = look.see(memory);
      if (!books.seen || !seen.seen) throw new Error(`${name} was not seen whole`);
      const { residentKib, ...parts } = divideMemory(seen.data, books.data, null);
      const sum = Object.values(parts).reduce<number>((total, part) => total + (part ?? 0), 0);
      expect(Math.abs(sum - residentKib) / residentKib).toBeLessThan(0.02);
      expect(parts.mallocFreeKib).not.toBeNull();
      expect(parts.filesKib).toBeGreaterThan(1000);
    },
  );

  it('takes Python’s large objects from what malloc has in use', () => {
    const without = divideMemory(memoryOf('6.18-arenas'), mallocOf('glibc-2.36-arenas'), null);
    const division = divideMemory(memoryOf('6.18-arenas'), mallocOf('glibc-2.36-arenas'), PYTHON);
    expect(division.pythonKib).toBe(1700);
    expect(division.pymallocFreeKib).toBe(300);
    expect(division.nativeKib).toBeLessThanOrEqual(without.nativeKib ?? 0);
  });

  it('leaves open what was not seen', () => {
    const division = divideMemory(memoryOf('6.18-without-python'), null, null);
    expect(division).toMatchObject({
      pythonKib: null,
      mallocFreeKib: null,
      nativeKib: null,
      stacksKib: null,
      filesKib: 6840,
      otherKib: 250_180 - 6840,
    });
    expect(divisionText(division)).toBe(
      '244 MiB resident: 238 MiB heap and other anonymous memory (97 %) and 6.7 MiB mapped files (3 %)',
    );
  });

  it('says nothing of malloc where another allocator has taken its place', () => {
    const division = divideMemory(memoryOf('6.18-arenas'), mallocOf('glibc-2.36-jemalloc'), null);
    expect(division.mallocFreeKib).toBeNull();
    expect(divisionText(division)).toContain('heap and other anonymous memory');
  });

  it('names the largest part first', () => {
    const text = divisionText(divideMemory(memoryOf('6.18-arenas'), mallocOf('glibc-2.36-arenas'), PYTHON));
    expect(text).toMatch(/^244 MiB resident: \d{3} MiB free in malloc \(\d\d+ %\), /);
    expect(text).toContain('1.7 MiB Python objects');
  });
});
