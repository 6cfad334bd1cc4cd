import { describe, expect, it } from 'vitest';
import { examine, expectFinding, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'fd-leak';
const faults = (report: Awaited<ReturnType<typeof examine>>) =>
  report.findings.filter((finding) => finding.confidence >= 0.5 && /^(fd|socket)-leak$/.test(finding.cause));

describe.each(pythons('3.8.18', '3.13.0'))('%s', (python) => {
  it('finds the file that is opened again and again', async () => {
    const { pid } = await startStanding(`${HERE}/price_feed.py`, { python, args: ['30'] });
    const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'fd-leak', 0.9);
    expect(finding.title).toMatch(/times the file `.*prices\.csv`/);
  });
});

it('sees that no temporary file can be made any more, and by whom they were', async () => {
  const { pid } = await startStanding(`${HERE}/thumbnailer.py`, { args: ['120'] });
  const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'fd-leak', 0.9);
  expect(finding.summary).toMatch(/EMFILE \d+ time/);
  expect(finding.summary).toMatch(/`render-\d`/);
});

it('quotes the log of a process that was refused a file and rests by now', async () => {
  const { pid } = await startStanding(`${HERE}/archive_keeper.py`, { args: ['100'] });
  const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'fd-leak', 0.9);
  expect(finding.evidence[0]?.text).toMatch(/ files time \d+: ".*Too many open files: 'mail\/box-104\.mbox'"$/);
});

it('minds no complaint of a process that has closed all since', async () => {
  const { pid } = await startStanding(`${HERE}/archive_keeper.py`, { args: ['100', 'earlier'] });
  expect(faults(await examine(pid, { windowSeconds: 2 }))).toEqual([]);
});

it('warns of pipes that were kept, before the limit is reached', async () => {
  const { pid } = await startStanding(`${HERE}/report_runner.py`, { args: ['200'] });
  const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'fd-leak', 0.5);
  expect(finding.title).toMatch(/ends of pipes/);
});

it('finds event loops that are never closed', async () => {
  const { pid } = await startStanding(`${HERE}/event_loops.py`);
  expectFinding(await examine(pid, { windowSeconds: 2 }), 'fd-leak', 0.8);
});

it.each([
  ['crowd', '300'],
  ['visits', '400'],
])('does not take the %s of clients for a leak', async (kind, limit) => {
  const { pid } = await startStanding(`${HERE}/healthy_hub.py`, { args: [kind, limit] });
  expect(faults(await examine(pid, { windowSeconds: 2 }))).toEqual([]);
});
