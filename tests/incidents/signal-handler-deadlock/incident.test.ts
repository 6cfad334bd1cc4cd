import { readlinkSync } from 'node:fs';
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

const HERE = 'signal-handler-deadlock';

/** The service whose workers rotate one log, asked to stop; and a second one that wants to log that it starts. */
const startArticle = async (python: string) => {
  const service = await startProgram(`${HERE}/rotating_service.py`, { python, args: ['serve', '.'] });
  const up = await nextEvent(service, 'up');
  const master = numberOf(up, 'master');
  // Python 2.7 lets a signal interrupt a handler only when that one was called out of a wait.
  await Promise.all(numbersOf(up, 'workers').map((pid) => untilState(pid, 'S')));
  process.kill(master, 'SIGTERM');
  const stuck = await nextEvent(service, 'blocked', (event) => event.holds === true);
  const holder = numberOf(stuck, 'pid');
  const other = numbersOf(up, 'workers').find((pid) => pid !== holder) ?? 0;
  return { service, master, holder, other };
};

const quotes = (finding: { evidence: readonly { text: string }[] }): string =>
  finding.evidence.map((quote) => quote.text).join('\n');

describe.each(pythons('2.7.18', '3.13.0'))('%s: log rotation under a file lock, SIGTERM every 0.1 s', (python) => {
  it('is a handler deadlock in the worker that holds the lock, explained to its parent and its siblings', async () => {
    const { master, holder, other } = await startArticle(python);

    const report = await examine(holder);
    const finding = expectFinding(report, 'signal-handler-deadlock', 0.9);
    expect(finding.title).toMatch(/SIGTERM handler `.*on_term` .*rotating_service\.py:\d+.*\.service\.log/);
    expect(finding.summary).toContain('doRollover');
    expect(finding.summary).toContain(`its parent, process ${master}`);
    expect(quotes(finding)).toMatch(/LOCK_EX\|LOCK_NB\) *= -1 EAGAIN/);
    expect(quotes(finding)).toContain(`held by ${holder}`);
    expect(quotes(finding)).toContain('[signal handler 15 SIGTERM]');
    expect(finding.related?.map((each) => each.pid)).toContain(master);
    expect(finding.fixes.map((fix) => fix.title).join('\n')).toMatch(/only set a flag[\s\S]*once[\s\S]*SIGKILL/);
    const storm = report.findings.find((each) => each.cause === 'signal-storm');
    expect(storm?.explainedBy).toBe('signal-handler-deadlock');

    const sender = expectFinding(await examine(master), 'signal-storm', 0.9);
    expect(sender.title).toMatch(/Sends SIGTERM every 0\.\d+ s/);
    expect(sender.summary).toContain('stop_workers');
    expect(sender.related?.map((each) => each.pid)).toEqual(expect.arrayContaining([holder, other]));
    expect(quotes(sender)).toMatch(new RegExp(`kill\\((${holder}|${other}|\\d+), SIGTERM\\) += 0`));

    const sibling = expectFinding(await examine(other), 'file-lock-wait', 0.9);
    expect(sibling.title).toContain(`process ${holder}`);
    expect(sibling.related?.map((each) => each.pid)).toContain(holder);
  }, 240_000);
});

it('is a wait for the first service in a second one that cannot start', async () => {
  const { service, holder } = await startArticle('/usr/bin/python3');
  const second = await startProgram(`${HERE}/rotating_service.py`, {
    args: ['start', readlinkSync(`/proc/${service.pid}/cwd`)],
  });
  await nextEvent(second, 'blocked');
  const report = await examine(second.pid);
  const finding = expectFinding(report, 'file-lock-wait', 0.9);
  expect(finding.title).toContain(`process ${holder}`);
  expect(finding.title).toContain('.service.log');
  expect(quotes(finding)).toContain(`held by ${holder}`);
  expect(headlines(report).map((each) => each.cause)).toEqual(['file-lock-wait']);
});

