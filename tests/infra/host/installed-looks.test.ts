import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostLookup, type SshHost } from '../../../infra/hosts.ts';
import type { Report } from '../../../playbooks/model/index.ts';
import { doctorText, examineHost } from '../../../workers/doctor.ts';
import { listProcesses } from '../../../workers/finding/find.ts';
import { hostKit } from '../../../workers/host-kit/kit.ts';
import { closeConnections, openShell } from '../../../workers/ssh/shell.ts';
import { stepsOf } from '../../support/attacker.ts';
import { nextEvent, numberOf } from '../../support/events.ts';
import { examine, startProgram, startStanding } from '../../support/incident.ts';
import {
  ask,
  canInstall,
  type InstalledHost,
  installedHost,
  sshdFor,
  templateOf,
} from '../../support/installed-host.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { startTimeOf } from '../../support/run-probe.ts';
import { step } from '../../support/shells.ts';
import { endSshd, testSshd, testUser } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';

const osRelease = step(['cat', '/etc/os-release'], { bytes: 8_192, seconds: 5 });

const canBindMount =
  spawnSync('unshare', ['-m', 'mount', '--bind', '/bin/bash', '/bin/sh'], { stdio: 'ignore' }).status === 0;

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
    const options = { allow: ['stops'], windowSeconds: 1 } as const;
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

  it('follows the output of a process to the log that another one writes', async () => {
    const log = path.join(mkdtempSync(path.join(tmpdir(), 'installed-log-')), 'app.log');
    try {
      const source =
        'import os, sys; print("pid", os.getpid(), flush=True); print("payment timeout", flush=True); sys.stdin.read()';
      const line = `exec 3<&0; /usr/bin/python3 -c "$1" 2>&1 <&3 | tee "$2"`;
      const live = await startProcess('bash', ['-c', line, 'bash', source, log]);
      const pid = Number((await live.line(/^pid \d+$/)).slice(4));
      await live.line(/^payment timeout/);
      const report = await examine(pid, { playbook: 'log', through: installed });
      expect(JSON.stringify(report)).toContain('payment timeout');
      expect(JSON.stringify(report)).toContain(log);
    } finally {
      await endProcesses();
      rmSync(path.dirname(log), { recursive: true });
    }
  });

  it('says that another look at the process is running', async () => {
    const pid = await deadlocked();
    const target = { pid, startTime: startTimeOf(pid) };
    let end: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    const other = ask(host, stepsOf(host, 'last-check', target, [[]], { bytes: 16 }), { held });
    await until('it has the process', () => existsSync(`/run/straceback/look.${pid}`));
    await expect(examine(pid, { through: installed })).rejects.toThrow(
      `I cannot look at process ${pid} on guarded now: another look at it is running on the host; ask again when it is done.`,
    );
    end();
    expect((await other).status).toBe(0);
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

  it('is reached by the program ssh in the same way', async () => {
    const { address, port, user, identityFile, knownHostsFile, keepFolder } = installed;
    const way = { address, port, user, identityFile, knownHostsFile, keepFolder } as const;
    const through = { name: 'guarded', transport: 'openssh', sudo: 'auto', ...way } as const;
    const shell = await openShell(through, hostLookup([through]));
    try {
      expect(shell.installed).not.toBeNull();
      expect(await shell.run(osRelease)).toMatchObject({ end: 'exited', exit: 0 });
    } finally {
      await shell.close();
      await closeConnections();
    }
  });

  it.skipIf(!canBindMount)('runs where sh is bash', () => {
    const nonce = randomBytes(16).toString('hex');
    const run = `run 1 ${templateOf(host, 'lsof', 1).number} 5 4096 ${process.pid} ${startTimeOf(process.pid)} 1`;
    const input = `N=${nonce} W= B=\nsb_start\n${run}\n=$(id) 'é'\n${run.replace('run 1', 'run 2')}\n=a\tb\nnothing\n`;
    const bash = 'mount --bind /bin/bash "$(readlink -f /bin/sh)" && exec sudo -n -u "$1" sudo -n "$2"';
    const argv = ['-m', '/bin/bash', '-c', bash, 'bash', host.user, `${host.prefix}/runner`];
    const { stdout, status } = spawnSync('unshare', argv, { input, encoding: 'utf8' });
    expect(stdout).toMatch(/ ready 1 0 /);
    expect(stdout).toMatch(/ step 1 exited \d+ /);
    expect(stdout).toMatch(/ step 2 exited 126 /);
    expect(stdout).toMatch(/ refused bad-request/);
    expect(status).toBe(64);
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
