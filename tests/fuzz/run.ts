/**
 * `npm run fuzz -- [--cases N] [--seed N] [TARGET…]`: tries every reader of what comes from outside with many inputs, each
 * reader in a process of its own, and prints a table. A reader fails when it throws, answers what its schema forbids, takes
 * more than twenty seconds for one input, or needs more memory than 1 GiB. The input is kept in `tests/fixtures/fuzz/`, and
 * from then on every run of the tests tries it. Ends with 1 when a reader failed.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ELF_READERS, fuzzElf, Tried } from './elf.ts';
import { keepInput } from './target.ts';
import { allTargets } from './targets/index.ts';

const LONGEST_CASE_MS = 20_000;
const MOST_MIB = 1024;
const LOADER = path.join(import.meta.dirname, '../support/typescript-loader.mjs');

const { values, positionals } = parseArgs({
  options: { cases: { type: 'string', default: '10000' }, seed: { type: 'string', default: '20261122' } },
  allowPositionals: true,
});

/** Tries one reader; ends its process when one input takes too long. */
const tryOne = async (name: string, folder: string): Promise<Tried> => {
  const file = path.join(folder, 'input');
  // What the reader before wrote is not this one's: until its own first input there is nothing that it could hang on.
  await rm(file, { force: true });
  const child = spawn(
    process.execPath,
    [
      `--max-old-space-size=${MOST_MIB}`,
      '--import',
      LOADER,
      path.join(import.meta.dirname, 'one.ts'),
      name,
      values.cases,
      values.seed,
      file,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [out, err, before, since] = ['', '', '', Date.now()];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err = (err + chunk.toString()).slice(-4000);
  });
  let hung = false;
  const watch = setInterval(async () => {
    const now = (await readFile(file).catch(() => Buffer.alloc(0))).toString('latin1');
    if (now !== before) [before, since] = [now, Date.now()];
    else if (now !== '' && Date.now() - since > LONGEST_CASE_MS) {
      hung = true;
      child.kill('SIGKILL');
    }
  }, 1000);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(watch);
  if (code === 0) return Tried.parse(JSON.parse(out));
  const input = await readFile(file).catch(() => Buffer.alloc(0));
  const why = hung
    ? `no answer within ${LONGEST_CASE_MS / 1000} s`
    : `ended with ${code}: ${err.trim().split('\n').at(-1)}`;
  return { cases: 0, slowestMs: 0, peakMib: 0, kept: keepInput(name, input), error: why };
};

const folder = await mkdtemp(path.join(tmpdir(), 'straceback-fuzz-'));
const wanted = (name: string) => positionals.length === 0 || positionals.some((each) => name.startsWith(each));
let failed = 0;
const line = (name: string, { cases, slowestMs, peakMib, error, kept }: Tried) => {
  if (error !== null) failed += 1;
  const outcome = error === null ? 'passed' : `FAILED: ${error.replaceAll('\n', ' ')} (${kept})`;
  process.stdout.write(`| ${name} | ${cases} | ${slowestMs} | ${peakMib} | ${outcome} |\n`);
};
try {
  process.stdout.write(
    `Seed ${values.seed}\n\n| Reader | Cases | Slowest, ms | Peak, MiB | |\n|---|---|---|---|---|\n`,
  );
  for (const { name } of (await allTargets()).filter((each) => wanted(each.name)))
    line(name, await tryOne(name, folder));
  for (const name of ELF_READERS.filter(wanted))
    line(name, await fuzzElf(name, Number(values.cases), Number(values.seed)));
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
