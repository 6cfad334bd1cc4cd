import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ELF_READERS, fuzzElf } from './elf.ts';
import { keptInputs } from './target.ts';
import { allTargets } from './targets/index.ts';

// `npm run fuzz` tries each of these with ten thousand inputs and more; what it finds is kept and tried here ever after.
const targets = await allTargets();
const FIXTURES = path.join(import.meta.dirname, '../fixtures/fuzz');

describe.each(targets)('$name', ({ name, inputs, run }) => {
  it('reads whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => await run(input)),
      { numRuns: name.startsWith('rules/') ? 20 : 60 },
    );
  });

  it.each(keptInputs(name))('reads what it once failed on: $name', async ({ input }) => {
    await run(input);
  });
});

describe.each(ELF_READERS)('%s', (name) => {
  it('reads whatever lies on a host', async () => {
    expect((await fuzzElf(name, 300, Date.now() % 1_000_000)).error).toBeNull();
  });

  const kept = keptInputs(name).map((each) => path.join(FIXTURES, name, each.name));
  it.skipIf(kept.length === 0)('reads what it once failed on', async () => {
    expect(await fuzzElf(name, 0, 0, kept)).toMatchObject({ cases: kept.length, error: null });
  });
});
