import { describe, expect, it } from 'vitest';
import { parseCall, parseTraceLine } from '../../../playbooks/probes/strace.parse.ts';
import { type StraceData, strace } from '../../../playbooks/probes/strace.ts';
import { fixtureStep, loadFixture, parseFixture } from '../../support/fixture.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { evidenceFrom } from '../../support/run-probe.ts';

const dataOf = (name: string): StraceData => {
  const parsed = parseFixture(strace, name);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
  return parsed.data;
};

const lineOf = (name: string, at: number): string =>
  Buffer.from(loadFixture('strace', name).evidence.stdout).toString().split('\n')[at - 1] ?? '';

describe('one line', () => {
  it.each([
    ['read(3, "x", 1) = 1 <0.000010>', 'read', '3, "x", 1', '1', null, 0.00001],
    ['gettid()        = 25454 <0.000058>', 'gettid', '', '25454', null, 0.000058],
    ['exit_group(3)   = ?', 'exit_group', '3', '?', null, null],
    ['write(1, ") = 5", 5) = -1 EPIPE (Broken pipe) <0.1>', 'write', '1, ") = 5", 5', '-1', 'EPIPE', 0.1],
    ['write(1, "\\\\\\") = 5", 5) = 5', 'write', '1, "\\\\\\") = 5", 5', '5', null, null],
    ['close(3</tmp/a) = 7>) = 0', 'close', '3</tmp/a) = 7>', '0', null, null],
    ['dup(4<TCP:[1.2.3.4:5->6.7.8.9:10]>) = 5', 'dup', '4<TCP:[1.2.3.4:5->6.7.8.9:10]>', '5', null, null],
    ['mmap(NULL, 1<<20, -1, 0) = 0x7f12', 'mmap', 'NULL, 1<<20, -1, 0', '0x7f12', null, null],
    [
      'poll([{fd=5, events=POLLIN}], 1, 9) = 0 (Timeout) <9.1>',
      'poll',
      '[{fd=5, events=POLLIN}], 1, 9',
      '0 (Timeout)',
      null,
      9.1,
    ],
    ['futex(0x1, FUTEX_WAIT) = ? ERESTARTSYS (To be restarted)', 'futex', '0x1, FUTEX_WAIT', '?', 'ERESTARTSYS', null],
    ['ioctl(3, TCGETS, 0x7f) = -1 ERRNO_515 (Unknown error 515)', 'ioctl', '3, TCGETS, 0x7f', '-1', 'ERRNO_515', null],
    ['read(3, <unfinished ...>) = ?', 'read', '3,', '?', null, null],
    [
      'read(3, "a long string that was cu...rest of it, 4096) = 4096 <0.1>',
      'read',
      '3, "a long string that was cu...rest of it, 4096',
      '4096',
      null,
      0.1,
    ],
    [
      'openat(AT_FDCWD</x>, "f", 0) = 3</y) = -1 EBADF >',
      'openat',
      'AT_FDCWD</x>, "f", 0',
      '3</y) = -1 EBADF >',
      null,
      null,
    ],
  ])('%s', (text, name, args, result, errno, seconds) => {
    expect(parseCall(text)).toEqual({ name, args, result, errno, seconds });
  });

  it.each([
    ['12  1700000000.250000 pause( <unfinished ...>', 12, 1_700_000_000.25],
    ['[pid    12] 01:00:00.500000 pause( <detached ...>', 12, 3600.5],
    ['pause( <unfinished ...>', null, null],
    ['12 pause( <unfinished ...>', 12, null],
  ])('prefix of %s', (line, tid, time) => {
    expect(parseTraceLine(line)).toEqual({ kind: 'unfinished', name: 'pause', text: 'pause(', tid, time });
  });
});

