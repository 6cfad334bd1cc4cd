import { describe, expect, it } from 'vitest';
import { gilContention } from '../../../playbooks/causes/gil-contention.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, type TakenLook, verdictOn } from '../../support/record-look.ts';

const probes = await loadProbes();

/** The recorded hosts were short of processors; this is what a host with enough of them shows. */
const onFreeHost = (look: TakenLook, cpu = '2.90'): TakenLook =>
  changedLook(look, 'sample', (text) => text.replace(/^process: user [\d.]+ s/m, `process: user ${cpu} s`));

describe('threads that wait for each other’s turn', () => {
  it('are told with their function, their shares and how many wait', () => {
    const finding = firingOn(gilContention, 'gil-contention/tariff_workers');
    expect(finding.title).toMatch(
      /^6 threads take turns with the interpreter lock in `work_out`.*one runs, \d\.\d wait/,
    );
    expect(finding.summary).toContain('`work_out` 100 % (6 threads)');
    expect(quoted(finding)).toMatch(/in futex \d+ times/);
    expect(quoted(finding)).toMatch(/"tariff-\d" samples \d+ gil \d+/);
    expect(finding.fixes[0]?.code).toContain('pool.map(work_out, items)');
  });

  it('are sure on a host that has processors to spare, and less where it has not', () => {
    const look = loadLook('gil-contention/tariff_workers');
    expect(firstFinding(verdictOn(gilContention, onFreeHost(look), probes)).confidence).toBeGreaterThanOrEqual(0.9);
    const short = firstFinding(verdictOn(gilContention, look, probes));
    expect(short.confidence).toBeCloseTo(0.7, 2);
    expect(short.summary).toContain('the lock and not the host');
  });

  it('may come and go with the requests that they serve', () => {
    expect(firingOn(gilContention, 'gil-contention/stock_server').title).toMatch(/`Handler\.forecast`/);
  });
});

describe('threads that do not', () => {
  it.each(['healthy/native_threads', 'healthy/busy_pair', 'healthy/lock_heavy_threads', 'healthy/thread_pool'])(
    '%s',
    (name) => {
      expect(clearOn(gilContention, name)).not.toBe('');
    },
  );

  it('run beside each other when they use more than one processor', () => {
    const look = onFreeHost(loadLook('gil-contention/tariff_workers'), '5.60');
    expect(verdictOn(gilContention, look, probes)).toMatchObject({
      verdict: 'clear',
      why: expect.stringContaining('beside each other'),
    });
  });

  it('cannot be told where one processor is all there is', () => {
    const one = (probe: string, change: (text: string) => string) =>
      verdictOn(gilContention, changedLook(loadLook('gil-contention/tariff_workers'), probe, change), probes);
    expect(one('cpu-limits', (text) => text.replace('2 allowed (0-1)', '1 allowed (0)'))).toMatchObject({
      verdict: 'cannot-tell',
      why: expect.stringContaining('one processor only'),
    });
    const quota = one('cpu-limits', (text) => text.replace('quota none', 'quota 100000 us of 100000 us'));
    expect(quota).toMatchObject({ verdict: 'cannot-tell', why: expect.stringContaining('control group') });
  });

  it('cannot be told of Python 2', () => {
    const look = changedLook(loadLook('gil-contention/tariff_workers'), 'py-stacks', (text) =>
      text.replace(/^python \S+/, 'python 2.7.18'),
    );
    expect(verdictOn(gilContention, look, probes)).toMatchObject({ verdict: 'cannot-tell' });
  });
});

it('cannot tell without the stacks', () => {
  expect(untoldOn(gilContention, 'gil-contention/tariff_workers', ['py-stacks']).why).not.toBe('');
});

it('never throws', () => expectNeverThrowsOn(gilContention, ['gil-contention/tariff_workers', 'healthy/busy_pair']));
