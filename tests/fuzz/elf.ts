import { spawn } from 'node:child_process';
import path from 'node:path';
import { z } from 'zod';

/** What trying a reader came to. `kept`: the file with the input that it failed on. */
export const Tried = z.object({
  cases: z.number(),
  slowestMs: z.number(),
  peakMib: z.number(),
  kept: z.string().nullable(),
  error: z.string().nullable(),
});
export type Tried = z.infer<typeof Tried>;

/** The readers that run on hosts, in Python. */
export const ELF_READERS = ['elf/module', 'elf/core'] as const;

const here = import.meta.dirname;

/** Tries one of them, with `cases` damaged files or only with `files`. Rejects when Python itself fails. */
export const fuzzElf = async (
  name: (typeof ELF_READERS)[number],
  cases: number,
  seed: number,
  files: readonly string[] = [],
): Promise<Tried> => {
  const child = spawn(
    'python3',
    [
      '-B',
      path.join(here, 'elf_cases.py'),
      path.join(here, '../../playbooks/probes'),
      name.slice('elf/'.length),
      String(cases),
      String(seed),
      path.join(here, '../fixtures/fuzz', name),
      ...files,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`elf_cases.py ended with ${code}: ${err.slice(-2000)}`);
  return Tried.parse(JSON.parse(out));
};
