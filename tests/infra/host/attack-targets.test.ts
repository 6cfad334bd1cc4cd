import { spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type AskedProcess, type AttackerPlace, attackerPlace, sleeper, stepsOf } from '../../support/attacker.ts';
import {
  ask,
  canInstall,
  type InstalledHost,
  installedHost,
  type Said,
  templateOf,
} from '../../support/installed-host.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { startTimeOf } from '../../support/run-probe.ts';
import { endSshd } from '../../support/sshd.ts';
import { processState } from '../../support/unhurt.ts';
import { until } from '../../support/until.ts';

describe.skipIf(!canInstall)('whoever chooses the process', () => {
  let host: InstalledHost;
  let place: AttackerPlace;

  beforeAll(async () => {
    host = await installedHost('--allow', 'none,slows,stops,writes-disk,risks-death');
    place = attackerPlace();
  });
  afterEach(endProcesses);
  afterAll(endSshd);

  it('reads no file through the source of a process, whoever that process is', async () => {
    const { pid, startTime } = await sleeper();
    const link = path.join(place.folder, 'innocent.py');
    symlinkSync('/etc/shadow', link);
    const files = [
      '/etc/shadow',
      link,
      '/proc/self/environ',
      `/proc/${pid}/root/etc/shadow`,
      '/etc/sudoers',
      '/dev/sda',
    ];
    const onePlace = templateOf(host, 'source-lines', 2).number;
    const requests = files.map((file, at) => `run ${at + 1} ${onePlace} 5 4096 ${pid} ${startTime} 2\n=1\n=${file}\n`);
    const { stdout, status } = await ask(host, requests.join(''), { answers: files.length });
    expect(status).toBe(0);
    expect(stdout.match(/^file 1 unreadable: /gm)).toHaveLength(files.length);
    expect(stdout).not.toMatch(/root:[$*!]/);
  });

  it('stops neither the first process, nor the kernel’s, nor what its look runs in, nor one with another start time', async () => {
    const { pid, startTime } = await sleeper();
    const one = (target: AskedProcess) => ask(host, stepsOf(host, 'native-stacks', target, [['9']]), { answers: 1 });
    expect((await one({ pid: 1, startTime: startTimeOf(1) })).stdout).toMatch(
      /exited 126 [\s\S]*the first process of a host is not touched/,
    );
    // What asks is above the runner, like the sshd of a real look.
    expect((await one({ pid: process.pid, startTime: startTimeOf(process.pid) })).stdout).toMatch(
      /exited 126 [\s\S]*is what this look runs in/,
    );
    expect((await one({ pid, startTime: String(BigInt(startTime) + 1n) })).stdout).toMatch(/ step 1 target-gone /);
    expect((await one({ pid: 4_194_303, startTime: '1' })).stdout).toMatch(/exited 126 [\s\S]*runs no program/);
    expect((await one({ pid, startTime: '0' })).stdout).toMatch(/ step 1 exited 126 /);
    expect((await one({ pid, startTime })).stdout).toMatch(/ step 1 exited 0 /);
  });

  it('gets nothing run by the files of a process of its own', async () => {
    // A name cannot hold a slash: whatever runs it finds the marker by printf.
    const touch = `touch "$(printf '${place.marker.replaceAll('/', '\\057')}')"`;
    const home = path.join(place.folder, `$(${touch}) ;'"\n!${touch}\nshell ${touch}`);
    const lib = path.join(place.folder, 'lib');
    mkdirSync(home);
    mkdirSync(lib);
    const real = realpathSync('/usr/bin/python3');
    const name = path.basename(real);
    const python = path.join(home, name);
    copyFileSync(real, python);
    const evil = `open(${JSON.stringify(place.marker)}, "w")\nimport gdb\ngdb.execute("shell touch ${place.marker}")\n`;
    const scripts = [`${name}-gdb.py`, 'sitecustomize.py', 'usercustomize.py', 'gdb.py', 'os.py', 'libpython.py'];
    for (const each of scripts) writeFileSync(path.join(home, each), evil);
    for (const each of [`${name}-gdb.gdb`, '.gdbinit'])
      writeFileSync(path.join(home, each), `shell touch ${place.marker}\n`);
    const library = path.join(lib, 'libevil.so.1');
    copyFileSync(mathLibrary(), library);
    writeFileSync(`${library}-gdb.py`, evil);
    writeFileSync(path.join(lib, 'libevil.so-gdb.gdb'), `shell touch ${place.marker}\n`);
    const uid = Number(spawnSync('id', ['-u', host.user], { encoding: 'utf8' }).stdout);
    for (const folder of [home, lib]) {
      chownSync(folder, uid, uid);
      for (const each of readdirSync(folder)) chownSync(path.join(folder, each), uid, uid);
    }
    // Scripts for gdb in the files themselves, where there is objcopy to put them there.
    const section = path.join(lib, 'section');
    writeFileSync(section, `\u0004evil\n${evil}\0`);
    for (const file of [python, library]) {
      const added = ['--add-section', `.debug_gdb_scripts=${section}`, file];
      expect([0, null]).toContain(spawnSync('objcopy', added).status);
    }
    const waits = 'print("ready", flush=True); input()';
    const live = await startProcess(python, ['-I', '-S', '-c', waits], {
      cwd: home,
      uid,
      env: { LD_PRELOAD: library },
    });
    await live.line(/^ready/);
    expect(readFileSync(`/proc/${live.pid}/maps`, 'utf8')).toContain('libevil.so.1');
    const target = { pid: live.pid, startTime: startTimeOf(live.pid) };
    const asked = [
      stepsOf(host, 'py-bt', target, [['1', '2']]),
      stepsOf(host, 'native-stacks', target, [['50']]),
      stepsOf(host, 'gcore', target, [['1', '60']]),
      stepsOf(host, 'kept-core', target, [[]]),
      stepsOf(host, 'py-stacks', target, [['1', '20']]),
    ];
    // One after another: the core is read after it was written.
    const answers: Said[] = [];
    for (const each of asked) answers.push(await ask(host, each, { answers: 1 }));
    for (const { status, stdout } of answers) expect([status, / step 1 exited 0 /.test(stdout)]).toEqual([0, true]);
    expect(answers[0]?.stdout).toMatch(/^TID \d+:/m);
    expect(answers[2]?.stdout).toMatch(/^== core: \d+ bytes/m);
    place.untouched();
  });

  it('does not keep a process from others by saying nothing', async () => {
    const target = await sleeper();
    const idle = ask(host, stepsOf(host, 'last-check', target, [[]], { bytes: 16 }), { answers: 2 });
    const session = await until('it has the process', () => {
      const look = `/run/straceback/look.${target.pid}`;
      return existsSync(look) && `/run/straceback/session.${readFileSync(look, 'utf8').trim()}`;
    });
    const longAgo = Date.now() / 1_000 - 3_600;
    utimesSync(session, longAgo, longAgo);
    expect(await idle).toMatchObject({ status: 0, stdout: expect.stringMatching(/ step 1 exited 0 /) });
    expect([existsSync(session), existsSync(`/run/straceback/look.${target.pid}`)]).toEqual([false, false]);
  });

  it('leaves a process as it was when the runner is killed in the middle of a step', async () => {
    const target = await sleeper();
    const before = await processState(target.pid);
    const said = ask(host, stepsOf(host, 'strace', target, [['4000', '2000']]), { answers: 1 });
    await until('traced', () =>
      /^TracerPid:\t[1-9]/m.test(readFileSync(`/proc/${target.pid}/status`, 'utf8')) ? true : null,
    );
    const tracer = /^TracerPid:\t(\d+)/m.exec(readFileSync(`/proc/${target.pid}/status`, 'utf8'))?.[1] ?? '';
    expect(readFileSync(`/proc/${tracer}/limits`, 'utf8')).toMatch(/^Max address space +8589934592 +8589934592 /m);
    expect(readFileSync(`/proc/${tracer}/limits`, 'utf8')).toMatch(/^Max file size +67108864 /m);
    expect(
      Number(/\) (.*)/.exec(readFileSync(`/proc/${tracer}/stat`, 'latin1'))?.[1]?.split(' ')[16]),
    ).toBeGreaterThanOrEqual(5);
    const names = readFileSync(`/proc/${tracer}/environ`, 'latin1')
      .split('\0')
      .map((each) => each.split('=')[0]);
    expect(names.filter((each) => !/^(?:|PATH|HOME|PWD|OLDPWD|LC_ALL|TERM|_|SHLVL)$/.test(each ?? ''))).toEqual([]);
    const runner = readFileSync(`/run/straceback/look.${target.pid}`, 'utf8').trim();
    process.kill(Number(runner), 'SIGKILL');
    await said;
    await until('not traced', () =>
      /^TracerPid:\t0/m.test(readFileSync(`/proc/${target.pid}/status`, 'utf8')) ? true : null,
    );
    expect(await processState(target.pid)).toEqual(before);
    // The next look clears away what that one left, and gets the process.
    await until('the process is free again', async () => {
      const next = await ask(host, stepsOf(host, 'last-check', target, [[]], { bytes: 16 }), { answers: 1 });
      return / step 1 exited 0 /.test(next.stdout);
    });
    expect(readdirSync('/run/straceback').filter((each) => each.endsWith(`.${runner}`))).toEqual([]);
    expect(existsSync(`/run/straceback/look.${target.pid}`)).toBe(false);
  });
});

/** A shared library that this test's own node has mapped. */
const mathLibrary = (): string => {
  const found = /(\/\S*\/libm[.-]\S*)$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[1];
  if (found === undefined) throw new Error('node has no libm mapped');
  return found;
};
