import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { hostLookup } from '../../infra/hosts.ts';
import { type Impact, LookFailed, type Progress, type Report } from '../../playbooks/model/index.ts';
import { investigate } from '../../workers/investigate.ts';
import { type Knowledge, loadKnowledge } from '../../workers/knowledge.ts';
import { keepFolderOf, type ShellOpener, shellOpener } from '../../workers/reach.ts';
import { PHASE_WORDS } from '../../workers/words.ts';
import { endPrograms, startStanding } from '../support/incident.ts';
import { endProcesses, startPython } from '../support/live-process.ts';
import { endSshd, testPort, testSshd } from '../support/sshd.ts';
import { expectUnhurt, processState } from '../support/unhurt.ts';
import { until } from '../support/until.ts';

let knowledge: Knowledge;
let opener: ShellOpener;
let keepFolder: (host: string) => string;

beforeAll(async () => {
  knowledge = await loadKnowledge();
  const sshd = await testSshd();
  // Takes connections and says nothing, as an overloaded host does.
  const silent = await testPort(() => {});
  const hosts = hostLookup([sshd.host('far'), sshd.host('silent', { port: silent })]);
  opener = shellOpener(hosts);
  keepFolder = keepFolderOf(hosts);
});
afterAll(async () => {
  await opener.close();
  await endSshd();
});
afterEach(endPrograms);
afterEach(endProcesses);

const BY_BOB = new LookFailed('cancelled', 'The look was cancelled by bob.');

/** Processes whose arguments have all of these words, as /proc tells. */
const running = async (...words: readonly string[]): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const argv = (await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')).split('\0');
      return words.every((word) => argv.includes(word)) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
};

interface Cancelled {
  readonly report: Report | null;
  readonly failed: LookFailed | null;
  /** What traces the process when the look has ended. */
  readonly left: readonly number[];
}

/** A look that is cancelled once `when` says so. */
const cancelled = async (
  look: { pid: number; host?: string; playbook: string; windowSeconds: number; allow?: readonly Impact[] },
  when: (cancel: () => void) => (progress: Progress) => void,
): Promise<Cancelled> => {
  const controller = new AbortController();
  const cancel = () => controller.abort(BY_BOB);
  const ended = await investigate(
    {
      id: randomUUID(),
      host: look.host ?? 'far',
      pid: look.pid,
      playbook: look.playbook,
      windowSeconds: look.windowSeconds,
      allow: ['none', 'slows', ...(look.allow ?? [])],
      origin: { kind: 'terminal' },
      requestedAt: Date.now(),
    },
    {
      ...knowledge,
      openShell: opener.openShell,
      keepFolder,
      progress: when(cancel),
      journal: { started: async () => {}, earlier: async () => [] },
      signal: controller.signal,
      now: Date.now,
    },
  ).then(
    ({ report }) => ({ report, failed: null }),
    (error: unknown) => {
      if (error instanceof LookFailed) return { report: null, failed: error };
      throw error;
    },
  );
  return { ...ended, left: await running('strace', String(look.pid)) };
};

/** Cancels when strace really is on the process. */
const whenTraced = (pid: number) => (cancel: () => void) => {
  let waiting = false;
  return ({ doing }: Progress) => {
    if (doing !== PHASE_WORDS[3] || waiting) return;
    waiting = true;
    void until('strace is on the process', async () =>
      [...(await processState(pid)).threads.values()].every((each) => each.tracer !== 0),
    ).then(cancel, () => {});
  };
};

const inPhase = (phase: 1 | 2) => (cancel: () => void) => {
  let once = false;
  return ({ doing }: Progress) => {
    if (doing !== PHASE_WORDS[phase] || once) return;
    once = true;
    cancel();
  };
};

test('cancelled while strace runs: strace is gone, the process goes on, and what was found before is told', async () => {
  const { pid } = await startStanding('busy-loop/category_walk.py');
  const before = await processState(pid);
  const { report, left } = await cancelled({ pid, playbook: 'cpu', windowSeconds: 5 }, whenTraced(pid));
  await expectUnhurt(pid, before);
  expect(left).toEqual([]);
  // It was ended, and did not end by itself after its window.
  expect(report?.evidence.find(({ probe }) => probe === 'strace')?.seconds).toBeLessThan(5);
  expect(report?.findings[0]).toMatchObject({ cause: 'busy-loop' });
  expect(report?.caveats[0]).toMatch(
    /^The look was cancelled by bob after \d.* `strace` was ended before the time\. This report rests on what was seen until then\.$/,
  );
  expect(report?.findings.map(({ cause }) => cause)).not.toContain('healthy');
  expect(report?.caveats.join('\n')).not.toContain('connection');
  expect(report?.evidence.map(({ probe }) => probe)).toContain('sample');
});

