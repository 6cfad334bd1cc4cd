import {
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { logLines } from '../../../playbooks/probes/log-lines.ts';
import { logTail } from '../../../playbooks/probes/log-tail.ts';
import { endProcesses, type LiveProcess, startProcess, startPython } from '../../support/live-process.ts';
import { runProbe } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const folders: string[] = [];
const pids: number[] = [];
afterEach(async () => {
  await endProcesses();
  for (const pid of pids.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended with what read its output.
    }
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const newFolder = (): string => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'log-pipes-test-')));
  folders.push(folder);
  return folder;
};

/** Writes bytes to its standard output, then its pid as a line, and stays; its standard input ends it. */
const WRITER = `
import os, sys
os.write(1, bytes.fromhex(sys.argv[1])); os.write(1, b'\\npid %d\\n' % os.getpid())
sys.stdin.read()
`;

const pidOf = async (live: LiveProcess): Promise<number> => {
  const pid = Number((await live.line(/^pid \d+$/)).slice(4));
  pids.push(pid);
  return pid;
};

/** A process whose output goes into what a shell's pipeline says; \`$1\` in it is the file. */
const piped = async (pipeline: string, bytes: Uint8Array | string, file: string): Promise<number> => {
  const begin = `/usr/bin/python3 -u -c "$2" "$3" 2>&1 <&3 |`;
  const hex = Buffer.from(bytes).toString('hex');
  return pidOf(await startProcess('bash', ['-c', `exec 3<&0; ${begin} ${pipeline}`, 'bash', file, WRITER, hex]));
};

const look = async (pid: number) => {
  const before = await processState(pid);
  const [tail, lines] = [await runProbe(logTail, { pid }), await runProbe(logLines, { pid })];
  await expectUnhurt(pid, before);
  if (!tail.parsed.ok || !lines.parsed.ok) throw new Error(Buffer.from(tail.evidence.stderr).toString());
  return {
    ...tail.parsed.data,
    partly: tail.parsed.partly?.join('; ') ?? '',
    logs: lines.parsed.data.logs,
    complaints: Buffer.from(lines.evidence.stderr).toString() + Buffer.from(tail.evidence.stderr).toString(),
  };
};

const TROUBLE = 'OSError: [Errno 24] Too many open files';

it('a pipe is followed through several processes to the file that the last one writes', async () => {
  const file = path.join(newFolder(), 'a "b"\n.log');
  const pid = await piped('cat | tee -a "$1"', TROUBLE, file);
  const data = await look(pid);
  expect(data.files).toMatchObject([{ path: file, fds: [1, 2], through: { format: null } }]);
  expect(data.files[0]?.through?.command).toMatch(/^tee -a /);
  expect(data.lines.map(({ kind, text }) => [kind, text])).toEqual([['files', TROUBLE]]);
  expect(data.elsewhere).toBe(false);
});

/** Starts a child for each name with a pipe to itself, with a log for each beside its own, and tells the child's pid. */
const SUPERVISOR = `
import os, subprocess, sys, threading
folder, told, names = sys.argv[1], sys.argv[2] == 'told', sys.argv[3:]
own = open(os.path.join(folder, 'supervisor.log'), 'ab', buffering=0); own.write(b'No space left on device\\n')
logs = {}
for name in names:
    logs[name] = open(os.path.join(folder, name + '-stdout.log'), 'ab', buffering=0)
    environment = dict(os.environ, **({'SUPERVISOR_PROCESS_NAME': name} if told else {}))
    child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    threading.Thread(target=child.stdout.read, daemon=True).start()
    logs[name].write(b'${TROUBLE} of ' + name.encode() + b'\\n')
    print('child', name, child.pid, flush=True)
print('ready', flush=True)
sys.stdin.read()
`;

const supervised = async (told: boolean, ...names: readonly string[]) => {
  const folder = newFolder();
  const live = await startProcess('/usr/bin/python3', ['-u', '-c', SUPERVISOR, folder, told ? 'told' : '', ...names]);
  const line = await live.line(/^child web/);
  pids.push(Number(line.split(' ')[2]));
  await live.line(/^ready/);
  return { pid: Number(line.split(' ')[2]), folder };
};

describe('of a process that reads for many', () => {
  it('only the log that is named after this one is taken', async () => {
    const { pid, folder } = await supervised(true, 'web', 'webshop', 'db');
    const data = await look(pid);
    expect(data.files.map((file) => file.path)).toEqual([path.join(folder, 'web-stdout.log')]);
    expect(data.lines.map(({ text }) => text)).toEqual([`${TROUBLE} of web`]);
  });

  it('nothing is taken where nothing says whose a log is', async () => {
    const { pid } = await supervised(false, 'web', 'db');
    const data = await look(pid);
    expect(data.files).toEqual([]);
    expect(data.lines).toEqual([]);
    expect(data.elsewhere).toBe(true);
    expect(data.partly).toMatch(/which has 3 logs open and reads for others too/);
  });

  it('all of its logs are where it has no other to read for', async () => {
    const { pid, folder } = await supervised(false, 'web');
    const data = await look(pid);
    expect(data.files.map((file) => path.basename(file.path)).sort()).toEqual(['supervisor.log', 'web-stdout.log']);
    expect(data.files[0]?.path.startsWith(folder)).toBe(true);
  });
});

