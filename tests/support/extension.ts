import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const INCIDENTS = path.join(import.meta.dirname, '..', 'incidents');
const made = new Map<string, string>();

const ask = (python: string, code: string): string => {
  const run = spawnSync(python, ['-c', code], { encoding: 'utf8' });
  return run.status === 0 ? run.stdout.trim() : '';
};

/** Why extensions cannot be compiled for this interpreter here, or null when they can. */
export const whyNoExtensions = (python = '/usr/bin/python3'): string | null => {
  if (spawnSync('gcc', ['--version']).status !== 0) return 'there is no gcc';
  const headers = ask(python, 'import sysconfig; print(sysconfig.get_paths()["include"])');
  return headers !== '' && existsSync(path.join(headers, 'Python.h')) ? null : 'there is no Python.h';
};

/**
 * Compiles the C extension `tests/incidents/SOURCE` for an interpreter and gives the folder that it lies in, for
 * `PYTHONPATH`. Compiled once for each interpreter and test file. Throws with the compiler's words when it does not compile.
 */
export const compileExtension = (
  source: string,
  python = '/usr/bin/python3',
  flags: readonly string[] = ['-g'],
): string => {
  const key = `${source} ${python} ${flags.join(' ')}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-extension-'));
  const [headers = '', suffix = ''] = ask(
    python,
    'import sysconfig; print(sysconfig.get_paths()["include"]); print(sysconfig.get_config_var("EXT_SUFFIX"))',
  ).split('\n');
  const target = path.join(folder, path.basename(source).replace(/\.c$/, suffix));
  const argv = ['-O1', ...flags, '-shared', '-fPIC', `-I${headers}`, path.join(INCIDENTS, source), '-o', target];
  const run = spawnSync('gcc', argv, { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${source} does not compile: ${run.stderr}`);
  made.set(key, folder);
  return folder;
};

/** Removes what was compiled; for `afterAll`. */
export const removeExtensions = (): void => {
  for (const folder of made.values()) rmSync(folder, { recursive: true, force: true });
  made.clear();
};

/**
 * Whether a program that dies here leaves its core in its own working folder: kernel.core_pattern is the whole machine's, so
 * tests take it as it is and never change it.
 */
export const coresInFolder = (): boolean => {
  try {
    const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
    const limit = spawnSync('sh', ['-c', 'ulimit -H -c'], { encoding: 'utf8' }).stdout.trim();
    return !/^[|/]/.test(pattern) && limit === 'unlimited';
  } catch {
    return false;
  }
};
