/**
 * Runs the tests: node tests/run-tests.mjs [ARGUMENTS OF vitest run].
 *
 * With CI set, the files that failed are run once more, one after the other and with nothing beside them. Many tests hold
 * what a live process does in seconds, and a shared machine may keep it from running for just those seconds: what passes
 * alone is no fault, and what fails alone too is one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** More failed files than this are no accident of the machine. */
const MOST_AGAIN = 12;

const vitest = (...args) =>
  spawnSync('npx', ['--no-install', 'vitest', 'run', ...args], { stdio: 'inherit' }).status ?? 1;

const folder = mkdtempSync(path.join(tmpdir(), 'straceback-tests-'));
const results = path.join(folder, 'results.json');
let status = vitest('--reporter=default', '--reporter=json', `--outputFile.json=${results}`, ...process.argv.slice(2));
if (status !== 0 && process.env.CI !== undefined && existsSync(results)) {
  const failed = JSON.parse(readFileSync(results, 'utf8'))
    .testResults.filter((file) => file.status === 'failed')
    .map((file) => path.relative(process.cwd(), file.name));
  if (failed.length > 0 && failed.length <= MOST_AGAIN) {
    console.log(`\nOnce more, each alone:\n${failed.map((file) => `  ${file}`).join('\n')}`);
    status = vitest('--reporter=default', '--no-file-parallelism', ...failed);
  }
}
rmSync(folder, { recursive: true, force: true });
process.exit(status);
