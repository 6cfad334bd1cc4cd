import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { endPrograms, examine, expectFinding, headlines, startProgram } from '../../support/incident.ts';
import { type MemoryCgroup, makeMemoryCgroup, whyNoMemoryCgroup } from '../../support/memory-cgroup.ts';
import { makeSwapFile } from '../../support/swap-file.ts';

const HERE = 'swap-thrash';
const SIZE = '150';
const LIMIT = 90 * 1024 * 1024;

const groups: MemoryCgroup[] = [];
const swap = whyNoMemoryCgroup() === null ? makeSwapFile(256) : null;

afterEach(async () => {
  await endPrograms();
  for (const group of groups.splice(0)) await group.remove();
});
afterAll(() => swap?.remove());

/** Starts a program that waits for a line, puts it under the limit, and waits until it has taken what it needs. */
const startLimited = async (program: string): Promise<number> => {
  const group = makeMemoryCgroup(LIMIT, { swap: true });
  groups.push(group);
  const live = await startProgram(`${HERE}/${program}`, { args: [SIZE] });
  group.add(live.pid);
  live.say('go');
  await live.line(/^standing/);
  return live.pid;
};

// Needs root, a memory cgroup and a file system that takes a swap file; recorded looks cover the rule elsewhere.
describe.skipIf(swap === null)('a process that does not fit into its memory', () => {
  it.each(['price_index.py', 'matrix_sums.py', 'archive.py'])('%s', async (program) => {
    const pid = await startLimited(program);
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), HERE, 0.9);
    expect(finding.title).toMatch(/\d+ major faults a second, \d+ MiB in swap/);
    expect(finding.fixes[0]?.title).toMatch(/^Raise the memory limit of its control group: 90 MiB/);
  });

  it('and one whose unused part is in swap has no fault', async () => {
    const pid = await startLimited('healthy_swapped.py');
    const named = headlines(await examine(pid, { windowSeconds: 2 })).map((finding) => finding.cause);
    expect(named).not.toContain(HERE);
  });
});
