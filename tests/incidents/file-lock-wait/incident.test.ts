import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
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

const HERE = 'file-lock-wait';

const quotes = (finding: { evidence: readonly { text: string }[] }): string =>
  finding.evidence.map((quote) => quote.text).join('\n');

/** Starts the program that has the lock, then the one that wants it, on one file of the first one's folder. */
const startBoth = async (
  program: string,
  [has, having]: readonly [string, string],
  [wants, wanting]: readonly [string, string],
  file: string,
  python: string,
) => {
  const first = await startProgram(`${HERE}/${program}`, { python, args: [has, file] });
  const holder = numberOf(await nextEvent(first, having), 'pid');
  const second = await startProgram(`${HERE}/${program}`, { python, args: [wants, `/proc/${holder}/cwd/${file}`] });
  const waiter = numberOf(await nextEvent(second, wanting), 'pid');
  await untilState(waiter, 'S');
  return { holder, waiter };
};

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The same in a folder that both know by its name. */
const startInFolder = async (program: string, has: string, having: string, wants: string, python?: string) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-lock-'));
  folders.push(folder);
  const first = await startProgram(`${HERE}/${program}`, { python, args: [has, folder] });
  const holder = numberOf(await nextEvent(first, having), 'pid');
  const second = await startProgram(`${HERE}/${program}`, { python, args: [wants, folder] });
  return { holder, waiter: numberOf(await nextEvent(second, 'busy'), 'pid') };
};

describe.each(pythons('2.7.18', '3.11.7'))('%s', (python) => {
  it('names the run that has the lock for which another run is blocked', async () => {
    const { holder, waiter } = await startBoth(
      'nightly_report.py',
      ['export', 'exporting'],
      ['wait', 'locking'],
      'lock',
      python,
    );
    const report = await examine(waiter);
    const finding = expectFinding(report, 'file-lock-wait', 0.9);
    expect(finding.title).toMatch(new RegExp(`file lock \`.*/lock\`, which process ${holder} .*holds`));
    expect(finding.summary).toContain('only_one');
    expect(quotes(finding)).toContain(`held by ${holder}`);
    expect(quotes(finding)).toContain(`wanted by ${waiter}`);
    expect(finding.related).toMatchObject([{ pid: holder }]);
    expect(finding.fixes.map((fix) => fix.title).join('\n')).toMatch(/Diagnose the holder[\s\S]*Do not delete/);
    expect(headlines(report).map((each) => each.cause)).toEqual(['file-lock-wait']);
    expectHealthy(await examine(holder));
  });
});

