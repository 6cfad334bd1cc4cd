import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { AuditUnavailable, openAudit } from '../../infra/audit.ts';
import { printAudit, readAuditArguments } from '../../infra/audit-command.ts';
import { auditText, readAudit } from '../../infra/audit-read.ts';
import { anyText } from '../support/any-text.ts';
import { startProcess } from '../support/queue.ts';

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-audit-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return path.join(folder, 'audit');
};

const entries = async (folder: string, filter = {}) => {
  const all = [];
  for await (const line of readAudit(folder, filter)) all.push(line);
  return all;
};

const NOVEMBER = Date.parse('2026-11-21T12:00:00Z');

test('lines are kept by month, for their owner alone, and only added to', async () => {
  const folder = await newFolder();
  let now = NOVEMBER;
  const audit = openAudit({ folder, side: 'bot', now: () => now });
  await audit.write(
    { event: 'approved', request: 'r-1', user: 'U1', host: 'web-7', pid: 7, impacts: ['stops'] },
    'durable',
  );
  now = Date.parse('2026-12-01T00:00:00Z');
  await audit.write({ event: 'requested', request: 'r-2', host: 'web-8' });
  await openAudit({ folder, side: 'worker', now: () => now }).write({ event: 'look-began', request: 'r-2' });
  expect((await readdir(folder)).sort()).toEqual(['2026-11.jsonl', '2026-12.jsonl']);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(path.join(folder, '2026-12.jsonl'))).mode & 0o777).toBe(0o600);
  expect((await entries(folder)).map((line) => line.ok && [line.entry.event, line.entry.side])).toEqual([
    ['approved', 'bot'],
    ['requested', 'bot'],
    ['look-began', 'worker'],
  ]);
  expect(await entries(folder, { since: now })).toHaveLength(2);
  expect(await entries(folder, { host: 'web-7' })).toHaveLength(1);
  expect(await entries(folder, { user: 'U2' })).toEqual([]);
});

