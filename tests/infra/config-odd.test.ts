import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../infra/config.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'straceback-odd-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What is said of a file, without where it is; empty when it will do. */
const said = (file: string): string => {
  try {
    readConfig(file, { HOME: folder, USER: 'op' });
    return '';
  } catch (error) {
    return error instanceof Error ? error.message.replaceAll(`${folder}/`, '') : '';
  }
};

const saidOf = async (content: string | Buffer): Promise<string> => {
  const file = join(folder, 's.yaml');
  await writeFile(file, content);
  return said(file);
};

const NO_TEXT = 's.yaml: is no text in UTF-8; save it as such, or see whether it is the right file';
const NO_SETTINGS = 's.yaml: holds no settings; each is a line NAME: VALUE, as in straceback.example.yaml';

test.each<[string, string | Buffer, string]>([
  ['nothing', '', ''],
  ['comments alone', '# slack: {}\n', ''],
  ['sections with nothing in them', 'slack:\nhosts:\npolicy: ~\n', ''],
  ['a byte order mark and lines of Windows', '\ufeffslack:\r\n  mode: http\r\n', ''],
  ['anchors that are used', 'hostDefaults: &d {identityFile: k}\nhostRules: [{match: "a-*", <<: *d}]\n', ''],
  ['a key twice', 'slack: {}\nslack: {}\n', 's.yaml:2: Map keys must be unique'],
  ['a tab', 'slack:\n\tmode: http\n', 's.yaml:2: Tabs are not allowed as indentation'],
  ['two documents', 'slack: {}\n---\nslack: {}\n', 's.yaml:2: a second document begins (---); there can be one only'],
  ['a word', 'straceback\n', NO_SETTINGS],
  ['a list', '- slack\n', NO_SETTINGS],
  ['bytes of a program', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]), NO_TEXT],
  ['Latin-1', Buffer.from('dataFolder: Stra\xdfe\n', 'latin1'), NO_TEXT],
  ['UTF-16', Buffer.from('\ufeffslack: {}\n', 'utf16le'), NO_TEXT],
  ['an alias of nothing', 'hosts: *gone\n', 's.yaml:1: an alias cannot be used: Unresolved alias'],
  ['a key that prints', '"sl\\eack": 1\n', 's.yaml:1: sl?ack: there is no such setting; did you mean slack?'],
  ['more than anybody writes', '#'.repeat((4 << 20) + 1), 's.yaml: is larger than 4 MiB; that is no configuration'],
])('a configuration of %s', async (_, content, expected) => {
  const found = await saidOf(content);
  if (expected === '') expect(found).toBe('');
  else expect(found.startsWith(expected), found).toBe(true);
});

test('a file that is none, or that never ends, is told; what a shell hands over as a file is read', async () => {
  await mkdir(join(folder, 'sub'));
  expect(said(join(folder, 'sub'))).toBe('sub: is a folder; give the file in it');
  expect(said(join(folder, 'none.yaml'))).toContain('is not there (ENOENT); give its path by --config');
  expect(said('/dev/zero')).toContain('is larger than 4 MiB');
  const pipe = join(folder, 'pipe');
  await promisify(execFile)('mkfifo', [pipe]);
  const written = promisify(execFile)('sh', ['-c', 'echo "slak: {}" > "$1"', 'sh', pipe]);
  expect(said(pipe)).toContain('pipe:1: slak: there is no such setting; did you mean slack?');
  await written;
});

test('one mistake in a thousand hosts is told two hundred times', async () => {
  const hosts = Array.from({ length: 1_000 }, (_, index) => `  - {name: h${index}, adress: x, identityFile: k}`);
  const lines = (await saidOf(`hosts:\n${hosts.join('\n')}\n`)).split('\n');
  expect(lines).toHaveLength(201);
  expect(lines.at(-1)).toMatch(/^and \d+ faults more$/);
});
