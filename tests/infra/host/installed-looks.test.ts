import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostLookup, type SshHost } from '../../../infra/hosts.ts';
import type { Report } from '../../../playbooks/model/index.ts';
import { doctorText, examineHost } from '../../../workers/doctor.ts';
import { listProcesses } from '../../../workers/finding/find.ts';
import { hostKit } from '../../../workers/host-kit/kit.ts';
import { openShell } from '../../../workers/ssh/shell.ts';
import { nextEvent, numberOf } from '../../support/events.ts';
import { examine, startProgram, startStanding } from '../../support/incident.ts';
import { canInstall, type InstalledHost, installedHost, sshdFor } from '../../support/installed-host.ts';
import { startTimeOf } from '../../support/run-probe.ts';
import { step } from '../../support/shells.ts';
import { endSshd, testSshd, testUser } from '../../support/sshd.ts';

const whatWasFound = (report: Report) => report.findings.map(({ cause, title }) => ({ cause, title }));
const deadlocked = async (): Promise<number> =>
  numberOf(await nextEvent(await startProgram('thread-deadlock/transfers.py'), 'stuck'), 'pid');

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe.skipIf(!canInstall)('a host with an installed runner', () => {
  let host: InstalledHost;
  let installed: SshHost;
  let sent: SshHost;

  beforeAll(async () => {
    host = await installedHost();
    installed = { ...(await sshdFor(host)).host('guarded'), identityFile: host.identityFile };
    sent = (await testSshd({ user: testUser({ sudo: true }) })).host('open');
  });
  afterAll(endSshd);

  it.each([
    ['a deadlock', 'thread-deadlock', deadlocked],
    ['a busy loop', 'busy-loop', async () => (await startStanding('busy-loop/category_walk.py')).pid],
  ] as const)('sees %s as a look through sudo sees it', async (_, cause, start) => {
    const pid = await start();
    const options = { allow: ['stops'], windowSeconds: 2 } as const;
    const guarded = await examine(pid, { ...options, through: installed });
    expect(whatWasFound(guarded)[0]).toMatchObject({ cause });
    expect(whatWasFound(guarded)).toEqual(whatWasFound(await examine(pid, { ...options, through: sent })));
    expect(readdirSync('/run/straceback').filter((name) => name === `look.${pid}`)).toEqual([]);
  });

  it('runs every probe with an impact that was allowed, and keeps cores where its administrator said', async () => {
    const pid = await deadlocked();
    const report = await examine(pid, {
      playbook: 'gcore',
      allow: ['stops', 'writes-disk'],
      through: installed,
    });
    expect(report.evidence.map((each) => each.probe)).toContain('gcore');
    const cores = readdirSync(path.join(host.keep, 'cores')).filter((name) => name.startsWith(`core.${pid}.`));
    expect(cores).toHaveLength(1);
    rmSync(path.join(host.keep, 'cores'), { recursive: true });
  });

  it('lists processes, and tells the doctor its version and what it may do', async () => {
    const shell = await openShell(installed, hostLookup([]));
    try {
      const { version } = await hostKit();
      expect(shell.installed).toEqual({ version, allows: ['none', 'slows', 'stops', 'writes-disk'] });
      const list = await listProcesses('guarded', shell);
      expect(list.processes.map((each) => each.pid)).toContain(process.pid);
      expect(doctorText(await examineHost('guarded', shell))).toContain(
        `runner: installed, version ${version}; looks may slow a process, stop it for a moment, write a core`,
      );
    } finally {
      await shell.close();
    }
  });

  it('runs nothing else, and one look at a process at a time', async () => {
    const pid = await deadlocked();
    const target = { pid, startTime: startTimeOf(pid) };
    const check = step(['true'], { target, bytes: 16, seconds: 5 });
    const [first, second] = [await openShell(installed, hostLookup([])), await openShell(installed, hostLookup([]))];
    try {
      expect(await first.run(step(['id']))).toMatchObject({ end: 'exited', exit: 126 });
      expect(await first.run(check)).toMatchObject({ end: 'exited', exit: 0 });
      const other = await second.run({ ...check, bytes: 16 });
      expect([other.exit, text(other.stderr)]).toEqual([126, 'straceback: anot']);
      await first.close();
      expect(await second.run(check)).toMatchObject({ end: 'exited', exit: 0 });
      const another = { pid, startTime: String(BigInt(target.startTime) + 1n) };
      expect(await second.run({ ...check, target: another })).toMatchObject({ end: 'target-gone' });
    } finally {
      await first.close();
      await second.close();
    }
  });

  it('says one sentence where settings and host do not fit', async () => {
    await expect(openShell({ ...sent, runner: 'installed' }, hostLookup([]))).rejects.toThrow(
      /^open has no installed runner, and its settings ask for one; install it there/,
    );
    await expect(openShell({ ...installed, runner: 'sent' }, hostLookup([]))).rejects.toThrow(
      /^guarded has a runner installed and takes no other, .*; set runner: auto\.$/,
    );
  });
});