test('whatever is written down stays on its line, in plain letters, without secrets', async () => {
  const folder = await newFolder();
  const audit = openAudit({ folder, side: 'bot', now: () => NOVEMBER });
  const hostile = ['a\nb', '\u001b[2J', '\u009b31m', '\u2028x', '\u202egpj', 'xoxb-123-abc', 'redis://:hunter2@h:6379'];
  for (const outcome of hostile) await audit.write({ event: 'denied', outcome });
  await fc.assert(
    fc.asyncProperty(anyText(), async (outcome) => audit.write({ event: 'denied', outcome, user: outcome })),
    { numRuns: 50 },
  );
  const text = await readFile(path.join(folder, '2026-11.jsonl'), 'utf8');
  const lines = await entries(folder);
  expect(lines.every((line) => line.ok)).toBe(true);
  expect(text.split('\n')).toHaveLength(lines.length + 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  const unprintable = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/;
  expect(text).not.toMatch(unprintable);
  expect(text).not.toMatch(/xoxb-123|hunter2/);
  for (const line of lines) if (line.ok) expect(auditText(line.entry)).not.toMatch(/\n|\p{Cc}/u);
});

test('several processes that write at once do not mix their lines', async () => {
  const folder = await newFolder();
  const writer = path.join(import.meta.dirname, 'audit-writer.ts');
  const count = 60;
  await Promise.all(
    ['one', 'two', 'three'].map(async (name) => {
      const started = startProcess(writer, [folder, name, String(count)]);
      await started.says('written');
      await started.ended;
    }),
  );
  const lines = await entries(folder);
  expect(lines.filter((line) => !line.ok)).toEqual([]);
  const outcomes = lines.map((line) => (line.ok ? (line.entry.outcome ?? '') : ''));
  for (const name of ['one', 'two', 'three']) {
    const own = outcomes.filter((outcome) => outcome.startsWith(`${name} `)).map((outcome) => outcome.split(' ')[1]);
    expect(own).toEqual([...Array(count)].map((_, index) => String(index)));
  }
});

test('a log that cannot be written says so, and never writes through a link', async () => {
  const folder = await newFolder();
  const file = path.join(folder, '..', 'file');
  await writeFile(file, '');
  const audit = openAudit({ folder: path.join(file, 'audit'), side: 'bot' });
  await expect(audit.write({ event: 'requested' })).rejects.toThrow(AuditUnavailable);
  await expect(audit.write({ event: 'requested' })).rejects.toThrow(/cannot be written on the machine that I run on/);

  const linked = openAudit({ folder, side: 'bot', now: () => NOVEMBER });
  await linked.write({ event: 'requested' });
  const month = path.join(folder, '2026-11.jsonl');
  await rm(month);
  await symlink(file, month);
  await expect(linked.write({ event: 'requested' }, 'durable')).rejects.toThrow(AuditUnavailable);
  expect(await readFile(file, 'utf8')).toBe('');
});

test('a full disk is told, and costs no later line', async () => {
  const folder = await newFolder();
  const writer = path.join(import.meta.dirname, 'audit-writer.ts');
  const loader = path.join(import.meta.dirname, '../support/typescript-loader.mjs');
  // 4 KiB is the most that this process may write into a file (prlimit(1)); what is beyond is refused as on a full disk.
  const words = ['--fsize=4096', process.execPath, '--import', loader, writer, folder, 'limited', '100'];
  const { stdout } = await promisify(execFile)('prlimit', words);
  expect(stdout).toMatch(/^refused \d+\n$/);
  await openAudit({ folder, side: 'worker', now: Date.now }).write({ event: 'requested', request: 'after' });
  const lines = await entries(folder);
  const refusedAt = Number(/\d+/.exec(stdout)?.[0]);
  expect(lines.filter((line) => line.ok)).toHaveLength(refusedAt + 1);
  const last = lines.at(-1);
  expect(last?.ok === true && last.entry.request).toBe('after');
  expect(lines.filter((line) => !line.ok).length).toBeLessThan(2);
});

test('the command prints what was asked for, damaged lines named apart', async () => {
  const folder = await newFolder();
  const audit = openAudit({ folder, side: 'bot', now: () => NOVEMBER });
  await audit.write({
    event: 'approved',
    request: 'r-1',
    user: 'U1',
    host: 'web-7',
    pid: 7,
    playbook: 'gcore',
    impacts: ['stops', 'writes-disk'],
    outcome: 'asked by U2',
  });
  const file = path.join(folder, '2026-11.jsonl');
  await chmod(file, 0o600);
  await writeFile(file, `${await readFile(file, 'utf8')}{"at":\n`);
  const said = { out: '', err: '' };
  const to = (where: 'out' | 'err') => (text: string) => {
    said[where] += text;
  };
  const sink = { out: to('out'), err: to('err') };
  expect(await printAudit(folder, { filter: { host: 'web-7' }, json: false }, sink)).toBe(1);
  expect(said.out).toMatch(
    /^2026-11-21 12:00:00 UTC {2}approved {8}U1 {2}web-7 7 {2}gcore {2}\[stops,writes-disk\] {2}asked by U2 {2}\(r-1 bot@.+\)\n$/,
  );
  expect(said.err).toBe('2026-11.jsonl:2: damaged line\n');
  expect(await printAudit(path.join(folder, 'none'), { filter: {}, json: true }, sink)).toBe(0);
  expect(said.err).toContain('No such entries in');
});

test('straceback audit prints the log of the folder that the configuration names', async () => {
  const folder = await newFolder();
  await openAudit({ folder, side: 'worker' }).write({ event: 'look-began', request: 'r-9', host: 'web-7', user: 'U1' });
  const config = path.join(folder, '..', 'straceback.yaml');
  await writeFile(config, 'audit:\n  folder: audit\n');
  const program = path.join(import.meta.dirname, '../../straceback.ts');
  const started = startProcess(program, ['audit', '--since', '1h', '--json', '--config', config]);
  expect(JSON.parse(await started.says('{'))).toMatchObject({ event: 'look-began', request: 'r-9', host: 'web-7' });
  await started.ended;
  expect(started.child.exitCode).toBe(0);
});

test.each([
  [['--since', '2h'], { filter: { since: NOVEMBER - 7_200_000 } }],
  [['--since', '2026-11-01'], { filter: { since: Date.parse('2026-11-01T00:00:00Z') } }],
  [['--since', '2026-11-01T10:30Z', '--host', 'web-7', '--user', 'U1', '--json'], { json: true }],
  [['--since', 'yesterday'], '"yesterday" is no time'],
  [['--since', '2026-13-45'], 'is no time'],
  [['--since'], '--since needs a value'],
  [['--all'], '"--all" is not understood'],
])('%j is read', (words, expected) => {
  const read = readAuditArguments(words, NOVEMBER);
  if (typeof expected === 'string') expect(read).toContain(expected);
  else expect(read).toMatchObject(expected);
});
