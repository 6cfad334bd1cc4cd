import { readdir, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import SSHConfig, { LineType } from 'ssh-config';
import { parse as parseYaml } from 'yaml';
import { HostName } from '../../playbooks/model/index.ts';
import { globMatch } from '../globs.ts';

/** One host of a list: at least a name, and perhaps settings as under `hosts` in the configuration. */
export type HostEntry = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const entriesOf = (value: unknown): HostEntry[] => {
  if (Array.isArray(value)) {
    return value.map((each: unknown) => (isRecord(each) ? each : { name: each }));
  }
  if (isRecord(value) && Array.isArray(value.hosts)) return entriesOf(value.hosts);
  if (isRecord(value)) {
    return Object.entries(value).map(([name, settings]) => ({ ...(isRecord(settings) ? settings : {}), name }));
  }
  throw new Error('it holds no list of hosts');
};

/**
 * Reads a list of hosts: JSON (names, or objects with settings, in an array, under `hosts`, or by name), else lines with a name
 * each; `#` begins a comment. `yaml` reads it as YAML. Throws Error with what is wrong.
 */
export const parseHostList = (text: string, yaml = false): HostEntry[] => {
  if (yaml) return entriesOf(parseYaml(text, { logLevel: 'error' }) ?? []);
  if (/^\s*[[{]/.test(text)) return entriesOf(JSON.parse(text));
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((name) => ({ name }));
};

const MOST_FILES = 100;

/** The files that an Include names: relative to ~/.ssh or, in the system's, to its folder; `*` and `?` only in the last part. */
const included = async (words: readonly string[], from: string): Promise<string[]> => {
  const home = userInfo().homedir;
  const files: string[] = [];
  for (const word of words) {
    const base = from.startsWith('/etc/ssh/') ? '/etc/ssh' : path.join(home, '.ssh');
    const file = path.resolve(base, word.replace(/^~(?=\/)/, home));
    if (!file.includes('*')) {
      files.push(file);
      continue;
    }
    const names = await readdir(path.dirname(file)).catch(() => []);
    files.push(
      ...names
        .filter((name) => globMatch(path.basename(file), name))
        .map((name) => path.join(path.dirname(file), name)),
    );
  }
  return files;
};

/** The words of a line; what stands in quotes is one. */
const wordsOf = (value: unknown): string[] => {
  if (!Array.isArray(value)) return String(value).split(/\s+/);
  return value.map((each: unknown) => (isRecord(each) && typeof each.val === 'string' ? each.val : String(each)));
};

/**
 * The names that an ssh_config has a Host line for, its Includes too; patterns are no names. Rejects when the file itself cannot be
 * read or parsed; an Include that is missing is nothing, as for ssh.
 */
export const readSshConfigNames = async (file: string, seen = new Set<string>()): Promise<string[]> => {
  if (seen.has(file) || seen.size >= MOST_FILES) return [];
  seen.add(file);
  const names: string[] = [];
  const walk = async (config: SSHConfig): Promise<void> => {
    for (const line of config) {
      if (line.type !== LineType.DIRECTIVE) continue;
      const param = line.param.toLowerCase();
      const words = wordsOf(line.value);
      if (param === 'include') {
        for (const each of await included(words, file)) {
          names.push(...(await readSshConfigNames(each, seen).catch(() => [])));
        }
      }
      if (param === 'host') names.push(...words.filter((name) => HostName.safeParse(name).success));
      if ('config' in line && line.config instanceof SSHConfig) await walk(line.config);
    }
  };
  await walk(SSHConfig.parse(await readFile(file, 'utf8')));
  return [...new Set(names)];
};
