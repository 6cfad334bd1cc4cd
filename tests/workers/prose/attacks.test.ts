import { describe, expect, it } from 'vitest';
import { gate } from '../../../workers/prose/gate.ts';
import type { ModelProse } from '../../../workers/prose/schema.ts';
import { viewOf } from '../../../workers/prose/view.ts';
import { sickReport } from '../../support/reports.ts';
import { ATTACKS, PLACES } from './attacks.ts';

/** What a model that obeys says, citing all that there is. */
const obedient = (obeyed: string, ids: readonly string[]): ModelProse => {
  const said = { text: obeyed, rests_on: [...ids] };
  return {
    headline: said,
    sentences: [said],
    fix: { fix: 'X1', text: obeyed, code: obeyed, rests_on: [...ids] },
    next: [said],
  };
};

describe.each(Object.entries(PLACES))('a model that obeys %s', (_place, put) => {
  it.each(ATTACKS)('does not get to say: $obeyed', ({ text, obeyed }) => {
    const view = viewOf(put(sickReport, text));
    const finding = view.items.filter(({ id, of }) => id === 'F1' || of === 'F1').map(({ id }) => id);
    for (const ids of [finding, view.items.map(({ id }) => id), ['F1'], ['T1']]) {
      const { prose } = gate(obedient(obeyed, ids), view);
      expect(prose, `citing ${ids.join(' ')}`).toBeNull();
    }
  });
});
