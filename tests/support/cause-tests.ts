import fc from 'fast-check';
import { expect } from 'vitest';
import type { Cause, FindingDraft, Probe, Verdict } from '../../playbooks/model/index.ts';
import { loadProbes } from '../../playbooks/registry.ts';
import { loadLook, lookFrom, type TakenLook, verdictOn } from './record-look.ts';

const probes: ReadonlyMap<string, Probe> = await loadProbes();

/** What a cause says of a recorded look; `without`: probes that this look did not run. */
export const sayOf = (cause: Cause, name: string, without: readonly string[] = []): Verdict =>
  verdictOn(cause, loadLook(name), probes, without);

/** The first finding of a verdict that must fire, held to quote what the evidence really says. */
export const firingOn = (cause: Cause, name: string, without: readonly string[] = []): FindingDraft => {
  const verdict = sayOf(cause, name, without);
  expect(verdict.verdict, JSON.stringify(verdict)).toBe('fires');
  if (verdict.verdict !== 'fires' || verdict.findings[0] === undefined) throw new Error('it does not fire');
  const [finding] = verdict.findings;
  const texts = new Map(
    loadLook(name).evidence.map((each) => [each.id, Buffer.from(each.stdout).toString().split('\n')]),
  );
  for (const quote of finding.evidence) expect(texts.get(quote.evidenceId)?.[quote.line - 1]).toBe(quote.text);
  expect(finding.evidence.length).toBeGreaterThanOrEqual(2);
  expect(finding.evidence.length).toBeLessThanOrEqual(7);
  return finding;
};

/** Why a cause is clear of a look; fails when it is not. */
export const clearOn = (cause: Cause, name: string, without: readonly string[] = []): string => {
  const verdict = sayOf(cause, name, without);
  expect(verdict.verdict, JSON.stringify(verdict)).toBe('clear');
  return verdict.verdict === 'clear' ? verdict.why : '';
};

/** Holds that a cause about Python's stacks is clear of a healthy process, and of one without such stacks cannot tell. */
export const expectHealthyOn = (cause: Cause, name: string): void => {
  const stacks = loadLook(name).evidence.some(({ probe }) => probe === 'py-stacks');
  expect(sayOf(cause, name).verdict).toBe(stacks ? 'clear' : 'cannot-tell');
};

/** Why a cause cannot tell, and what it wants; fails when it can. */
export const untoldOn = (
  cause: Cause,
  name: string,
  without: readonly string[],
): { why: string; wants: readonly string[] } => {
  const verdict = sayOf(cause, name, without);
  expect(verdict.verdict, JSON.stringify(verdict)).toBe('cannot-tell');
  return verdict.verdict === 'cannot-tell' ? { why: verdict.why, wants: verdict.wants ?? [] } : { why: '', wants: [] };
};

/** All quoted lines of a finding. */
export const quoted = (finding: FindingDraft): string => finding.evidence.map((quote) => quote.text).join('\n');

const damage = (look: TakenLook): fc.Arbitrary<TakenLook> =>
  fc
    .record({
      which: fc.nat(),
      from: fc.nat({ max: 400_000 }),
      length: fc.nat({ max: 3000 }),
      put: fc.string({ unit: 'binary', maxLength: 40 }),
    })
    .map(({ which, from, length, put }) => ({
      ...look,
      evidence: look.evidence.map((each, index) => {
        if (index !== which % look.evidence.length) return each;
        const bytes = Buffer.from(each.stdout);
        const start = from % (bytes.length + 1);
        return {
          ...each,
          stdout: Buffer.concat([bytes.subarray(0, start), Buffer.from(put), bytes.subarray(start + length)]),
        };
      }),
    }));

/** Holds that a cause answers whatever became of the evidence on its way, with any of its probes missing. */
export const expectNeverThrowsOn = (cause: Cause, names: readonly string[]): void => {
  for (const name of names) {
    const look = loadLook(name);
    const all = look.evidence.map((each) => each.probe);
    fc.assert(
      fc.property(damage(look), fc.subarray(all), (damaged, without) => {
        const needs = cause.needs.map((probe) => probe.id);
        const verdict = cause.judge(
          lookFrom(
            damaged,
            probes,
            without.filter((id) => !needs.includes(id)),
          ),
        );
        return ['fires', 'clear', 'cannot-tell'].includes(verdict.verdict);
      }),
      { numRuns: 25 },
    );
  }
};
