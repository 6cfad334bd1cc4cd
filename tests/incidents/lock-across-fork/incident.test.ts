import { describe, expect, it } from 'vitest';
import { nextEvent, numberOf, numbersOf } from '../../support/events.ts';
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

const HERE = 'lock-across-fork';

const start = async (program: string, python: string): Promise<{ master: number; worker: number }> => {
  const live = await startProgram(`${HERE}/${program}`, { python });
  const up = await nextEvent(live, 'up');
  const worker = numberOf(up, 'worker');
  await untilState(worker, 'S');
  return { master: numberOf(up, 'master'), worker };
};

const quotes = (finding: { evidence: readonly { text: string }[] }): string =>
  finding.evidence.map((quote) => quote.text).join('\n');

describe.each(pythons('2.7.18', '3.13.0'))('%s', (python) => {
  it('infers the mutex of a queue that a thread of the parent was filling', async () => {
    const { master, worker } = await start('job_board.py', python);
    const report = await examine(worker);
    const finding = expectFinding(report, 'lock-across-fork', 0.75);
    expect(finding.title).toMatch(/^A forked worker waits .*report.*job_board\.py:46/);
    expect(finding.summary).toContain('Not seen directly: that a thread of the parent had the lock');
    expect(finding.related).toMatchObject([{ pid: master }]);
    expect(headlines(report).map((each) => each.cause)).toEqual(['lock-across-fork']);
  });

  it('knows that the owner of an RLock did not come along', async () => {
    const { master, worker } = await start('metrics.py', python);
    const finding = expectFinding(await examine(worker), 'lock-across-fork', 0.9);
    expect(finding.summary).toMatch(/count.*metrics\.py:24/);
    expect(finding.summary).toContain('names an owner, and that is no thread of this process');
    expect(quotes(finding)).toMatch(/RLock at 0x\w+ owner unknown[\s\S]*multiprocessing\/(popen_fork|forking)\.py/);
    expect(quotes(finding)).toContain(`parent ${master}`);
    expect(finding.fixes.map((fix) => fix.title).join('\n')).toMatch(/before threads[\s\S]*anew in the child/);
  });
});

describe.each(pythons('2.7.18', '3.6.15').slice(1))('%s', (python) => {
  it("recognises logging's own lock", async () => {
    const { worker } = await start('forked_log.py', python);
    const finding = expectFinding(await examine(worker), 'lock-across-fork', 0.9);
    expect(quotes(finding)).toContain('logging/__init__.py');
    expect(finding.summary).toContain('main');
  });
});

it('knows that the owner of a mutex in native code did not come along', async () => {
  const { pid, live } = await startStanding(`${HERE}/codec_pool.py`);
  await untilState(pid, 'S');
  const finding = expectFinding(await examine(pid), 'lock-across-fork', 0.9);
  expect(finding.title).toContain('for a native lock that stayed behind in its parent');
  expect(finding.related).toMatchObject([{ pid: live.pid }]);
});

it('says nothing against workers that were forked from a master with threads and wait for work', async () => {
  const live = await startProgram(`${HERE}/healthy_forked.py`);
  const up = await nextEvent(live, 'up');
  expectHealthy(await examine(numberOf(up, 'worker')));
  for (const pooled of numbersOf(up, 'pooled')) expectHealthy(await examine(pooled));
});