/** A child whose output its parent reads, which has these logs open; the child's pid. */
const parented = async (...files: readonly string[]): Promise<number> => {
  const live = await startPython(
    `import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
logs = [open(each, 'ab') for each in sys.argv[1:]]
print('ready'); sys.stdin.read()`,
    files,
  );
  return Number(readFileSync(`/proc/${live.pid}/task/${live.pid}/children`, 'utf8').trim());
};

it('a reader that has no log is named', async () => {
  const data = await look(await parented());
  expect(data.files).toEqual([]);
  expect(data.elsewhere).toBe(true);
  expect(data.partly).toMatch(
    /was not all seen: it is read by process \d+ \(.*python3 .*\), which has no log file open/s,
  );
});

describe('a log that was turned over', () => {
  const entry = (text: string) =>
    JSON.stringify({ log: `${text}\n`, stream: 'stderr', time: '2024-05-01T12:00:03.5Z' });
  const started = async (before: (file: string) => void) => {
    const file = path.join(newFolder(), 'app.log');
    before(`${file}.1`);
    writeFileSync(file, `${entry('now')}\n`);
    return { pid: await parented(file), file };
  };

  it('is read from what it was before too', async () => {
    const { pid, file } = await started((old) => writeFileSync(old, `${entry(TROUBLE)}\n`));
    const data = await look(pid);
    expect(data.files.map((each) => each.path).sort()).toEqual([file, `${file}.1`]);
    expect(data.files[0]?.through?.format).toBe('json-file');
    expect(data.lines).toMatchObject([{ kind: 'files', stream: 'stderr', text: TROUBLE, time: 1714564803 }]);
  });

  it.each([
    ['a link', symlinkSync],
    ['another name', linkSync],
  ] as const)('but not where that is %s of a file of the host', async (_, link) => {
    const secret = path.join(newFolder(), 'secret');
    writeFileSync(secret, `${entry(TROUBLE)}\n`);
    const { pid, file } = await started((old) => link(secret, old));
    const data = await look(pid);
    expect(data.files.map((each) => each.path)).toEqual([file]);
    expect(data.lines).toEqual([]);
  });
});

/** A message of docker's local driver between its lengths. */
const message = (body: Buffer): Buffer => {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length);
  return Buffer.concat([size, body, size]);
};

describe('what looks like a format and is broken', () => {
  const json = (text: string, stream = 'stdout') =>
    `{"log":"${text}","stream":"${stream}","time":"2024-05-01T12:00:03Z"}\n`;
  const cri = (tag: string, text: string, stream = 'stdout') =>
    `2024-05-01T12:00:03.123456789+02:00 ${stream} ${tag} ${text}\n`;
  it.each([
    ['json without a character', json('a\\ud800\\n').repeat(3), 'json-file', ['a?', 'a?', 'a?']],
    [
      'json with other lines',
      `${json('a\\n').repeat(3)}${'['.repeat(100_000)}\nnull\n{"log":1}\n`,
      'json-file',
      ['a', 'a', 'a'],
    ],
    [
      'parts of both streams',
      json('a ') + json('E\\n', 'stderr') + json('b\\n') + json('c'),
      'json-file',
      ['a b', 'E', 'c'],
    ],
    [
      'parts on a node',
      cri('F', 'x') + cri('P', 'a ') + cri('F', 'E', 'stderr') + cri('F:t', 'b'),
      'cri',
      ['x', 'a b', 'E'],
    ],
    ['times that are none', '2024-99-99T99:99:99Z stdout F x\n'.repeat(3), 'cri', ['x', 'x', 'x']],
  ] as const)('%s', async (what, bytes, format, texts) => {
    const file = path.join(newFolder(), 'x.log');
    writeFileSync(file, bytes);
    const data = await look(await parented(file));
    expect(data.complaints).toBe('');
    expect(data.files[0]?.through?.format).toBe(format);
    expect(data.logs[0]?.shown.map(({ text }) => text)).toEqual(texts);
    if (what.endsWith('other lines')) expect(data.partly).toContain('3 lines that are not of the format of file 1');
  });

  it.each([
    ['a message that is none', message(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]))],
    ['a number without an end', message(Buffer.alloc(40, 0xff))],
    ['a length beyond the file', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['messages of nothing', Buffer.alloc(4000)],
  ])('%s is not read as a log of docker', async (_, bytes) => {
    const file = path.join(newFolder(), 'x.log');
    writeFileSync(file, bytes);
    const data = await look(await parented(file));
    expect(data.complaints).toBe('');
    expect(data.files).toMatchObject([{ path: file, through: { format: null } }]);
    expect(data.lines).toEqual([]);
  });
});

it('a journal that does not come to its end is read as far as it came, and asked for who reads the output', async () => {
  const folder = newFolder();
  const journalctl = path.join(folder, 'journalctl');
  writeFileSync(
    journalctl,
    '#!/bin/sh\necho "1714564803.500000 web app[7]: MemoryError $*"\necho $$ >"$0.pid"\nexec tail -f /dev/null\n',
    { mode: 0o755 },
  );
  const pid = await parented();
  const { parsed } = await runProbe(logTail, { pid, known: { tools: { journalctl } } });
  const told = readFileSync(`${journalctl}.pid`, 'utf8').trim();
  expect(existsSync(`/proc/${told}`)).toBe(false);
  const reader = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^PPid:\t(\d+)$/m)?.[1];
  expect(parsed).toMatchObject({
    ok: true,
    data: {
      journal: { unit: `_PID=${reader}` },
      lines: [
        { file: null, kind: 'memory', time: 1714564803, text: expect.stringContaining(`-n 2000 _PID=${reader}`) },
      ],
    },
  });
});
