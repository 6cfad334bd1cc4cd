import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Probe } from '../../playbooks/model/index.ts';
import { fixtureStep, loadFixture, fixtureNames as recordedNames } from './fixture.ts';
import { evidenceFrom, type RunProbeOptions, stepFor } from './run-probe.ts';

/** Bytes of a recorded output, `tests/fixtures/<probe>/<name>`. */
export const fixture = (probe: string, name: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`../fixtures/${probe}/${name}`, import.meta.url)));

/** Names of all recorded outputs of a probe. */
export const fixtureNames = (probe: string): string[] =>
  readdirSync(fileURLToPath(new URL(`../fixtures/${probe}`, import.meta.url)))
    .filter((name) => name.endsWith('.txt'))
    .sort();

/** Where a folder of fixtures is, for a test that records one. */
export const fixtureFolder = (probe: string): string =>
  join(fileURLToPath(new URL('../fixtures/', import.meta.url)), probe);

/** A recorded output with a piece cut out, doubled or overwritten. */
export const damaged = (samples: readonly Buffer[]): fc.Arbitrary<Buffer> =>
  fc
    .record({
      sample: fc.constantFrom(...samples),
      from: fc.nat({ max: 1_000_000 }),
      length: fc.nat({ max: 4000 }),
      put: fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string({ maxLength: 60, unit: 'binary' }).map(Buffer.from)),
    })
    .map(({ sample, from, length, put }) => {
      const start = from % (sample.length + 1);
      return Buffer.concat([sample.subarray(0, start), put, sample.subarray(start + length)]);
    });

/** Lines of recorded outputs in another order, some of them more than once. */
export const shuffled = (samples: readonly Buffer[]): fc.Arbitrary<Buffer> =>
  fc
    .constantFrom(...samples)
    .chain((sample) => fc.array(fc.constantFrom(...sample.toString('latin1').split('\n')), { maxLength: 60 }))
    .map((lines) => Buffer.from(lines.join('\n'), 'latin1'));

/**
 * Holds that a probe's parser answers whatever comes out of a host: arbitrary bytes, recorded outputs that are damaged
 * or in another order. Throws fast-check's report with the smallest bytes that made the parser throw.
 */
export function expectNeverThrows<Data>(
  probe: Probe<Data>,
  samples: readonly Buffer[],
  run: Partial<RunProbeOptions> = {},
): void {
  const step = stepFor(probe, { pid: 1, ...run });
  const answers = (bytes: Uint8Array) => {
    const parsed = probe.parse(evidenceFrom(probe.id, bytes), step);
    return typeof parsed.ok === 'boolean' && (parsed.ok || parsed.why.length > 0);
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), answers), { numRuns: 200 });
  fc.assert(fc.property(damaged(samples), answers), { numRuns: 300 });
  fc.assert(fc.property(shuffled(samples), answers), { numRuns: 200 });
}

/** Some bytes cut out and others put in, in several places. */
const edits = fc.array(fc.tuple(fc.nat(), fc.nat(60), fc.uint8Array({ maxLength: 20 })), { maxLength: 12 });

/**
 * Holds that a probe's parser answers whatever its recorded looks (those with a capture) become when pieces of them are lost, and never
 * with data that its own schema refuses. Throws fast-check's report with the smallest damage that it did not stand.
 */
export function expectSoundOnDamaged<Data>(probe: Probe<Data>): void {
  const cases = recordedNames(probe.id).map((name) => loadFixture(probe.id, name));
  const sound = fc.property(fc.constantFrom(...cases), edits, ({ capture, evidence }, damage) => {
    let bytes = Buffer.from(evidence.stdout);
    for (const [where, cut, put] of damage) {
      const at = where % (bytes.length + 1);
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
    }
    const parsed = probe.parse(evidenceFrom(probe.id, bytes, { stderr: evidence.stderr }), fixtureStep(capture));
    if (parsed.ok) probe.data.parse(parsed.data);
    return parsed.ok || parsed.why.length > 0;
  });
  fc.assert(sound, { numRuns: 300 });
}
