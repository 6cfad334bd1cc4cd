/**
 * `npm run incidents`: runs every incident of this folder, and prints what was expected and what was found as Markdown:
 * a line a look, how often the first finding was right, false alarms, the Brier score of its confidence, the confusions,
 * and the seconds it took. Ends with 1 when a test failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { IncidentLine, RECORD_VARIABLE } from '../support/incident-record.ts';
import { incidentsFrom, tableOf } from './table-text.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'straceback-incidents-'));
const record = path.join(folder, 'looks.jsonl');
const vitest = spawn(
  'npx',
  [
    '--no-install',
    'vitest',
    'run',
    ...(process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['tests/incidents']),
  ],
  {
    stdio: ['ignore', process.stderr, 'inherit'],
    env: { ...process.env, [RECORD_VARIABLE]: record },
  },
);
const [code] = await once(vitest, 'exit');
const text = await readFile(record, 'utf8').catch(() => '');
await rm(folder, { recursive: true, force: true });
const lines = text
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => IncidentLine.parse(JSON.parse(line)));
process.stdout.write(tableOf(incidentsFrom(lines)));
process.exitCode = code === 0 ? 0 : 1;
