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

const HERE = 'signal-storm';
const groups: number[] = [];

afterEach(() => {
  for (const group of groups.splice(0)) process.kill(-group, 'SIGKILL');
});

const quotes = (finding: { evidence: readonly { text: string }[] }): string =>
  finding.evidence.map((quote) => quote.text).join('\n');

describe.each(pythons('3.7.16', '3.12.1'))('%s', (python) => {
  it('asks a supervisor why it repeats SIGTERM, and a helper why it stays', async () => {
    const live = await startProgram(`${HERE}/impatient_supervisor.py`, { python });
    const up = await nextEvent(live, 'up');
    const supervisor = numberOf(up, 'supervisor');
    const helpers = numbersOf(up, 'helpers');
    process.kill(supervisor, 'SIGTERM');
    await nextEvent(live, 'asked');

    const report = await examine(supervisor);
    const sender = expectFinding(report, 'signal-storm', 0.9);
    expect(sender.title).toMatch(/^Sends SIGTERM every 0\.\d+ s to process \d+ and process \d+, and they do not end$/);
    expect(sender.summary).toContain('stop_helpers');
    expect(sender.related?.map((each) => each.pid).toSorted()).toEqual(helpers.toSorted());
    expect(quotes(sender)).toContain(`kill(${sender.related?.[0]?.pid}, SIGTERM)`);
    expect(headlines(report).map((each) => each.cause)).toEqual(['signal-storm']);

    const receiver = expectFinding(await examine(helpers[0] ?? 0), 'signal-storm', 0.9);
    expect(receiver.title).toMatch(new RegExp(`^Gets SIGTERM every 0\\.\\d+ s from process ${supervisor}`));
    expect(receiver.summary).toContain('It has a handler for SIGTERM');
    expect(receiver.summary).toContain('read_request');
    expect(receiver.related?.map((each) => each.pid)).toEqual([supervisor]);
    expect(quotes(receiver)).toContain(`si_pid=${supervisor}`);
  }, 120_000);

  it('sees that those who get the signal are dead already', async () => {
    const live = await startProgram(`${HERE}/zombie_chaser.py`, { python });
    const chasing = await nextEvent(live, 'chasing');
    await untilState(numbersOf(chasing, 'jobs')[0] ?? 0, 'Z');
    const finding = expectFinding(await examine(numberOf(chasing, 'runner')), 'signal-storm', 0.9);
    expect(finding.title).toMatch(/^Sends SIGINT every 0\.\d+ s to process \d+, which has ended already$/);
    expect(finding.summary).toContain('cancel');
    expect(finding.related?.map((each) => each.pid)).toEqual([numbersOf(chasing, 'jobs')[0]]);
    expect(finding.fixes[0]?.code).toContain('os.waitpid');
  });

  it('sees a whole process group that is told to stop and ignores it', async () => {
    const live = await startProgram(`${HERE}/group_stop.py`, { python });
    const stopping = await nextEvent(live, 'stopping');
    const group = numberOf(stopping, 'group');
    groups.push(group);
    const finding = expectFinding(await examine(numberOf(stopping, 'driver')), 'signal-storm', 0.9);
    expect(finding.title).toContain(`process group ${group}, and it does not end`);
    expect(finding.fixes.at(-1)?.code).toBe(`kill -KILL -- -${group}`);
    // Nothing hints at signals that are ignored; whoever asks why it hangs gets a trace in any case.
    const tool = expectFinding(await examine(group, { playbook: 'hang' }), 'signal-storm', 0.9);
    expect(tool.summary).toContain('It ignores SIGTERM.');
  });
});

describe('rightful signals', () => {
  it('look after a worker: kill(pid, 0), a reload, log files that are reopened', async () => {
    const live = await startProgram(`${HERE}/healthy_supervisor.py`, { args: ['.'] });
    const up = await nextEvent(live, 'up');
    await nextEvent(live, 'reopened');
    expectHealthy(await examine(numberOf(up, 'supervisor')));
    expectHealthy(await examine(numberOf(up, 'worker'), { playbook: 'hang' }));
  });

  it('are reloads, asked for twice a second of a worker that catches SIGHUP', async () => {
    const { live, pid } = await startStanding(`${HERE}/healthy_reload.py`);
    expectHealthy(await examine(pid));
    expectHealthy(await examine(live.pid));
  });

  it('are an interval timer, a profiler and children that end', async () => {
    const live = await startProgram(`${HERE}/healthy_ticker.py`);
    const up = await nextEvent(live, 'up');
    expectHealthy(await examine(numberOf(up, 'pid'), { playbook: 'hang' }));
  });
});
