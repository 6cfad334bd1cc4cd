import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { parseEnd } from '../../../workers/ending/end.parse.ts';
import { toldOfEnd } from '../../../workers/ending/tell.ts';
import { shellOpener } from '../../../workers/reach.ts';
import { endProcesses, type LiveProcess, startPython } from '../../support/live-process.ts';
import { makeMemoryCgroup, whyNoMemoryCgroup } from '../../support/memory-cgroup.ts';

afterEach(endProcesses);
const opener = shellOpener(hostLookup([]));
afterAll(() => opener.close());

const GONE = new LookFailed('no-such-process', 'There is no process here.');

const told = async (gone: Parameters<typeof toldOfEnd>[1], error: unknown = GONE): Promise<LookFailed> => {
  const shell = await opener.openShell('local');
  try {
    const said = await toldOfEnd(error, gone, shell);
    if (!(said instanceof LookFailed)) throw new Error('no failure');
    return said;
  } finally {
    await shell.close();
  }
};

const startTimeOf = (pid: number): string => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
};

const ended = async ({ child }: LiveProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
};

/** Whether this machine's kernel log can be read and tells of crashes (kernel.print-fatal-signals is another thing). */
const logged = (pid: number): boolean => {
  try {
    return execFileSync('dmesg', { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] }).includes(`[${pid}]`);
  } catch {
    return false;
  }
};

const oomLogged = (pid: number): boolean => {
  try {
    return execFileSync('dmesg', { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] }).includes(
      `Killed process ${pid} `,
    );
  } catch {
    return false;
  }
};

test('a crash is told from the kernel’s log', async (context) => {
  const live = await startPython('import ctypes\nprint("ready", flush=True)\ninput()\nctypes.string_at(0)');
  live.say('');
  await ended(live);
  if (!logged(live.pid)) context.skip();
  const failure = await told({ host: 'local', pid: live.pid });
  expect(failure.message).toMatch(
    new RegExp(
      `^Process ${live.pid} on local has gone: it crashed at \\d{4}-.* UTC \\(segfault in \`.*\\.so.*\`, by the kernel’s log\\)\\.$`,
    ),
  );
  expect(failure.code).toBe('no-such-process');
  expect(failure.instead).toBeUndefined();
  // A process of the same id that began later did not crash then.
  const later = String(BigInt(startTimeOf(process.pid)) + 10_000_000n);
  expect(await told({ host: 'local', pid: live.pid, startTime: later })).toBe(GONE);
});

const noCgroup = whyNoMemoryCgroup();
test.skipIf(noCgroup !== null)('a kill for want of memory is told with its size', async (context) => {
  const group = makeMemoryCgroup(60_000_000);
  const live = await startPython(
    'print("ready", flush=True)\ninput()\nheld = [bytes([index % 250 + 1]) * 1_000_000 for index in range(400)]',
  );
  group.add(live.pid);
  live.say('');
  await ended(live);
  await group.remove();
  if (!logged(live.pid) && !oomLogged(live.pid)) context.skip();
  const failure = await told({ host: 'local', pid: live.pid });
  expect(failure.message).toMatch(
    /has gone: the kernel killed it at .* because its control group was at its memory limit \(`python3` with \d+ MiB of its own\)\.$/,
  );
});

const SERVICE = 'print("ready", flush=True)\ninput()';

test('what was started in its place is found by its command line, and offered', async () => {
  const first = await startPython(SERVICE, ['--shop', 'north']);
  const startTime = startTimeOf(first.pid);
  first.child.kill('SIGKILL');
  await ended(first);
  const second = await startPython(SERVICE, ['--shop', 'north']);
  const command = `/usr/bin/python3 -u -c ${SERVICE.replace('\n', '\\n')} --shop north`;
  const failure = await told({ host: 'local', pid: first.pid, startTime, was: { command } });
  expect(failure.message).toContain(
    `Process ${first.pid} on local has gone. In its place runs process ${second.pid}, with the same command line or port`,
  );
  expect(failure.toFailure().instead).toEqual({ pid: second.pid, startTime: startTimeOf(second.pid) });
});

