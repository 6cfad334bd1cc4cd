/**
 * node --import LOADER tests/fuzz/one.ts TARGET CASES SEED FILE: tries one reader, and writes each input into FILE before
 * it is read, so that whoever waits for this process knows what it hung on. Prints one JSON line at the end.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { keepInput } from './target.ts';
import { allTargets } from './targets/index.ts';

const [name = '', cases = '', seed = '', file = ''] = process.argv.slice(2);
const target = (await allTargets()).find((each) => each.name === name);
if (target === undefined) throw new Error(`there is no target ${name}`);

const last = openSync(file, 'w');
let slowest = 0;
const checked = await fc.check(
  fc.asyncProperty(target.inputs, async (input) => {
    ftruncateSync(last, 0);
    writeSync(last, input, 0, input.length, 0);
    const began = performance.now();
    await target.run(input);
    slowest = Math.max(slowest, performance.now() - began);
  }),
  { numRuns: Number(cases), seed: Number(seed) },
);
closeSync(last);
const { counterexample, errorInstance, numRuns } = checked;
const failed = checked.failed && counterexample !== null;
process.stdout.write(
  `${JSON.stringify({
    cases: numRuns,
    slowestMs: Math.round(slowest),
    peakMib: Math.round(process.resourceUsage().maxRSS / 1024),
    kept: failed ? keepInput(name, counterexample[0]) : null,
    error: failed ? String(errorInstance instanceof Error ? errorInstance.message : errorInstance).slice(0, 500) : null,
  })}\n`,
);
