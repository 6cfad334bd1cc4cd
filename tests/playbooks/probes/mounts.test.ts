import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { mounts } from '../../../playbooks/probes/mounts.ts';
import { canFreeze, canMount, freeze, smallExt4, smallTmpfs } from '../../support/filesystems.ts';
import { parseFixture } from '../../support/fixture.ts';
import { startProgram } from '../../support/incident.ts';
import { startPython, untilState } from '../../support/live-process.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const WRITER = `
import os, sys, time
os.chdir(sys.argv[1])
kept = open(sys.argv[2], 'wb', 0)
gone = open('gone', 'wb', 0)
os.unlink('gone')
try:
    while True:
        kept.write(b'x' * 4096)
except OSError:
    pass
print('ready', flush=True)
time.sleep(1000)
`;

it('is one script with the pid, its start time and the window', () => {
  expect(mounts.command(stepFor(mounts, { pid: 77, startTime: '5', windowSeconds: 2 }))).toEqual({
    argv: ['/usr/bin/python3', '-I', '-S', '-B', '{script:mounts.py}', '77', '5', '2'],
    scripts: ['mounts.py', 'proc_files.py'],
  });
});

test.skipIf(!canMount)(
  'tells that a file system is full, what the process has open there, and leaves it alone',
  async () => {
    const point = smallTmpfs('size=256k');
    const live = await startPython(WRITER, [point, 'odd "name"\n(deleted)']);
    const before = await processState(live.pid);
    const { parsed } = await runProbe(mounts, { pid: live.pid, windowSeconds: 1 });
    await expectUnhurt(live.pid, before);
    if (!parsed.ok) throw new Error(parsed.why);
    expect(parsed.partly).toEqual([]);
    expect(parsed.data.mounts[0]).toMatchObject({ point, kind: 'tmpfs', writes: 2, cwd: true, answer: 'space' });
    expect(parsed.data.mounts[0]?.space).toMatchObject({ bytes: 262_144, available: 0 });
    const [kept, gone] = parsed.data.files.filter((file) => file.mount === point);
    expect(kept).toMatchObject({ writes: true, path: `${point}/odd "name"\\n(deleted)`, stored: 262_144 });
    expect(gone).toMatchObject({ path: `${point}/gone`, deleted: true, size: 0 });
  },
);

test.skipIf(!canMount)('counts inodes, and names a full file system that the process has nothing open on', async () => {
  const point = smallTmpfs('size=1m,nr_inodes=12');
  for (let index = 0; readdirSync(point).length < 11; index += 1) writeFileSync(path.join(point, `f${index}`), '');
  const live = await startPython("import time; print('ready', flush=True); time.sleep(1000)", [], { cwd: '/' });
  const { parsed } = await runProbe(mounts, { pid: live.pid, windowSeconds: 1 });
  const seen = parsed.ok ? parsed.data.mounts.find((mount) => mount.point === point) : undefined;
  expect(seen?.space).toMatchObject({ inodes: 12, inodesFree: 0 });
  expect(seen).toMatchObject({ writes: 0, cwd: false });
});

test.skipIf(!canFreeze)('comes back from a frozen file system, and says who waits there', async () => {
  const point = smallExt4();
  mkdirSync(path.join(point, 'spool'));
  const live = await startProgram('io-stall/archive.py', { args: [path.join(point, 'spool')] });
  const waiter = Number((await live.line(/^standing \d+$/)).split(' ')[1]);
  freeze(point);
  live.say('go');
  await untilState(waiter, 'D');
  const other = await startPython("import time; print('ready', flush=True); time.sleep(1000)", [], { cwd: point });
  const { parsed } = await runProbe(mounts, { pid: other.pid, windowSeconds: 1 });
  if (!parsed.ok) throw new Error(parsed.why);
  expect(parsed.data.mounts.find((mount) => mount.point === point)).toMatchObject({ kind: 'ext4', cwd: true });
  expect(parsed.data.waiting.map((each) => each.pid)).toContain(waiter);
});

it('says that there is no such process', async () => {
  const live = await startPython("import time; print('ready', flush=True); time.sleep(1000)");
  const { parsed } = await runProbe(mounts, { pid: live.pid, startTime: '1', windowSeconds: 0.5 });
  expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
});

describe('recorded and written runs', () => {
  it('reads space, files and options', () => {
    const parsed = parseFixture(mounts, 'full-tmpfs');
    if (!parsed.ok) throw new Error(parsed.why);
    expect(parsed.data.mounts.map((mount) => mount.point)).toEqual(['/srv/cache', '/']);
    expect(parsed.data.mounts[0]).toMatchObject({ device: '0:39', readOnly: false, writes: 2 });
    expect(parsed.data.files[1]).toMatchObject({ path: '/srv/cache/spool', deleted: true });
  });

  it('reads a server that does not answer, and those that wait for it', () => {
    const parsed = parseFixture(mounts, 'silent-server');
    if (!parsed.ok) throw new Error(parsed.why);
    expect(parsed.data.mounts[0]).toMatchObject({ point: '/net/home', kind: 'nfs4', answer: 'silent', space: null });
    expect(parsed.data.files[0]).toMatchObject({ size: null, path: '/net/home/log "x"' });
    expect(parsed.data.waiting).toMatchObject([{ pid: 812, wchan: 'rpc_wait_bit_killable', comm: 'cp' }]);
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(mounts));
});
