import { describe, expect, it } from 'vitest';
import { nextEvent, numberOf } from '../../support/events.ts';
import {
  examine,
  expectFinding,
  expectHealthy,
  headlines,
  pythons,
  startProgram,
  startStanding,
} from '../../support/incident.ts';
import { untilState } from '../../support/live-process.ts';

const HERE = 'thread-deadlock';

const start = async (program: string, event: string, python?: string): Promise<number> => {
  const live = await startProgram(`${HERE}/${program}`, python === undefined ? {} : { python });
  return numberOf(await nextEvent(live, event), 'pid');
};

const quotes = (finding: { evidence: readonly { text: string }[] }): string =>
  finding.evidence.map((quote) => quote.text).join('\n');

describe.each(pythons('2.7.18', '3.9.18', '3.13.0'))('%s', (python) => {
  it('names two threads that hold what the other wants, and counts those behind them', async () => {
    const report = await examine(await start('transfers.py', 'stuck', python));
    const finding = expectFinding(report, 'thread-deadlock', 0.9);
    expect(finding.title).toMatch(
      /^Deadlock: .*`clerk-\d`.*transfers\.py:34.* and .*`clerk-\d`.* wait for each other's locks$/,
    );
    expect(finding.summary).toContain('2 more threads of the process wait for locks');
    expect(quotes(finding)).toMatch(/waits for (_thread|thread)\.lock at (0x\w+)[\s\S]*inside with \1\.lock at \2/);
    expect(finding.fixes[0]?.title).toContain('one order');
    expect(headlines(report).map((each) => each.cause)).toEqual(['thread-deadlock']);
  });

  it('names a ring of three', async () => {
    const finding = expectFinding(await examine(await start('pipeline.py', 'stuck', python)), 'thread-deadlock', 0.9);
    expect(finding.title).toMatch(/^Deadlock of 3 threads in a ring/);
    for (const name of ['read', 'clean', 'store']) expect(finding.title).toContain(`\`${name}\``);
    expect(quotes(finding)).toMatch(/RLock at 0x\w+ owner \d+/);
  });
});

describe.each(pythons('3.6.15', '3.12.1'))('%s', (python) => {
  it('names a thread that takes a lock twice', async () => {
    const pid = await start('observers.py', 'notifying', python);
    await untilState(pid, 'S');
    const finding = expectFinding(await examine(pid), 'thread-deadlock', 0.9);
    expect(finding.title).toMatch(/^Deadlock with itself: .*get.*observers\.py:23.* that .*set.*observers\.py:30/);
    expect(finding.fixes[0]?.title).toContain('Do not call out');
  });

  it('infers the owner of a lock that was taken without a with', async () => {
    const finding = expectFinding(await examine(await start('inventory.py', 'stuck', python)), 'thread-deadlock', 0.7);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toMatch(/`count`[\s\S]*`book`[\s\S]*Not seen directly: that thread \d+ \(`book`\) holds/);
  });
});

describe('native locks', () => {
  it('names two threads that each have a mutex which the other wants', async () => {
    const { pid } = await startStanding(`${HERE}/page_index.py`);
    const finding = expectFinding(await examine(pid), 'thread-deadlock', 0.9);
    for (const name of ['pages', 'words']) expect(finding.title).toContain(`\`${name}\``);
    expect(quotes(finding)).toMatch(/waits for the lock at 0x\w+, which thread \d+ has/);
  });

  it('names one that waits for a mutex with the interpreter lock', async () => {
    const { pid } = await startStanding(`${HERE}/blob_store.py`);
    const finding = expectFinding(await examine(pid), 'thread-deadlock', 0.9);
    expect(finding.summary).toContain('the interpreter lock (GIL)');
  });
});

describe('healthy threads', () => {
  it('take turns at a mutex of native code', async () => {
    const { pid } = await startStanding(`${HERE}/healthy_native_turns.py`);
    expectHealthy(await examine(pid));
  });

  it('queue for busy locks', async () => {
    expectHealthy(await examine(await start('healthy_lock_heavy.py', 'up'), { playbook: 'hang' }));
  });

  it('wait for jobs, conditions and each other', async () => {
    expectHealthy(await examine(await start('healthy_idle_queue.py', 'up')));
  });
});