/** Programs that are stuck once a signal has come at the right moment: [program, the moment, signal, in the handler]. */
const STUCK = [
  ['journal_compaction.py', 'compacting', 'SIGUSR1', 'locking', 0.9, /journal\.lock/],
  ['stats_registry.py', 'summing', 'SIGUSR1', 'dumping', 0.9, /_thread\.lock|thread\.lock/],
  ['job_queue.py', 'queueing', 'SIGTERM', 'stopping', 0.9, /_thread\.lock|thread\.lock/],
  ['remote_log.py', 'packing', 'SIGTERM', 'caught', 0.8, /_thread\.lock|thread\.lock/],
  ['shared_counter.py', 'writing', 'SIGINT', 'closing', 0.7, /Lock/],
  ['mail_spool.py', 'delivering', 'SIGTERM', 'blocked', 0.6, /mailbox\.lock/],
] as const;

const stick = async (program: string, moment: string, signal: NodeJS.Signals, inside: string, python?: string) => {
  const live = await startProgram(`${HERE}/${program}`, { args: ['.'], ...(python === undefined ? {} : { python }) });
  const pid = numberOf(await nextEvent(live, moment), 'pid');
  process.kill(pid, signal);
  await nextEvent(live, inside, (event) => event.pid === pid);
  await untilState(pid, 'S');
  return pid;
};

describe.each(STUCK)('%s', (program, moment, signal, inside, atLeast, lock) => {
  const others: Readonly<Record<string, string>> = {
    'journal_compaction.py': '2.7.18',
    'stats_registry.py': '3.12.1',
    'job_queue.py': '3.6.15',
    'remote_log.py': '3.13.0',
    'shared_counter.py': '3.8.18',
    'mail_spool.py': '3.6.15',
  };
  it.each(pythons(others[program] ?? '3.9.18'))('is a handler deadlock under %s', async (python) => {
    const pid = await stick(program, moment, signal, inside, python);
    const report = await examine(pid);
    const finding = expectFinding(report, 'signal-handler-deadlock', atLeast);
    expect(finding.title).toContain(signal);
    expect(finding.title).toContain(program);
    expect(finding.title).toMatch(lock);
    expect(quotes(finding)).toContain('[signal handler');
    expect(finding.confidence >= 0.9 || /Not seen directly: /.test(finding.summary)).toBe(true);
    expect(headlines(report).map((each) => each.cause)).toEqual(['signal-handler-deadlock']);
  });
});

it.each(pythons('2.7.18').slice(1))('infers the owner of a lock that %s takes without a with', async (python) => {
  const pid = await stick('job_queue.py', 'queueing', 'SIGTERM', 'stopping', python);
  const finding = expectFinding(await examine(pid), 'signal-handler-deadlock', 0.75);
  expect(finding.confidence).toBeLessThan(0.9);
  expect(finding.summary).toContain('`put`');
  expect(finding.summary).toContain('Not seen directly: ');
});

it.each([[], ['queue']])('is a handler that waits for what only the interrupted code brings: %s', async (...args) => {
  const { pid } = await startStanding(`${HERE}/drain_event.py`, { args });
  const finding = expectFinding(await examine(pid), 'signal-handler-deadlock', 0.7);
  expect(finding.title).toMatch(args.length === 0 ? /waits for an event/ : /waits for room in a full queue/);
});

it('ticket_book.py waits in a handler for a lock between processes that nobody else has', async () => {
  const { pid } = await startStanding(`${HERE}/ticket_book.py`);
  await untilState(pid, 'S');
  expect(expectFinding(await examine(pid), 'signal-handler-deadlock', 0.7).title).toContain('reload');
});

describe('healthy handlers', () => {
  it('set a flag for the main loop', async () => {
    const live = await startProgram(`${HERE}/healthy_stop.py`, { args: ['flag'] });
    const pid = numberOf(await nextEvent(live, 'up'), 'pid');
    process.kill(pid, 'SIGHUP');
    await nextEvent(live, 'reloaded');
    expectHealthy(await examine(pid));
  });

  it('wait for children that they have asked to end once', async () => {
    const live = await startProgram(`${HERE}/healthy_stop.py`, { args: ['stop'] });
    const pid = numberOf(await nextEvent(live, 'up'), 'pid');
    process.kill(pid, 'SIGTERM');
    await nextEvent(live, 'waiting');
    expectHealthy(await examine(pid));
  });
});
