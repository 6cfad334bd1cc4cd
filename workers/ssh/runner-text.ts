import { readFileSync } from 'node:fs';

/** The runner without its comments and indentation: bash reads what comes through a pipe byte by byte. */
export const RUNNER = readFileSync(new URL('./runner.sh', import.meta.url), 'utf8')
  .replaceAll(/^\s+/gm, '')
  .replaceAll(/^#.*\n/gm, '');