test('cancelled while strace follows many threads: all of them are let go', async () => {
  const { pid } = await startStanding('healthy/thread_pool.py');
  const before = await processState(pid);
  const { left } = await cancelled({ pid, playbook: 'strace', windowSeconds: 10 }, whenTraced(pid));
  await expectUnhurt(pid, before);
  expect(left).toEqual([]);
  expect(before.threads.size).toBeGreaterThan(5);
});

test('a tool that was asked for shows what it had written until then', async () => {
  const { pid } = await startStanding('healthy/busy_server.py');
  const before = await processState(pid);
  const { report } = await cancelled({ pid, playbook: 'strace', windowSeconds: 10 }, whenTraced(pid));
  await expectUnhurt(pid, before);
  expect(report?.caveats[0]).toMatch(/cancelled by bob after .*`strace` was ended before the time/);
  expect(report?.shown?.why).toMatch(/strace was ended before it was done/);
});

test('cancelled while gdb has stopped the process: it runs again', async () => {
  const { pid } = await startStanding('healthy/idle_server.py');
  const before = await processState(pid);
  const { failed } = await cancelled(
    { pid, playbook: 'py-bt', windowSeconds: 2, allow: ['stops'] },
    (cancel) =>
      ({ doing }) => {
        if (doing !== PHASE_WORDS[4]) return;
        void until('gdb has stopped the process', async () =>
          [...(await processState(pid)).threads.values()].some((each) => each.tracer !== 0),
        ).then(cancel, () => {});
      },
  );
  await expectUnhurt(pid, before);
  if (failed !== null) expect(failed.message).toMatch(/`py-bt` was ended before the time/);
});

test('half a look that found nothing says so, says what it saw of the process, and nothing of its health', async () => {
  const { pid } = await startStanding('healthy/idle_server.py');
  const before = await processState(pid);
  const { failed, report } = await cancelled({ pid, playbook: 'triage', windowSeconds: 10 }, inPhase(2));
  await expectUnhurt(pid, before);
  expect(report).toBeNull();
  expect(failed?.code).toBe('cancelled');
  expect(failed?.message).toMatch(
    new RegExp(
      `^The look was cancelled by bob after \\S+ s, before a fault was found\\. .*Seen until then: process ${pid} is \`.*idle_server\\.py\` \\(CPython [\\d.]+\\), state [SR], \\d+ threads?, [\\d.]+ MiB resident, started .* before\\. That says nothing of its health\\.$`,
    ),
  );
});

test('before the process is known the answer says that', async () => {
  const { pid } = await startStanding('healthy/idle_server.py');
  const { failed } = await cancelled({ pid, playbook: 'triage', windowSeconds: 10 }, inPhase(1));
  expect(failed?.message).toMatch(/^The look was cancelled by bob after .*, before process \d+ on far was reached\.$/);
});

test('a host that does not answer is not waited for', async () => {
  const { pid } = await startStanding('healthy/idle_server.py');
  const controller = new AbortController();
  let opening = false;
  const ended = investigate(
    {
      id: randomUUID(),
      host: 'silent',
      pid,
      playbook: 'triage',
      allow: ['none'],
      origin: { kind: 'terminal' },
      requestedAt: Date.now(),
    },
    {
      ...knowledge,
      openShell: (host) => {
        opening = true;
        return opener.openShell(host);
      },
      keepFolder,
      progress: () => {},
      journal: { started: async () => {}, earlier: async () => [] },
      signal: controller.signal,
      now: Date.now,
    },
  ).catch((error: unknown) => error);
  await until('it is being connected to', () => opening);
  controller.abort(BY_BOB);
  expect(await ended).toBe(BY_BOB);
});

test('cancelled while a core is written: nothing of it is left, and the process dumps what it did before', async () => {
  const { pid } = await startPython(`
import mmap, os, sys
room = mmap.mmap(-1, 256 << 20)
block = os.urandom(1 << 20) * 300
print('ready')
sys.stdin.read()
`);
  const before = await processState(pid);
  const filter = () => readFile(`/proc/${pid}/coredump_filter`, 'utf8');
  const own = await filter();
  const folder = path.join(keepFolder('far'), 'cores');
  const cores = async () =>
    (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(`core.${pid}.${before.startTime}.`));
  onTestFinished(async () => {
    for (const name of await cores()) await rm(path.join(folder, name));
  });
  let writing = false;
  await cancelled({ pid, playbook: 'gcore', windowSeconds: 2, allow: ['stops', 'writes-disk'] }, (cancel) => () => {
    if (writing) return;
    writing = true;
    void until('gdb writes', async () => {
      const traced = [...(await processState(pid)).threads.values()].some(({ tracer }) => tracer !== 0);
      return traced && (await filter()) !== own && (await cores()).length > 0;
    }).then(cancel, () => {});
  });
  await expectUnhurt(pid, before);
  await until('what was written is gone', async () => (await cores()).length === 0);
  expect(await filter()).toBe(own);
});