test('a pid that somebody else has now is said to be another', async () => {
  const other = await startPython(SERVICE, ['--other']);
  const second = await startPython(SERVICE, ['--shop', 'south']);
  const command = `/usr/bin/python3 -u -c ${SERVICE.replace('\n', '\\n')} --shop south`;
  const startTime = String(BigInt(startTimeOf(other.pid)) - 1n);
  const replaced = new LookFailed('process-replaced', 'Another one.');
  const failure = await told({ host: 'local', pid: other.pid, startTime, was: { command } }, replaced);
  expect(failure.code).toBe('process-replaced');
  expect(failure.message).toContain('is not the one that was meant: that one has ended. In its place runs process');
  expect(failure.instead?.pid).toBe(second.pid);
});

test('of a pid that never was nothing is made up, and other failures are left alone', async () => {
  expect(await told({ host: 'local', pid: 4_194_303 })).toBe(GONE);
  const other = new LookFailed('no-permission', 'No.');
  expect(await told({ host: 'local', pid: 4_194_303 }, other)).toBe(other);
});

describe('what systemd says', () => {
  const parse = (...lines: string[]) => parseEnd(new TextEncoder().encode(lines.join('\n')), 6325);
  const service = (more: string[]) => ['service Id=shop.service', ...more, 'service end'];

  test('a service that ended with its main process', () => {
    const facts = parse(
      'end-of 6325',
      ...service([
        'service MainPID=0',
        'service ExecMainPID=6325',
        'service ExecMainCode=2',
        'service ExecMainStatus=9',
        'service ExecMainExitTimestamp=Sat 2024-05-04 10:11:12 UTC',
        'service Result=oom-kill',
        'service ActiveState=failed',
      ]),
      'end',
    );
    expect(facts).toMatchObject({
      unit: 'shop.service',
      service: { unit: 'shop.service', result: 'oom-kill', code: 2, status: 9, at: 'Sat 2024-05-04 10:11:12 UTC' },
    });
  });

  test('another service, or one that still runs, says nothing of the end', () => {
    expect(parse(...service(['service ExecMainPID=77', 'service ExecMainCode=1'])).service).toBeNull();
    expect(parse(...service(['service ExecMainPID=6325', 'service ExecMainCode=0']))).toMatchObject({
      service: null,
      unit: 'shop.service',
    });
  });

  test('the journal names unit and command line, and systemd-coredump the signal', () => {
    const facts = parse(
      'said {"_SYSTEMD_UNIT":"shop.service","_CMDLINE":"python3 shop.py","MESSAGE":"x"}',
      'dumped {"COREDUMP_UNIT":"shop.service","COREDUMP_SIGNAL_NAME":"SIGSEGV","COREDUMP_TIMESTAMP":"1714564803000000","COREDUMP_FILENAME":"/var/lib/systemd/coredump/core.x.zst"}',
    );
    expect(facts).toEqual({
      unit: 'shop.service',
      command: 'python3 shop.py',
      service: null,
      exited: null,
      core: { signal: 'SIGSEGV', time: 1_714_564_803, file: '/var/lib/systemd/coredump/core.x.zst' },
    });
    expect(parse('said {"_CMDLINE":[112,121,51]}').command).toBe('py3');
  });

  test('of a service that was started again the journal says how it ended before', () => {
    const line = (message: string, code: string, status: string) =>
      `exited ${JSON.stringify({ MESSAGE: message, UNIT: 'shop.service', EXIT_CODE: code, EXIT_STATUS: status, __REALTIME_TIMESTAMP: '1714564803000000' })}`;
    const { exited } = parse(
      line('shop.service: Main process exited, code=killed, status=9/KILL', 'killed', '9'),
      line('shop.service: Control process exited, code=exited, status=1/FAILURE', 'exited', '1'),
    );
    expect(exited).toEqual({ unit: 'shop.service', code: 2, status: 9, time: 1_714_564_803 });
    expect(parse(line('shop.service: Main process exited', 'odd', '9')).exited).toBeNull();
  });

  test('a core belongs to the process only when its name says so by the pattern', () => {
    const file = (name: string, pattern = '/var/crash/core.%e.%p') =>
      parse(`pattern ${pattern}`, `core ${name}`).core?.file;
    expect(file('core.python3.6325')).toBe('/var/crash/core.python3.6325');
    expect(file('core.python3.16325')).toBeUndefined();
    expect(file('core.6325.77')).toBeUndefined();
  });

  test('nothing breaks it', () => {
    for (const line of ['said {', 'said {"_CMDLINE":7}', 'service', 'service end', 'core x', 'pattern', '\u0000\ufffd'])
      expect(parse(line)).toMatchObject({ service: null });
  });
});