describe.each(pythons('3.6.15', '3.13.0'))('%s', (python) => {
  it('names the process whose record lock a thread polls for', async () => {
    const { holder, waiter } = await startBoth(
      'settings_store.py',
      ['edit', 'editing'],
      ['serve', 'busy'],
      'settings',
      python,
    );
    const finding = expectFinding(await examine(waiter), 'file-lock-wait', 0.9);
    expect(finding.title).toMatch(new RegExp(`record lock \`.*/settings\`, which process ${holder} .*holds`));
    expect(finding.summary).toMatch(/saver[\s\S]*lock[\s\S]*every 0\.\d+ s/);
    expect(quotes(finding)).toMatch(/F_SETLK, .*EAGAIN/);
    expect(finding.related).toMatchObject([{ pid: holder }]);
  });

  it('knows who made a lock that is a folder by what is written in it', async () => {
    const { holder, waiter } = await startInFolder('package_cache.py', 'fill', 'filling', 'use', python);
    const finding = expectFinding(await examine(waiter), 'file-lock-wait', 0.8);
    expect(finding.title).toMatch(new RegExp(`lock file \`.*in-use\`, which is process ${holder}’s`));
    expect(quotes(finding)).toMatch(/mkdir\(.*in-use.*EEXIST/);
    expect(finding.related).toMatchObject([{ pid: holder }]);
  });
});

it('sees that the holder is stopped', async () => {
  const { holder, waiter } = await startBoth(
    'nightly_report.py',
    ['export', 'exporting'],
    ['wait', 'locking'],
    'lock',
    '/usr/bin/python3',
  );
  process.kill(holder, 'SIGSTOP');
  await untilState(holder, 'T');
  const finding = expectFinding(await examine(waiter), 'file-lock-wait', 0.9);
  expect(finding.summary).toContain('which is stopped');
  expect(finding.fixes.map((fix) => fix.code)).toContain(`kill -CONT ${holder}`);
});

it('names the living process whose pid is in a lock file', async () => {
  const { holder, waiter } = await startInFolder('batch_run.py', 'hold', 'running', 'wait');
  const finding = expectFinding(await examine(waiter), 'file-lock-wait', 0.8);
  expect(finding.title).toContain(`which is process ${holder}’s`);
  expect(finding.related).toMatchObject([{ pid: holder }]);
});

it('knows a lock file that a process left behind', async () => {
  const { holder: dead, waiter } = await startInFolder('batch_run.py', 'crash', 'running', 'wait');
  const finding = expectFinding(await examine(waiter), 'file-lock-wait', 0.8);
  expect(finding.title).toContain(`which process ${dead} left behind`);
  expect(finding.fixes[0]?.code).toMatch(/rm -r .*batch\.lock/);
});

it('does not trace a program that only sleeps between its turns', async () => {
  const { pid } = await startStanding(`${HERE}/hourly.py`, { args: ['.'] });
  const report = await examine(pid, { windowSeconds: 2 });
  expectHealthy(report);
  expect(report.cannotTell.map((each) => each.cause)).not.toContain('file-lock-wait');
});

describe.each(['flock', 'poll', 'record'])('heavy but normal use of a %s lock', (kind) => {
  it('is no fault', async () => {
    const live = await startProgram(`${HERE}/healthy_writers.py`, { args: ['.', kind] });
    const [writer] = numbersOf(await nextEvent(live, 'up'), 'writers');
    expectHealthy(await examine(writer ?? 0, { playbook: 'hang' }));
  });
});

it('does not take a queue for a busy lock for a fault, however long the turns are', async () => {
  const live = await startProgram(`${HERE}/healthy_long_turns.py`, { args: ['turns'] });
  const [job] = numbersOf(await nextEvent(live, 'up'), 'jobs');
  expectHealthy(await examine(job ?? 0));
});

/** A service that was asked to stop its helper, and the helper, which was asked to end. */
const startStopping = async (verb: string, python?: string) => {
  const live = await startProgram(`${HERE}/held_for_child.py`, { python, args: [verb] });
  const up = await nextEvent(live, 'up');
  const [service, helper] = [numberOf(up, 'service'), numberOf(up, 'helper')];
  await untilState(service, 'S');
  process.kill(service, 'SIGUSR1');
  await nextEvent(live, 'asked');
  await untilState(helper, 'S');
  await untilState(service, 'S');
  return { service, helper };
};

it.each(pythons('3.8.18'))(
  'is seen in who holds the lock that its child wants, and waits for the child: %s',
  async (python) => {
    const { service, helper } = await startStopping('lock', python);
    const finding = expectFinding(await examine(service), 'file-lock-wait', 0.9);
    expect(finding.title).toMatch(new RegExp(`state\\.json.* waits for the end of process ${helper}, which wants`));
    expect(finding.summary).toContain('stop_helper');
    expect(quotes(finding)).toMatch(new RegExp(`held by ${service}[\\s\\S]*wanted by ${helper}`));
    expect(finding.related?.map((each) => each.pid)).toEqual([helper]);
  },
);

it('is not seen in who holds a lock and waits for a child that wants none', async () => {
  const { service } = await startStopping('plain');
  const report = await examine(service);
  expect(report.findings.map((each) => each.cause)).not.toContain('file-lock-wait');
});
