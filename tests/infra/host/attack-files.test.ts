import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { probesFolder } from '../../../playbooks/registry.ts';
import { type AttackerPlace, attackerPlace, stepsOf } from '../../support/attacker.ts';
import { hostileCore } from '../../support/hostile-core.ts';
import { ask, canInstall, type InstalledHost, installedHost } from '../../support/installed-host.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { startTimeOf } from '../../support/run-probe.ts';
import { endSshd } from '../../support/sshd.ts';

const coresLieBesideProcesses = !/^[|/]/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'));

describe.skipIf(!canInstall)('whoever writes the files that a look reads', () => {
  let host: InstalledHost;
  let place: AttackerPlace;
  /** A file that is there, and behind it what gdb would take for a command of its own. */
  let program: string;

  beforeAll(async () => {
    host = await installedHost();
    place = attackerPlace();
    program = `/bin/true\nshell\ttouch\t${place.marker}\n`;
  });
  afterEach(endProcesses);
  afterAll(endSshd);

  it.runIf(coresLieBesideProcesses)('gets nothing run by a core of their own making', async () => {
    const uid = Number(spawnSync('id', ['-u', host.user], { encoding: 'utf8' }).stdout);
    const home = path.join(place.folder, 'home');
    mkdirSync(home);
    chownSync(home, uid, uid);
    const live = await startProcess('/usr/bin/python3', ['-c', 'print("ready", flush=True); input()'], {
      cwd: home,
      uid,
    });
    await live.line(/^ready/);
    writeFileSync(path.join(home, 'core'), hostileCore({ parent: live.pid, program }));
    const target = { pid: live.pid, startTime: startTimeOf(live.pid) };
    const said = await ask(host, stepsOf(host, 'core-stacks', target, [[]], { bytes: 100_000 }), { answers: 1 });
    expect(said.stdout).toMatch(/ step 1 exited 0 /);
    // It was opened, gdb read it, and it says what it says.
    expect(said.stdout).toMatch(/^gdb "/m);
    expect(said.stdout).toMatch(/^#0 .* in "\/bin\/true\\nshell/m);
    place.untouched();
  });

  it('gets nothing run by the name of a program whose process is gone when its core is read', () => {
    const core = path.join(place.folder, 'core');
    writeFileSync(core, hostileCore({ parent: 1, program: '/bin/true' }));
    const script = path.join(probesFolder, 'gcore.gdb.py');
    const read = (exe: string) =>
      spawnSync('gdb', ['-nx', '-batch', '-iex', 'set auto-load off', '-x', script], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: '/nonexistent', STRACEBACK_CORE: core, STRACEBACK_EXE: exe },
      }).stdout;
    expect(read(program)).toMatch(/== no symbols: .*not there[\s\S]*^== core read$/m);
    place.untouched();
    // By the way that it is read now, a name with anything in it is a name.
    const odd = path.join(place.folder, `a program\nshell\ttouch\t${place.marker.replaceAll('/', '_')}`);
    writeFileSync(odd, readFileSync('/bin/true'), { mode: 0o755 });
    const said = read(odd);
    expect(said).toMatch(/^== core read$/m);
    expect(said).not.toContain('no symbols');
    expect(said).toMatch(/== build ids: process -, executable [0-9a-f]{40}/);
  });

  it('keeps nobody waiting by a pipe, and has no device opened', () => {
    const pipe = path.join(place.folder, 'libjemalloc.so.2');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const tries = [
      'regular_files.open_regular(path)',
      'py_read_images.FileImage(path)',
      'core_elf.build_id_of(path) or 1 / 0',
      "py_read_allocators.is_library(path, b'>\\0') or 1 / 0",
    ];
    const text = `import sys
sys.path.insert(0, ${JSON.stringify(probesFolder)})
import core_elf, py_read_allocators, py_read_images, regular_files
for path in sys.argv[1:]:
    for one in ${JSON.stringify(tries)}:
        try:
            eval(one)
        except (OSError, ZeroDivisionError):
            print('refused')
`;
    const said = spawnSync('/usr/bin/python3', ['-I', '-S', '-B', '-c', text, pipe, '/dev/null', place.folder], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect([said.stderr, said.stdout.trim().split('\n').length]).toEqual(['', 3 * tries.length]);
    expect(existsSync(place.marker)).toBe(false);
  });
});