describe('recorded and written runs', () => {
  it('reads calls that never return, and who was attached', () => {
    const { detail, summary, attached } = dataOf('6.1-blocked');
    expect(detail.calls.map((call) => [call.name, call.result])).toEqual([
      [expect.any(String), null],
      [expect.any(String), null],
      [expect.any(String), null],
      [expect.any(String), null],
      [expect.any(String), null],
    ]);
    expect(detail.calls.map((call) => call.name).sort()).toEqual([
      'clock_nanosleep',
      'futex',
      'recvfrom',
      'recvfrom',
      'restart_syscall',
    ]);
    expect(detail.calls.find((call) => call.name === 'recvfrom')?.args).toMatch(/^\d<socket:\[\d+\]>,/);
    expect(detail.seconds).toBeGreaterThan(0.4);
    expect(detail.cut).toBe(false);
    expect(summary.calls).toEqual([]);
    expect(attached).toEqual(detail.calls.map((call) => call.tid).sort((a, b) => a - b));
  });

  it('reads a cut detail and the count that followed', () => {
    const { detail, summary } = dataOf('6.1-busy');
    expect(detail.cut).toBe(true);
    expect(detail.calls).toHaveLength(300);
    expect(detail.calls[0]).toMatchObject({ time: 0, name: 'read', result: '1', errno: null, at: 3 });
    const read = summary.calls.find((row) => row.name === 'read');
    expect(read?.calls).toBeGreaterThan(500);
    expect(lineOf('6.1-busy', read?.at ?? 0)).toMatch(/ read$/);
    expect(summary.seconds).toBeGreaterThanOrEqual(0.3);
  });

  it('reads silence as no calls, with the thread that was attached', () => {
    const parsed = parseFixture(strace, '6.1-silent');
    expect(parsed).toMatchObject({
      ok: true,
      data: { summary: { calls: [] }, detail: { calls: [], signals: [], cut: false }, attached: [expect.any(Number)] },
      partly: [],
    });
  });

  it('keeps names that look like results apart from results', () => {
    const { detail, summary } = dataOf('6.1-mixed');
    const flock = detail.calls.find((call) => call.name === 'flock');
    expect(flock).toMatchObject({ result: '-1', errno: 'EAGAIN' });
    expect(flock?.args).toMatch(/LOCK_EX\|LOCK_NB$/);
    const opened = detail.calls.find((call) => call.name === 'openat' && call.errno === null && call.result !== null);
    expect(opened?.result).toMatch(/^7<\/srv\/app\/odd /);
    expect(summary.calls.find((row) => row.name === 'flock')).toMatchObject({ errors: expect.any(Number) });
    const wait = detail.calls.find((call) => call.name === 'wait4');
    expect(wait?.result).toMatch(/^\d+$/);
    expect(lineOf('6.1-mixed', wait?.at ?? 0)).toContain('wait4(');
    const write = detail.calls.find((call) => call.name === 'write');
    expect(write).toMatchObject({ args: '5<pipe:[51403]>, "x ) = 5\\n\\"quoted\\"\\n", 17', result: '17' });
  });

  it('reads signals with their sender', () => {
    const { signals } = dataOf('6.1-mixed').detail;
    const user = signals.find((signal) => signal.signal === 'SIGUSR1');
    expect(user).toMatchObject({ code: 'SI_USER', pid: 25099, tid: 24931 });
    expect(signals.some((signal) => signal.signal === 'SIGCHLD' && signal.code === 'CLD_EXITED')).toBe(true);
    expect(lineOf('6.1-mixed', user?.at ?? 0)).toContain('si_pid=25099');
  });

  it('reads the end of a process', () => {
    expect(dataOf('6.1-exits').detail.calls.at(-1)).toMatchObject({ name: 'exit_group', result: '?' });
    const killed = dataOf('6.1-killed').detail;
    expect(killed.signals).toMatchObject([{ signal: 'SIGKILL', code: null, pid: null }]);
    expect(killed.calls).toMatchObject([{ name: 'clock_nanosleep', result: '?' }]);
    expect(killed.calls[0]?.args).not.toContain('unfinished');
  });

  it('reads strace 4.5', () => {
    const { detail, attached } = dataOf('4.5-signals');
    expect(attached).toEqual([812, 813, 814]);
    expect(detail.signals).toEqual([
      { tid: 812, time: expect.closeTo(0.750251, 5), signal: 'SIGTERM', code: null, pid: null, at: 9 },
    ]);
    expect(detail.calls.map((call) => [call.tid, call.name, call.result, call.errno])).toEqual([
      [814, 'recvfrom', '26', null],
      [812, 'restart_syscall', '0', null],
      [813, 'futex', null, null],
      [812, 'open', '-1', 'EEXIST'],
      [812, 'select', '?', 'ERESTARTNOHAND'],
      [812, 'rt_sigreturn', '-1', 'EINTR'],
    ]);
    expect(detail.calls[0]?.args).toBe('7, "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", 4096, 0, NULL, NULL');
    expect(detail.seconds).toBe(3.01);
  });

  it('adds the tables of two personalities', () => {
    const { summary, detail } = dataOf('4.24-counted');
    expect(summary).toEqual({
      seconds: 0.31,
      calls: [
        { name: 'recvfrom', calls: 3000, errors: 0, seconds: 0.12, at: 11 },
        { name: 'epoll_ctl', calls: 110, errors: 101, seconds: expect.closeTo(0.0015, 6), at: 12 },
      ],
    });
    expect(detail.calls.map((call) => call.result)).toEqual(['0', '0', '0']);
  });

  it('reads what a person typed, across midnight', () => {
    const { detail, attached } = dataOf('5.5-by-hand');
    expect(attached).toEqual([31]);
    expect(detail.calls.map((call) => [call.tid, call.name, call.result, call.errno])).toEqual([
      [31, 'poll', '0 (Timeout)', null],
      [40, 'read', '?', 'ERESTART_RESTARTBLOCK'],
      // The trace saw what was interrupted, so the restart carries its name.
      [40, 'read', '-1', 'EAGAIN'],
      [40, 'ioctl', '0', null],
      [40, 'mmap', '0x7f12', null],
      [40, 'exit', '?', null],
      [31, 'write', '7', null],
      [31, '???', null, null],
    ]);
    expect(detail.calls.at(-1)?.time).toBeCloseTo(1.11, 5);
    expect(detail.signals.map((signal) => [signal.signal, signal.code, signal.pid])).toEqual([
      ['SIGUSR2', 'SI_TKILL', 31],
      ['SIGKILL', null, null],
    ]);
  });

  it.each([
    ['6.1-no-permission', 'no-permission', /ptrace_scope/],
    ['6.1-already-traced', 'failed', /already traced by process 25543/],
    ['6.1-gone', 'target-gone', /4194000/],
    ['no-strace', 'missing-tool', /not installed/],
  ])('%s is no observation', (name, reason, why) => {
    expect(parseFixture(strace, name)).toEqual({ ok: false, reason, why: expect.stringMatching(why) });
  });

  it('says so when the trace was broken off', () => {
    const { evidence, capture } = loadFixture('strace', '6.1-mixed');
    const half = evidenceFrom('strace', evidence.stdout.subarray(0, 4000), { end: 'timed-out', exit: null });
    const parsed = strace.parse(half, fixtureStep(capture));
    expect(parsed).toMatchObject({ ok: true, partly: [expect.stringMatching(/broken off/)] });
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(strace));
});
