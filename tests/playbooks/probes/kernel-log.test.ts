import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { type KernelEvent, KernelLogData, kernelLog } from '../../../playbooks/probes/kernel-log.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { makeMemoryCgroup, whyNoMemoryCgroup } from '../../support/memory-cgroup.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, stepFor } from '../../support/run-probe.ts';

const root = process.getuid?.() === 0;
const undo: (() => Promise<void>)[] = [];

afterEach(async () => {
  await endProcesses();
  for (const step of undo.splice(0).reverse()) await step();
});

const look = (uid?: number) => runProbe(kernelLog, { pid: process.pid, ...(uid === undefined ? {} : { uid }) });

const dataOf = (parsed: Parsed<KernelLogData>): KernelLogData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return KernelLogData.parse(parsed.data);
};

const eventOf = (data: KernelLogData, kind: KernelEvent['kind'], pid: number): KernelEvent | undefined =>
  data.events.findLast((event) => event.kind === kind && event.pid === pid);

describe('kernel-log on this kernel', () => {
  it('asks for one script', () => {
    expect(kernelLog.command(stepFor(kernelLog, { pid: 7 }))).toEqual({
      argv: ['sh', '{script:kernel-log.sh}'],
      scripts: ['kernel-log.sh'],
    });
  });

  const noCgroup = whyNoMemoryCgroup();
  it.skipIf(noCgroup)(`sees a real OOM kill${noCgroup ? ` (not here: ${noCgroup})` : ''}`, async () => {
    const group = makeMemoryCgroup(24 * 1024 * 1024);
    undo.push(group.remove);
    const live = await startPython(
      'import sys\nprint("ready", flush=True)\nsys.stdin.readline()\nkept = []\nwhile True: kept.append(bytearray(1000000))',
    );
    group.add(live.pid);
    const ended = once(live.child, 'exit');
    live.say('eat');
    expect(await ended).toEqual([null, 'SIGKILL']);
    const { parsed, evidence } = await look();
    const event = eventOf(dataOf(parsed), 'oom-kill', live.pid);
    expect(event).toMatchObject({ comm: 'python3', scope: 'cgroup', cgroup: group.path });
    expect(event?.time).not.toBeNull();
    expect(event?.kind === 'oom-kill' && event.anonRssKib).toBeGreaterThan(10_000);
    const line = Buffer.from(evidence.stdout).toString().split('\n')[(event?.at ?? 0) - 1];
    expect(line).toContain(`Killed process ${live.pid} (python3)`);
  });

  it.skipIf(!root)('sees a real crash', async () => {
    // The name closes a bracket and looks like another crash.
    const source = `import ctypes; ctypes.CDLL(None).prctl(15, b'x[1]: segf', 0, 0, 0); ctypes.string_at(8)`;
    const child = spawn('/usr/bin/python3', ['-c', source], { stdio: 'ignore' });
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGSEGV');
    const event = eventOf(dataOf((await look()).parsed), 'segfault', child.pid ?? 0);
    expect(event).toMatchObject({ comm: 'x[1]: segf' });
    expect(event?.kind === 'segfault' && event.detail).toMatch(/^(segfault at 8 |unhandled )/);
  });

  it.skipIf(!root)('tells a stranger why there is nothing to see, or shows the log where everyone may', async () => {
    const { parsed } = await look(65534);
    if (parsed.ok) expect(parsed.data.source).toBe('dmesg');
    else expect(parsed).toMatchObject({ reason: 'no-permission', why: expect.stringContaining('user 65534') });
  });
});

describe('kernel-log on recorded hosts', () => {
  it('never throws', () => {
    expectNeverThrows(
      kernelLog,
      fixtureNames('kernel-log').map((name) => fixture('kernel-log', name)),
    );
  });

  it.each(fixtureNames('kernel-log'))('reads %s as its golden answer', async (name) => {
    const evidence = evidenceFrom('kernel-log', fixture('kernel-log', name), { startedAt: Date.UTC(2024, 5, 1) });
    const parsed = kernelLog.parse(evidence, stepFor(kernelLog, { pid: 1 }));
    if (parsed.ok) KernelLogData.parse(parsed.data);
    const golden = join(fixtureFolder('kernel-log'), name.replace(/txt$/, 'golden'));
    await expect(`${JSON.stringify(parsed, null, 2)}\n`).toMatchFileSnapshot(golden);
  });

  it('takes the year of a log file from the time of the look', () => {
    const bytes = fixture('kernel-log', 'rhel6-kernel2.6.32-file.txt');
    const evidence = evidenceFrom('kernel-log', bytes, { startedAt: Date.UTC(2014, 0, 1, 12) });
    const data = dataOf(kernelLog.parse(evidence, stepFor(kernelLog, { pid: 1 })));
    expect(data.events.map((event) => new Date((event.time ?? 0) * 1000).toISOString())).toEqual([
      '2013-12-31T23:59:59.000Z',
      '2014-01-01T00:10:00.000Z',
    ]);
  });
});
