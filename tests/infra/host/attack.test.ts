import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Sshd } from '../../../infra/sandbox/sshd.ts';
import { type AttackerPlace, attackerPlace, sleeper, stepsOf } from '../../support/attacker.ts';
import {
  asAccount,
  ask,
  canInstall,
  converse,
  type InstalledHost,
  installedHost,
  sshdFor,
} from '../../support/installed-host.ts';
import { endProcesses } from '../../support/live-process.ts';
import { endSshd } from '../../support/sshd.ts';

describe.skipIf(!canInstall)('whoever has the account', () => {
  let host: InstalledHost;
  let sshd: Sshd;
  let place: AttackerPlace;

  beforeAll(async () => {
    host = await installedHost('--allow', 'none,slows,stops,writes-disk,risks-death');
    sshd = await sshdFor(host);
    place = attackerPlace();
  });
  afterEach(endProcesses);
  afterAll(endSshd);

  const ssh = (options: readonly string[], command: readonly string[] = [], input: string | Buffer = '') =>
    spawnSync('ssh', [...sshOptions('-p'), ...options, `${host.user}@127.0.0.1`, ...command], {
      input,
      encoding: 'latin1',
      timeout: 60_000,
      env: { ...process.env, EVIL: '1', BASH_ENV: `${place.folder}/evil.sh`, PYTHONPATH: place.folder },
    });
  const sshOptions = (port: string): string[] => [
    ...[port, String(sshd.port), '-F', '/dev/null', '-i', host.identityFile],
    ...['-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-o', `UserKnownHostsFile=${sshd.knownHostsFile}`],
  ];

  it.each([
    ['a command', ['id']],
    ['a shell', ['sh', '-c', 'id; touch "$0"', '/tmp/x']],
    ['several', ['id;', 'id', '&&', 'id', '|', 'id']],
    ['a substitution', ['$(id)`id`']],
    ['the runner with arguments', ['sudo', '-n', 'id']],
    ['nothing', []],
  ])('gets the runner in place of %s', (_, command) => {
    const { stdout, stderr, status } = ssh([], command, 'id\nexit\n');
    expect([status, stdout]).toEqual([64, '']);
    expect(stderr).toMatch(/^straceback: this account only answers Straceback's own worker$/m);
  });

  it('gets no terminal, no files, no forwarding and no environment', async () => {
    const { folder, marker, untouched } = place;
    expect(ssh(['-tt'], [], 'id\n').stderr).toMatch(/PTY allocation request failed/);
    const file = path.join(folder, 'upload');
    writeFileSync(file, 'x');
    for (const args of [['-O'], ['-s']]) {
      const copied = spawnSync('scp', [...sshOptions('-P'), ...args, file, `${host.user}@127.0.0.1:${marker}`], {
        timeout: 60_000,
      });
      expect(copied.status).not.toBe(0);
    }
    const sftp = spawnSync('sftp', [...sshOptions('-P'), '-b', '-', `${host.user}@127.0.0.1`], {
      input: `put ${file} ${marker}\n`,
      timeout: 60_000,
    });
    expect(sftp.status).not.toBe(0);
    untouched();

    const service = createServer((socket) => socket.end('secret')).listen(0, '127.0.0.1');
    await new Promise((resolve) => service.once('listening', resolve));
    const address = service.address();
    const port = address === null || typeof address === 'string' ? 0 : address.port;
    expect(ssh(['-W', `127.0.0.1:${port}`])).toMatchObject({
      stdout: '',
      stderr: expect.stringMatching(/open failed: administratively prohibited/),
    });
    expect(ssh(['-o', 'ExitOnForwardFailure=yes', '-R', '0:127.0.0.1:1'], ['x']).stderr).toMatch(/forwarding failed/);
    expect(ssh(['-A', '-v'], ['x'], 'x\n').stderr).not.toMatch(/auth-agent@openssh|Agent forwarding enabled/);
    service.close();

    writeFileSync(path.join(folder, 'evil.sh'), `touch ${marker}\n`);
    writeFileSync(path.join(folder, 'sitecustomize.py'), `open(${JSON.stringify(marker)}, "w")\n`);
    const { pid, startTime } = await sleeper();
    const request = `N=${randomBytes(16).toString('hex')} W= B=\nsb_start\n${stepsOf(host, 'lsof', { pid, startTime }, [[]])}`;
    const argv = ['ssh', ...sshOptions('-p'), '-o', 'SendEnv=*', '-o', `SetEnv=BASH_ENV=${folder}/evil.sh`];
    const looked = await converse([...argv, `${host.user}@127.0.0.1`], request, 1);
    expect(looked.stdout).toMatch(/ step 1 exited 0 /);
    untouched();
  });

  it('may run the runner by sudo, and nothing else', () => {
    const { folder, marker, untouched } = place;
    const runner = `${host.prefix}/runner`;
    const kit = `${host.prefix}/kit-${readFileSync(`${host.prefix}/version`, 'utf8').trim()}`;
    const refused = [
      ['id'],
      ['-u', 'root', 'sh'],
      ['-s'],
      ['-i'],
      ['-e', '/etc/shadow'],
      ['-E', runner],
      ['-u', 'daemon', runner],
      ['-g', 'shadow', runner],
      ['-C', '20', runner],
      ['-D', folder, runner],
      ['-R', folder, runner],
      ['BASH_ENV=/x', runner],
      ['LD_PRELOAD=/x', runner],
      ['PATH=/x', runner],
      [runner, 'x'],
      [runner, ''],
      [`${host.prefix}/../${path.basename(host.prefix)}/runner`, 'x'],
      ['sh', `${kit}/serve.sh`],
      ['/bin/sh', runner],
      [`${kit}/limit.sh`],
      [`${host.prefix}/login`],
    ];
    for (const words of refused) {
      const { status, stdout } = asAccount(host, [
        'env',
        `SUDO_EDITOR=touch ${marker}`,
        `EDITOR=touch ${marker}`,
        'sudo',
        '-n',
        ...words,
      ]);
      expect([words, status === 0, stdout]).toEqual([words, false, '']);
    }
    untouched();
  });

  it('changes nothing by its environment, its folders or its links', async () => {
    const { folder, marker, untouched } = place;
    const evil = path.join(folder, 'bin');
    mkdirSync(evil);
    for (const name of ['sh', 'env', 'timeout', 'gdb', 'lsof', 'python3', 'nice', 'dd', 'awk', 'head', 'readlink']) {
      writeFileSync(path.join(evil, name), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
    }
    writeFileSync(path.join(folder, 'evil.sh'), `touch ${marker}\n`);
    for (const name of ['.gdbinit', '.gdbearlyinit']) writeFileSync(path.join(folder, name), `shell touch ${marker}\n`);
    writeFileSync(path.join(folder, '.pythonrc'), `open(${JSON.stringify(marker)}, "w")\n`);
    const target = await sleeper();
    const nonce = randomBytes(16).toString('hex');
    for (const base of ['/dev/shm', '/tmp']) symlinkSync(folder, `${base}/straceback.${nonce}`);
    const request = `${stepsOf(host, 'lsof', target, [[]])}${stepsOf(host, 'py-bt', target, [['0', '1']], { first: 2 })}`;
    const environment = [
      `PATH=${evil}`,
      `HOME=${folder}`,
      `TMPDIR=${folder}`,
      `BASH_ENV=${folder}/evil.sh`,
      `ENV=${folder}/evil.sh`,
      `PYTHONSTARTUP=${folder}/.pythonrc`,
      `PYTHONPATH=${folder}`,
      'LD_PRELOAD=/nonexistent/evil.so',
      `LD_LIBRARY_PATH=${folder}`,
      `GCONV_PATH=${folder}`,
      `SHELL=${evil}/sh`,
      `PAGER=${evil}/sh`,
      'SHELLOPTS=xtrace',
      `PS4=$(touch ${marker})`,
      `BASH_FUNC_timeout%%=() { touch ${marker}; }`,
      `DEBUGINFOD_URLS=http://127.0.0.1:1`,
      'IFS=/',
      'POSIXLY_CORRECT=1',
      'ALLOW=none',
      'KEEP=/tmp',
      'CGROUP=yes',
    ];
    const before = ['/usr/bin/env', '-C', folder, ...environment];
    const { stdout, status } = await ask(host, request, { answers: 2, nonce, before });
    for (const base of ['/dev/shm', '/tmp']) spawnSync('rm', [`${base}/straceback.${nonce}`]);
    expect(status).toBe(0);
    expect(stdout).toContain(` ready 1 0 /run/straceback/straceback.${nonce} installed `);
    expect(stdout).toMatch(/ step 1 exited 0 /);
    expect(stdout).toMatch(/ step 2 exited 0 /);
    expect(readdirSync(folder).filter((name) => name.startsWith('straceback'))).toEqual([]);
    untouched();
  });
});
