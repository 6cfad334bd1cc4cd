import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeConnections, type HostShell } from '../../../workers/ssh/shell.ts';
import { endProcesses, startPython, stateOf } from '../../support/live-process.ts';
import { folderOf, step, waysToAShell } from '../../support/shells.ts';
import { endSshd } from '../../support/sshd.ts';
import { processState } from '../../support/unhurt.ts';
import { until } from '../../support/until.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Ended; its entry may wait a while for whoever inherited it. */
const isGone = (pid: number): boolean => 'ZX'.includes(stateOf(pid) ?? 'X');

const PRINT_ARGV = 'import os, sys; sys.stdout.buffer.write(b"\\0".join(os.fsencode(a) for a in sys.argv[1:]))';

const HOSTILE = [
  '',
  ' ',
  '-n',
  '--',
  "it's",
  "''",
  '"double"',
  '$HOME $(id) `id`',
  '\\',
  '\\n',
  'a\nb\n',
  '\r\t\v\f',
  '*?[a-z]',
  '~root',
  '!!',
  '#; & | < > ( ) { }',
  '\u0001\u0002\u001b[31m\u007f\u0080\u0081\u0088\u009b',
  'ünïcödé 😀 \u202e',
  `${'long'.repeat(20_000)}`,
];

describe.each(waysToAShell)('a step through %s', (name, open) => {
  let shell: HostShell;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'straceback-steps-'));
    shell = await open();
  });

  afterAll(async () => {
    await shell?.close();
    await closeConnections();
    await endSshd();
    await endProcesses();
    rmSync(folder, { recursive: true, force: true });
  });

  test('gets every hostile argument as it is', async () => {
    const result = await shell.run(step(['python3', '-c', PRINT_ARGV, ...HOSTILE]));
    expect(text(result.stderr)).toBe('');
    expect(text(result.stdout).split('\0')).toEqual(HOSTILE);
    expect(result).toMatchObject({ end: 'exited', exit: 0, dropped: 0 });
  });

  test('brings back every byte of both streams, and the exit status', async () => {
    const write =
      'import sys; b = bytes(range(256)); sys.stdout.buffer.write(b * 40); sys.stderr.buffer.write(b[::-1]); sys.exit(7)';
    const result = await shell.run(step(['python3', '-c', write]));
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    expect(Buffer.from(result.stdout).equals(Buffer.concat(Array.from({ length: 40 }, () => every)))).toBe(true);
    expect(Buffer.from(result.stderr).equals(Buffer.from(every).reverse())).toBe(true);
    expect(result).toMatchObject({ end: 'exited', exit: 7, dropped: 0 });
  });

  test('keeps the first bytes of 100 MB, counts the rest, and lets the tool finish', async () => {
    const write =
      'import sys\nfor _ in range(100): sys.stdout.buffer.write(b"x" * 1000000)\nprint("done", file=sys.stderr)';
    const result = await shell.run(step(['python3', '-c', write], { bytes: 70_000 }));
    expect(text(result.stderr)).toBe('done\n');
    expect(Buffer.from(result.stdout).equals(Buffer.alloc(70_000, 'x'))).toBe(true);
    // busybox's head reads ahead, so what it had read already is not in the count.
    expect(result.dropped).toBeLessThanOrEqual(100_000_000 - 70_000);
    expect(result.dropped).toBeGreaterThanOrEqual(100_000_000 - 70_000 - (name === 'busybox' ? 65_536 : 0));
  });

  test('says that something was dropped when a single byte was, and not when none was', async () => {
    const [exact, more] = await Promise.all([
      shell.run(step(['printf', '123456'], { bytes: 7 })),
      shell.run(step(['printf', '12345678'], { bytes: 7 })),
    ]);
    expect(exact).toMatchObject({ dropped: 0 });
    expect(text(more.stdout)).toBe('1234567');
    expect(more.dropped).toBe(1);
  });

  test('runs beside the others: two that wait for each other both end', async () => {
    const pipe = join(folder, 'meet');
    execFileSync('mkfifo', [pipe]);
    const [reader, writer] = await Promise.all([
      shell.run(step(['cat', pipe])),
      shell.run(step(['sh', '-c', 'echo met >"$1"', 'sh', pipe])),
    ]);
    expect(text(reader.stdout)).toBe('met\n');
    expect(writer.exit).toBe(0);
  });

  test('that ptraces runs alone, in the order in which it was given', async () => {
    const log = join(folder, 'turns');
    const twice = 'echo "$1" >>"$2"; sleep 0.1; echo "$1" >>"$2"';
    const turns = ['a', 'b', 'c'].map((turn) =>
      shell.run(step(['sh', '-c', twice, 'sh', turn, log], { ptraces: true })),
    );
    await Promise.all(turns);
    expect(readFileSync(log, 'utf8').split('\n')).toEqual(['a', 'a', 'b', 'b', 'c', 'c', '']);
  });

  test('is ended at its time limit with all that it started', async () => {
    const pids = 'sleep 60 & echo $! $$; wait';
    const result = await shell.run(step(['sh', '-c', pids], { seconds: 1 }));
    expect(result).toMatchObject({ end: 'timed-out', exit: null });
    expect(result.seconds).toBeGreaterThanOrEqual(0.98);
    for (const pid of text(result.stdout).trim().split(' ').map(Number)) {
      expect(pid).toBeGreaterThan(1);
      await until(`process ${pid} has ended`, () => isGone(pid));
    }
  });

  test('that does not end when it is asked to is killed two seconds later', async () => {
    const deaf =
      'import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(60)';
    const result = await shell.run(step(['python3', '-c', deaf], { seconds: 1 }));
    expect(result).toMatchObject({ end: 'timed-out', exit: null });
    await until('the tool has ended', () => isGone(Number(text(result.stdout))));
  });

  test('that must be killed is killed at once', async () => {
    const deaf =
      'import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(60)';
    const result = await shell.run(step(['python3', '-c', deaf], { seconds: 1, endWith: 'KILL' }));
    expect(result).toMatchObject({ end: 'timed-out', exit: null });
    await until('the tool has ended', () => isGone(Number(text(result.stdout))));
  });

  test('leaves nobody behind in its group when the tool itself ends', async () => {
    const result = await shell.run(step(['sh', '-c', 'sleep 60 & echo $!']));
    expect(result).toMatchObject({ end: 'exited', exit: 0 });
    await until('the left behind has ended', () => isGone(Number(text(result.stdout))));
  });

  test('runs for the process that was meant, whatever its name is', async () => {
    const rename = `
import ctypes, sys
ctypes.CDLL(None).prctl(15, b") T 1 (\\n\\x81 0", 0, 0, 0)
print("ready")
sys.stdin.read()`;
    const target = await startPython(rename);
    const { startTime } = await processState(target.pid);
    const result = await shell.run(step(['echo', 'ran'], { target: { pid: target.pid, startTime } }));
    expect(result).toMatchObject({ end: 'exited', exit: 0 });
    expect(text(result.stdout)).toBe('ran\n');
  });

  test('does not run for another process with the same pid, nor for one that is gone', async () => {
    const target = await startPython('print("ready"); input()');
    const { startTime } = await processState(target.pid);
    const file = join(folder, 'touched');
    const reused = { pid: target.pid, startTime: `${BigInt(startTime) + 1n}` };
    const gone = { pid: 4_194_300, startTime: '5' };
    for (const changes of [{ target: reused }, { target: gone }, { target: gone, ptraces: true }]) {
      const result = await shell.run(step(['touch', file], changes));
      expect(result).toMatchObject({ end: 'target-gone', exit: null });
    }
    expect(existsSync(file)).toBe(false);
  });

  test('whose command is not there says so', async () => {
    const result = await shell.run(step(['no-such-command-anywhere']));
    expect(result).toMatchObject({ end: 'exited', exit: 127 });
    expect(text(result.stderr)).toContain('no-such-command-anywhere');
  });

  test('has an empty standard input', async () => {
    expect(text((await shell.run(step(['cat']))).stdout)).toBe('');
  });

  test('carries its scripts, each once', async () => {
    const content = `import sys\n# ${'\'"$`\\ ünï\u0081 '}\nsys.stdout.write(__file__ + " " + sys.argv[1])\n`;
    const scripts = [{ name: 'a-b.py', content }];
    const runs = ['one', 'two'].map((word) => shell.run(step(['python3', '{script:a-b.py}', word], { scripts })));
    const [one, two] = await Promise.all(runs);
    expect(text(one?.stderr ?? new Uint8Array())).toBe('');
    const [path, word] = text(one?.stdout ?? new Uint8Array()).split(' ');
    expect(word).toBe('one');
    expect(text(two?.stdout ?? new Uint8Array())).toBe(`${path} two`);
    const sent = await shell.run(step(['cat', path ?? '']));
    expect(text(sent.stdout)).toBe(content);
    const other = await shell.run(
      step(['cat', '{script:a-b.py}'], { scripts: [{ name: 'a-b.py', content: 'other' }] }),
    );
    expect(text(other.stdout)).toBe('other');
  });

  test('can be cancelled, while it runs and before its turn', async () => {
    const log = join(folder, 'cancelled');
    const wait = 'echo started >>"$1"; sleep 60; echo ended >>"$1"';
    const running = shell.run(step(['sh', '-c', wait, 'sh', log], { id: 'first', ptraces: true }));
    const queued = shell.run(step(['sh', '-c', 'echo queued >>"$1"', 'sh', log], { id: 'second', ptraces: true }));
    await until('the step runs', () => existsSync(log));
    shell.cancel('second');
    shell.cancel('first');
    shell.cancel('no such step');
    expect(await running).toMatchObject({ end: 'exited', exit: 143 });
    expect(await queued).toMatchObject({ end: 'exited', exit: 143 });
    expect(readFileSync(log, 'utf8')).toBe('started\n');
  });

  test('works in a private folder', async () => {
    const result = await shell.run(step(['stat', '-c', '%a %u', '.']));
    expect(text(result.stdout).trim()).toBe(`700 ${process.getuid?.()}`);
    expect(text((await shell.run(step(['pwd']))).stdout).trim()).toBe(await folderOf(shell));
  });

  test('that cannot be written down is refused before it is sent', () => {
    expect(() => shell.run(step(['a\0b']))).toThrow(TypeError);
    expect(() => shell.run(step([]))).toThrow(TypeError);
    expect(() => shell.run(step(['true'], { seconds: Number.NaN }))).toThrow(TypeError);
    expect(() => shell.run(step(['true'], { target: { pid: 1, startTime: '1; id' } }))).toThrow(TypeError);
    expect(() => shell.run(step(['true'], { scripts: [{ name: '../x', content: '' }] }))).toThrow(TypeError);
  });
});

describe.each(waysToAShell)('closing a shell through %s', (_, open) => {
  afterAll(async () => {
    await closeConnections();
    await endSshd();
  });

  test('ends what runs and removes its folder; a later step gets no connection', async () => {
    const shell = await open();
    const folder = await folderOf(shell);
    expect(existsSync(folder)).toBe(true);
    const running = shell.run(step(['sh', '-c', 'echo $$ >pid; sleep 60']));
    const pid = await until('the step runs', () => {
      const file = join(folder, 'pid');
      return existsSync(file) && Number(readFileSync(file, 'utf8'));
    });
    await shell.close();
    expect((await running).end).not.toBe('timed-out');
    expect(isGone(pid)).toBe(true);
    expect(existsSync(folder)).toBe(false);
    expect(await shell.run(step(['true']))).toMatchObject({ end: 'connection-lost', exit: null });
    await shell.close();
  });
});
