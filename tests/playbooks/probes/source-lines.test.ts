import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sourceLines } from '../../../playbooks/probes/source-lines.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, type LiveProcess, startProcess } from '../../support/live-process.ts';
import { canChangeRoot, startInOtherRoot } from '../../support/other-root.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { type ProbeRun, runProbe } from '../../support/run-probe.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'straceback-source-'));
});
afterEach(async () => {
  await endProcesses();
  rmSync(folder, { recursive: true, force: true });
});

const CODE = [
  'def stock(shop):',
  '    total = 0',
  '    for each in shop:',
  '        total += each',
  '    return total',
];

const write = (name: string, secondsOld: number, lines: readonly string[] = CODE): string => {
  const file = join(folder, name);
  writeFileSync(file, `${lines.join('\n')}\n`);
  const then = Date.now() / 1000 - secondsOld;
  utimesSync(file, then, then);
  return file;
};

const sleeper = async (options: { uid?: number } = {}): Promise<LiveProcess> => {
  const live = await startProcess('sh', ['-c', 'echo ready; read never'], { cwd: folder, ...options });
  await live.line(/^ready/);
  return live;
};

const around = async (pid: number, ...places: { file: string; line: number }[]) => {
  const run: ProbeRun<{ places: readonly { lines: readonly { line: number; text: string }[]; newer: boolean }[] }> =
    await runProbe(sourceLines, { pid, options: { places } });
  if (!run.parsed.ok) throw new Error(run.parsed.why);
  return run.parsed.data.places.map((place) => ({
    newer: place.newer,
    text: place.lines.map((each) => `${each.line} ${each.text}`),
  }));
};

describe('source-lines', () => {
  it('shows five lines around a place, fewer at the ends of the file', async () => {
    const file = write('shop.py', 3600);
    const { pid } = await sleeper();
    expect(await around(pid, { file, line: 3 }, { file, line: 5 })).toEqual([
      { newer: false, text: CODE.map((text, index) => `${index + 1} ${text}`) },
      { newer: false, text: CODE.slice(2).map((text, index) => `${index + 3} ${text}`) },
    ]);
  });

  it('finds a relative name from the working directory of the process', async () => {
    write('shop.py', 3600);
    const { pid } = await sleeper();
    expect((await around(pid, { file: 'shop.py', line: 2 }))[0]?.text).toContain('2     total = 0');
    expect((await around(pid, { file: `../${folder.split('/').at(-1)}/shop.py`, line: 2 }))[0]?.text).toEqual([]);
  });

  it('says that a file is newer than the process', async () => {
    const { pid } = await sleeper();
    const file = write('shop.py', -60);
    expect((await around(pid, { file, line: 1 }))[0]?.newer).toBe(true);
  });

  it('shows nothing of what is no file, is not there, or has no such line', async () => {
    const file = write('shop.py', 3600);
    const { pid } = await sleeper();
    const places = [
      { file: '/dev/zero', line: 1 },
      { file: folder, line: 1 },
      { file: `${file}c`, line: 1 },
      { file, line: 99 },
      { file: '<string>', line: 1 },
      { file: "'; touch it; '", line: 1 },
      { file: 'line\nbreak', line: 1 },
    ];
    expect((await around(pid, ...places)).map((each) => each.text)).toEqual(places.map(() => []));
  });

  it('shows a script without a suffix, and nothing of a file that is no source, by whatever link it is reached', async () => {
    const script = write('tool', 3600, ['#!/usr/bin/env python3', 'run()']);
    const secret = write('credentials', 3600, ['password: 1', 'line 2']);
    symlinkSync(secret, join(folder, 'innocent.py'));
    symlinkSync(script, join(folder, 'link'));
    const { pid } = await sleeper();
    const [shown, linked, hidden, through] = await around(
      pid,
      { file: script, line: 2 },
      { file: join(folder, 'link'), line: 2 },
      { file: secret, line: 1 },
      { file: join(folder, 'innocent.py'), line: 1 },
    );
    expect([shown?.text, linked?.text]).toEqual(Array(2).fill(['1 #!/usr/bin/env python3', '2 run()']));
    expect([hidden?.text, through?.text]).toEqual([[], []]);
  });

  it('makes control characters in the source harmless', async () => {
    const file = write('odd.py', 3600, ['a = "\u001b[31m"\r', '1:1> forged', 'b']);
    const { pid } = await sleeper();
    expect((await around(pid, { file, line: 1 }))[0]?.text).toEqual(['1 a = " [31m"', '2 1:1> forged', '3 b']);
  });

  it.runIf(process.getuid?.() === 0)('reads nothing that the process’s own user may not read', async () => {
    const secret = write('secret.py', 3600, ['key = 1']);
    spawnSync('chmod', ['600', secret]);
    spawnSync('chmod', ['755', folder]);
    symlinkSync(secret, join(folder, 'link.py'));
    mkdirSync(join(folder, 'closed'), { mode: 0o700 });
    writeFileSync(join(folder, 'closed', 'open.py'), 'a = 1\n');
    const open = write('open.py', 3600, ['a = 1']);
    symlinkSync('open.py', join(folder, 'open-link.py'));
    const { pid } = await sleeper({ uid: 65534 });
    const files = [secret, join(folder, 'link.py'), join(folder, 'closed', 'open.py'), '/etc/shadow'];
    const refused = await around(pid, ...files.map((file) => ({ file, line: 1 })));
    expect(refused.map((each) => each.text)).toEqual(files.map(() => []));
    const allowed = await around(pid, { file: open, line: 1 }, { file: join(folder, 'open-link.py'), line: 1 });
    expect(allowed.map((each) => each.text)).toEqual([['1 a = 1'], ['1 a = 1']]);
  });

  it.runIf(canChangeRoot())('follows no link out of the root of the process', async () => {
    const host = write('host.py', 3600, ['on_the_host = True']);
    const { pid } = await startInOtherRoot(`
import os
os.symlink(${JSON.stringify(host)}, '/opt/link.py')
os.symlink('../../../../../..${host}', '/opt/up.py')
open('/opt/own.py', 'w').write('inside = True\\n')
os.symlink('/opt/own.py', '/opt/good.py')
print('ready'); import sys; sys.stdin.read()`);
    const files = ['/opt/link.py', '/opt/up.py', host, '/opt/good.py'];
    const seen = await around(pid, ...files.map((file) => ({ file, line: 1 })));
    expect(seen.map((each) => each.text)).toEqual([[], [], [], ['1 inside = True']]);
  });

  it('says that the process has ended', async () => {
    const { pid } = await sleeper();
    const run = await runProbe(sourceLines, { pid, startTime: '1', options: { places: [{ file: 'a', line: 1 }] } });
    expect(run.parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it('reads what was recorded, and never throws', () => {
    expect(fixtureNames('source-lines')).toEqual(['changed', 'orders']);
    expect(parseFixture(sourceLines, 'orders')).toMatchObject({
      ok: true,
      data: {
        places: [{ line: 14, newer: false, lines: [{ line: 12 }, {}, { line: 14, at: 4 }, {}, {}] }, { lines: [] }],
      },
    });
    expect(parseFixture(sourceLines, 'changed')).toMatchObject({ ok: true, data: { places: [{ newer: true }] } });
    const samples = fixtureNames('source-lines').map((name) =>
      Buffer.from(loadFixture('source-lines', name).evidence.stdout),
    );
    expectNeverThrows(sourceLines, samples, { options: { places: [{ file: 'orders.py', line: 14 }] } });
  });
});
