import { describe, expect, it } from 'vitest';
import { readNativeName, readPythonFrame } from '../../../playbooks/probes/py-bt.parse.ts';
import { type PyBtData, pyBt } from '../../../playbooks/probes/py-bt.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';

/** Name, line and signal of each Python frame, thread by thread. */
const frames = (data: PyBtData): [string, number, number | null][][] =>
  data.threads.map((thread) => thread.frames.map((frame) => [frame.function, frame.line, frame.signal]));

const seen = (name: string): { data: PyBtData; partly: readonly string[] } => {
  const parsed = parseFixture(pyBt, name);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
  return { data: parsed.data, partly: parsed.partly ?? [] };
};

describe('one line', () => {
  it.each([
    ['    File "/a/b.py", line 7, in A.f [def line 3]', ['/a/b.py', 7, 'A.f', 3, null]],
    ['    File "/a/b.py", line ?, in f [def line 3] [signal 15]', ['/a/b.py', 0, 'f', 3, 15]],
    [
      '    File "a\\"b\\n\\x07\\u2028\\\\.py", line 1, in <listcomp> [def line 1]',
      ['a"b\n\x07\u2028\\.py', 1, '<listcomp>', 1, null],
    ],
    // What py-bt itself prints, with and without arguments.
    [
      '  File "/usr/lib/python3.11/selectors.py", line 468, in select',
      ['/usr/lib/python3.11/selectors.py', 468, 'select', 0, null],
    ],
    ['  File "x.py", line 9, in on_term (signum=15, frame=<frame at remote 0x7f12>)', ['x.py', 9, 'on_term', 0, 15]],
    [
      '#4 Frame 0x1b2c, for file /app/a b.py, line 12, in handle (self=<A at remote 0x1>, n=10, f=Frame 0x1a, for file x, line 1, in main ())',
      ['/app/a b.py', 12, 'handle', 0, 10],
    ],
    [
      '#9 Frame 0x1b2c, for file t.py, line 647, in run (part_num=2, consumer=<Consumer(x=1) at remote 0x2>)',
      ['t.py', 647, 'run', 0, null],
    ],
  ] as const)('%s', (line, [file, at, name, firstLine, signal]) => {
    expect(readPythonFrame(line)).toEqual({ file, line: at, function: name, firstLine, signal });
    expect(readNativeName(line)).toBeNull();
  });

  it.each([
    'Traceback (most recent call first):',
    '    for line in lines: File "x", line 1, in f',
    '        text = \'    File "x.py", line 1, in f [def line 1]\'',
    '  (unable to read python frame information)',
    '  File "unfinished.py, line 1, in f',
  ])('is no frame: %s', (line) => {
    expect(readPythonFrame(line)).toBeNull();
  });

  it.each([
    ['#3  0x00000000004ce7c3 PyThread_acquire_lock_timed', 'PyThread_acquire_lock_timed'],
    ['#12 0x00007f9dc4b8bf16 in recv@@GLIBC_2.2.5 (fd=3) at recv.c:28', 'recv'],
    ['#0  select_poll_poll.lto_priv.0 (self=0x1) at ./Modules/selectmodule.c:640', 'select_poll_poll'],
    ['#7  0x00007f9dc4b8bf16 in ?? () from /lib/libc.so.6', '??'],
    ['TID 12:', null],
  ])('%s', (line, name) => {
    expect(readNativeName(line)).toBe(name);
  });
});

describe('recorded and written runs', () => {
  const versions = fixtureNames('py-bt').filter((name) => name.startsWith('gdb-13-python-'));

  it.each(versions)('reads Python frames, handlers and odd names: %s', (name) => {
    const { data, partly } = seen(name);
    expect(partly).toEqual([]);
    expect(data.pythonFrames).toBe(true);
    expect(data.stoppedMs).toBeGreaterThan(0);
    const qualified = /-3\.1[123]/.test(name) ? 'Journal.' : '';
    expect(frames(data)[0]).toEqual([
      [`${qualified}write`, 10, null],
      [`${qualified}on_term`, 15, 15],
      [`${qualified}write`, expect.toSatisfy((line: number) => line === 11), null],
      ['<module>', 30, null],
    ]);
    const odd = data.threads[1]?.frames.find((frame) => frame.function === 'wait_here');
    expect(odd).toMatchObject({
      file: '/srv/app/ä "x"\nTID 1:\n    File "forged.py", line 1, in forged [def line 1].py',
      line: 3,
      firstLine: 1,
    });
    expect(data.threads).toHaveLength(2);
    expect(data.threads[1]?.frames.some((frame) => frame.file === 'forged.py')).toBe(false);
    const names = data.threads[0]?.native.map((frame) => frame.function);
    expect(names).toEqual(expect.arrayContaining([expect.stringMatching(/^PyThread_acquire_lock/)]));
    const line = data.threads[0]?.frames[1]?.at ?? 0;
    const text = Buffer.from(loadFixture('py-bt', name).evidence.stdout).toString().split('\n')[line - 1];
    expect(text).toMatch(/ line 15, in .*on_term .*\[signal 15\]$/);
  });

  it('takes local variables for no frames', () => {
    expect(frames(seen('gdb-13-python-3.11.2-locals').data)).toEqual(frames(seen('gdb-13-python-3.11.2-debian').data));
  });

  it.each([
    ['gdb-13-no-debug-information', /no debug information/],
    ['gdb-13-no-helper', /helper for Python is missing/],
  ])('%s has C frames only', (name, why) => {
    const { data, partly } = seen(name);
    expect(data.pythonFrames).toBe(false);
    expect(data.threads[0]?.native.map((frame) => frame.function)).toContain('_PyEval_EvalFrameDefault');
    expect(partly).toEqual([expect.stringMatching(why)]);
  });

  it.each([
    ['no-gdb', 'missing-tool', /gdb is not installed/],
    ['no-permission', 'no-permission', /root/],
    ['already-traced', 'failed', /already traced by process \d+/],
    ['gone', 'target-gone', /had ended/],
  ])('%s is no observation', (name, reason, why) => {
    expect(parseFixture(pyBt, name)).toEqual({ ok: false, reason, why: expect.stringMatching(why) });
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(pyBt));
});
