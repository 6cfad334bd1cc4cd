import { expect, test } from 'vitest';
import { expectedHarm, summaryOf } from '../../playbooks/harm.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';

const { playbooks, probes } = await loadKnowledge();
const summary = (id: string) => {
  const playbook = playbooks.get(id);
  if (playbook === undefined) throw new Error(`there is no playbook ${id}`);
  return summaryOf(playbook, probes);
};

test('a playbook tells what it may do, with which command, and what it runs in any case', () => {
  const { harmful, impacts } = summary('gcore');
  expect(impacts).toEqual(['none', 'stops', 'writes-disk']);
  expect(harmful).toMatchObject([{ probe: 'gcore', always: true, tools: ['gdb'], impacts: ['stops', 'writes-disk'] }]);
  expect(harmful[0]?.command(6325)).toMatch(/^sh gcore\.sh 6325 START-TIME KEEP-FOLDER 24 \d+ /);
  const hang = summary('hang').harmful;
  expect(hang.filter((step) => step.always).map((step) => step.probe)).toEqual(['strace']);
  expect(hang.map((step) => step.probe)).toEqual(expect.arrayContaining(['py-bt', 'native-stacks']));
});

test('every command of the catalog can be shown before its process is known', () => {
  for (const playbook of playbooks.values()) {
    for (const step of summaryOf(playbook, probes).harmful) {
      expect(step.command(6325)).toMatch(/6325/);
      expect(step.command(6325)).not.toMatch(/[\n{}]|undefined|NaN/);
    }
  }
});

const GIB = 1024 * 1024;

test('what a core costs is told from memory and threads', () => {
  const { harmful } = summary('gcore');
  // Measured: 24 s at 4.2 GB, 3.5 to 8 s at 1.1 GB, 1.6 s for 22 threads with little memory.
  expect(expectedHarm(harmful, { rssKib: 4.2 * GIB, threads: 1 })).toEqual({
    stall:
      'It is expected to be stopped for 5.1 s to 34 s (4.2 GiB resident and 1 thread in its last look, by measured rates).',
    disk: 'It takes about 4.2 GiB of the disk of the host; the file may look larger, for memory that was never touched takes no room in it.',
    death: null,
  });
  expect(expectedHarm(harmful, { rssKib: 10 * 1024, threads: 22 }).stall).toContain('0.06 s to 2 s');
  expect(expectedHarm(harmful, { rssKib: GIB, swapKib: GIB, threads: 1 }).disk).toContain('2.0 GiB');
  expect(expectedHarm(harmful, null)).toMatchObject({
    stall: expect.stringContaining(
      'unknown until the process has been identified; a core stops a process for 1.2 to 8 s',
    ),
    disk: expect.stringContaining('unknown until'),
  });
});

test('what debuggers and ltrace cost is told apart', () => {
  const known = { rssKib: GIB, threads: 44 };
  expect(expectedHarm(summary('py-bt').harmful, known)).toMatchObject({
    stall: expect.stringContaining('0.6 s to 0.9 s'),
    disk: null,
    death: null,
  });
  expect(expectedHarm(summary('py-bt').harmful, { rssKib: GIB, threads: 5_000 }).stall).toContain('about 5 s');
  expect(expectedHarm(summary('bt').harmful, known).stall).toContain('0.02 s to 0.26 s');
  const ltrace = expectedHarm(summary('ltrace').harmful, known);
  expect(ltrace.stall).toContain('not stopped');
  expect(ltrace.death).toContain('several threads dies');
  const injected = expectedHarm(summary('pyrasite').harmful, known);
  expect(injected).toMatchObject({ stall: expect.stringContaining('not stopped'), disk: null });
  expect(injected.death).toContain('One that spins, is blocked or is idle is refused');
  expect(expectedHarm([{ probe: 'site-own', impacts: ['stops'] }], known).stall).toContain('unknown');
});
