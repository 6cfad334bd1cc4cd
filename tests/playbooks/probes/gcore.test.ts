import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Probe } from '../../../playbooks/model/index.ts';
import { type GcoreData, gcore } from '../../../playbooks/probes/gcore.ts';
import { endProcesses, startPython, untilState } from '../../support/live-process.ts';
import { runProbe, startTimeOf, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { until } from '../../support/until.ts';
import { canHideTools, withoutTools } from '../../support/without-tools.ts';

describe('command', () => {
  it('bounds the stop by memory and threads', () => {
    const step = stepFor(gcore, {
      pid: 5,
      startTime: '77',
      keepFolder: '/var/k p',
      known: { rssKib: 3 * 1024 * 1024, threads: 32 },
    });
    expect(gcore.command(step).argv).toEqual([
      'sh',
      '{script:gcore.sh}',
      '5',
      '77',
      '/var/k p',
      '24',
      '70',
      '{script:ptrace-guard.sh}',
      '{script:gcore.gdb.py}',
    ]);
    expect(gcore.limits.seconds(step)).toBe(190);
    expect(gcore.limits.endWith).toBe('KILL');
  });

  it('needs a yes for stopping and for writing', () => {
    expect(gcore.impacts).toEqual(['stops', 'writes-disk']);
  });
});

const IDLE = 'import time\nprint("ready")\ntime.sleep(1000)';
/** Enough untouched memory that gdb writes for a while. */
const LARGE = `import mmap, time\nm = mmap.mmap(-1, 768 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n${IDLE}`;

describe('real processes', () => {
  const folders: string[] = [];
  const keep = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'straceback-keep-'));
    folders.push(folder);
    return folder;
  };
  afterEach(async () => {
    await endProcesses();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  const look = async (
    pid: number,
    keepFolder: string,
    run: Partial<Parameters<typeof runProbe>[1]> = {},
    probe: Probe<GcoreData> = gcore,
  ) => {
    const before = await processState(pid);
    const result = await runProbe(probe, { pid, keepFolder, ...run });
    await expectUnhurt(pid, before);
    return { ...result, data: result.parsed.ok ? result.parsed.data : null };
  };

  it('leaves a core that only its user can read, with the stack of every thread in it', async () => {
    const live = await startPython(
      `import threading\nfor _ in range(2): threading.Thread(target=threading.Event().wait, daemon=True).start()\n${IDLE}`,
    );
    const folder = keep();
    const { data, parsed } = await look(live.pid, folder);
    expect(data, JSON.stringify(parsed)).not.toBeNull();
    expect(data?.path).toMatch(
      new RegExp(`^${folder}/cores/core\\.${live.pid}\\.${startTimeOf(live.pid)}\\.\\d{8}T\\d{6}Z$`),
    );
    const about = statSync(data?.path ?? '');
    expect(about.mode & 0o777).toBe(0o600);
    expect(about.size).toBe(data?.bytes);
    expect(statSync(join(folder, 'cores')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(folder, 'cores'))).toHaveLength(1);
    const tasks = readdirSync(`/proc/${live.pid}/task`)
      .map(Number)
      .sort((a, b) => a - b);
    expect(data?.threads.map((thread) => thread.tid)).toEqual(tasks);
    for (const thread of data?.threads ?? []) {
      expect(thread.frames.map((frame) => frame.function)).toContain('_PyEval_EvalFrameDefault');
    }
    expect(data?.symbolsMatch).toBe(true);
    expect(data?.stoppedMs).toEqual(expect.any(Number));
  });

  it('removes cores that are out of date, and nothing else', async () => {
    const live = await startPython(IDLE);
    const folder = keep();
    const cores = join(folder, 'cores');
    mkdirSync(cores, { mode: 0o700 });
    const put = (name: string, hoursAgo: number) => {
      writeFileSync(join(cores, name), '');
      const then = Date.now() / 1000 - hoursAgo * 3600;
      utimesSync(join(cores, name), then, then);
    };
    put('core.1.2.20200101T000000Z', 3);
    put('core.1.2.20200102T000000Z', 1);
    put('notes.txt', 100);
    put(`core.${live.pid}.7.20200101T000000Z.partial`, 0);
    put(`core.${live.pid}1.7.20200101T000000Z.partial`, 0);
    const { data } = await look(live.pid, folder, { options: { hours: 2 } });
    const expected = ['core.1.2.20200102T000000Z', 'notes.txt', `core.${live.pid}1.7.20200101T000000Z.partial`];
    expect(readdirSync(cores).sort()).toEqual([...expected, data?.path.split('/').at(-1)].sort());
  });

  it.each([
    [
      'a link in the place of its folder',
      (folder: string) => symlinkSync(tmpdir(), join(folder, 'cores')),
      /is not a folder of this user/,
    ],
    ['a folder that others can write to', (folder: string) => chmodSync(folder, 0o777), /others can write/],
    [
      'a file in the place of its folder',
      (folder: string) => writeFileSync(join(folder, 'cores'), ''),
      /is not a folder/,
    ],
  ])('refuses %s', async (_, spoil, why) => {
    const live = await startPython(IDLE);
    const folder = keep();
    spoil(folder);
    const { parsed } = await look(live.pid, folder);
    expect(parsed).toEqual({ ok: false, reason: 'failed', why: expect.stringMatching(why) });
  });

  it.runIf(canHideTools())('writes nothing where there is no room', async () => {
    const live = await startPython(IDLE);
    const folder = keep();
    const small: Probe<GcoreData> = {
      ...gcore,
      command: (step) => {
        const { argv, ...rest } = gcore.command(step);
        const mount = 'mount -t tmpfs -o size=50m none "$1" || exit 99; shift; exec "$@"';
        return { ...rest, argv: ['unshare', '-m', 'sh', '-c', mount, 'sh', folder, ...argv] };
      },
    };
    const { parsed, evidence } = await look(live.pid, folder, {}, small);
    expect(parsed).toMatchObject({ ok: false, reason: 'failed', why: expect.stringMatching(/not enough room/) });
    expect(Buffer.from(evidence.stdout).toString()).not.toContain('stop begins');
  });

  it('does not make a process own shared memory that it never touched', async () => {
    const shared = 'import mmap\nm = mmap.mmap(-1, 64 << 20)\nm.write(b"x" * 4096)\n';
    const live = await startPython(`${shared}${IDLE}`);
    const filter = readFileSync(`/proc/${live.pid}/coredump_filter`, 'utf8');
    const ownShared = () => Number(/^RssShmem:\s+(\d+)/m.exec(readFileSync(`/proc/${live.pid}/status`, 'utf8'))?.[1]);
    const before = ownShared();
    const { data } = await look(live.pid, keep());
    expect(data).not.toBeNull();
    expect(ownShared()).toBeLessThan(before + 1024);
    expect(readFileSync(`/proc/${live.pid}/coredump_filter`, 'utf8')).toBe(filter);
  });

  it('leaves a stopped process stopped', async () => {
    const live = await startPython('import time\nprint("ready")\nwhile True: time.sleep(0.01)');
    live.child.kill('SIGSTOP');
    await untilState(live.pid, 'T');
    expect((await look(live.pid, keep())).data).not.toBeNull();
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'lets go when its group gets %s in the middle of the file',
    async (signal) => {
      const live = await startPython(LARGE);
      const folder = keep();
      const cores = join(folder, 'cores');
      mkdirSync(cores, { mode: 0o700 });
      const { evidence } = await look(live.pid, folder, {
        onStart: (child) => {
          const watcher = watch(cores, (_, name) => {
            if (!name?.endsWith('Z.partial') || !existsSync(join(cores, name))) return;
            if (statSync(join(cores, name)).size === 0) return;
            watcher.close();
            if (child.pid !== undefined) process.kill(-child.pid, signal);
          });
          child.once('exit', () => watcher.close());
        },
      });
      expect(Buffer.from(evidence.stdout).toString()).not.toContain('== core: ');
      // After SIGKILL somebody outside of the group puts that right.
      if (signal === 'SIGTERM') expect(readdirSync(cores)).toEqual([]);
      await until('nothing is left', () => readdirSync(cores).length === 0);
    },
  );

  /** The same probe with no second for the stop. */
  const withNoTime: Probe<GcoreData> = {
    ...gcore,
    command: (step) => {
      const { argv, ...rest } = gcore.command(step);
      return { ...rest, argv: argv.map((word, index) => (index === 6 ? '0' : word)) };
    },
  };

  it('leaves nothing behind when its time is up', async () => {
    const live = await startPython(LARGE);
    const folder = keep();
    const { parsed } = await look(live.pid, folder, {}, withNoTime);
    expect(parsed).toMatchObject({ ok: false, reason: 'timed-out' });
    expect(readdirSync(join(folder, 'cores'))).toEqual([]);
  });

  it('takes no core of a process that took the pid over', async () => {
    const live = await startPython(IDLE);
    const folder = keep();
    const { parsed } = await look(live.pid, folder, { startTime: '1' });
    expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
    expect(readdirSync(join(folder, 'cores'))).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)('says that it was not permitted', async () => {
    const live = await startPython(IDLE);
    expect((await look(live.pid, keep(), { uid: 65_534 })).parsed).toMatchObject({
      ok: false,
      reason: 'no-permission',
    });
  });

  it.runIf(canHideTools())('says that gdb is missing', async () => {
    const live = await startPython(IDLE);
    const { parsed, evidence } = await look(live.pid, keep(), {}, withoutTools(gcore, ['gdb']));
    expect(parsed).toMatchObject({ ok: false, reason: 'missing-tool' });
    expect(evidence.exit).toBe(127);
  });

  it('answers for a process that is gone', async () => {
    const live = await startPython('print("ready")\ninput()');
    live.say('');
    await once(live.child, 'exit');
    const { parsed } = await runProbe(gcore, { pid: live.pid, keepFolder: keep() });
    expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });
});
