import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { hostLocks } from '../../../playbooks/probes/host-locks.ts';
import { LocksData } from '../../../playbooks/probes/locks.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const folders: string[] = [];

afterEach(async () => {
  await endProcesses();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const HOLDER = `import fcntl, sys
guard = open(sys.argv[1], 'a'); fcntl.flock(guard, fcntl.LOCK_EX)
print('ready', flush=True); sys.stdin.read()`;

/** Opens the lock file only for the moment of each attempt. */
const POLLER = `import fcntl, sys, time
print('ready', flush=True)
while True:
    with open(sys.argv[1], 'a') as guard:
        try: fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError: pass
    time.sleep(1)`;

describe('host-locks', () => {
  it('asks locks.py for all of them', () => {
    const command = hostLocks.command(
      stepFor(hostLocks, { pid: 77, startTime: '123', known: { python: '/opt/python3' } }),
    );
    expect(command).toEqual({
      argv: ['/opt/python3', '-I', '-S', '-B', '{script:locks.py}', '77', '123', 'all'],
      scripts: ['locks.py', 'open_files.py', 'lock_files.py', 'proc_files.py'],
    });
  });

  it('names file and holder of a lock that the target has not open', async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'host-locks-test-')));
    folders.push(folder);
    const path = join(folder, '.app "1"\n.log');
    const holder = await startPython(HOLDER, [path]);
    const poller = await startPython(POLLER, [path]);
    const before = await processState(poller.pid);
    const { parsed } = await runProbe(hostLocks, { pid: poller.pid });
    if (!parsed.ok) throw new Error(parsed.why);
    const found = LocksData.parse(parsed.data).locks.filter((lock) => lock.pid === holder.pid);
    expect(found).toMatchObject([
      { kind: 'FLOCK', mode: 'WRITE', waiting: false, path: path.replace('\n', '\\n'), state: 'S', comm: 'python3' },
    ]);
    await expectUnhurt(poller.pid, before);
  });

  it('reads a recorded host', () => {
    const parsed = parseFixture(hostLocks, 'debian12');
    expect(parsed.ok && parsed.data.locks.map((lock) => [lock.kind, lock.waiting, lock.pid, lock.path])).toEqual([
      ['FLOCK', false, 22779, '/var/log/shop/.service.log'],
      ['FLOCK', true, 22821, '/var/log/shop/.service.log'],
      ['POSIX', false, 22778, '/srv/shop/orders.sqlite'],
    ]);
  });

  it('never throws', () => {
    expectNeverThrows(
      hostLocks,
      fixtureNames('host-locks').map((name) => Buffer.from(loadFixture('host-locks', name).evidence.stdout)),
    );
  });
});
