import type { Claim, Prose } from '../../playbooks/model/index.ts';
import { claimProblem, untrustedOf } from './claims.ts';
import type { ModelProse } from './schema.ts';
import type { Item, View } from './view.ts';
import { PYTHON_WORDS } from './words.ts';

/** A sentence that was not let through, and why. */
export interface Dropped {
  readonly part: 'headline' | 'sentence' | 'fix' | 'code' | 'next';
  readonly text: string;
  readonly why: string;
}

/** What is left of the model's text; `prose` is null when the plain report has to stand alone. */
export interface Gated {
  readonly prose: Prose | null;
  readonly dropped: readonly Dropped[];
}

const MOST_SENTENCES = 6;
const MOST_NEXT = 3;

/** The cited items, with the facts of the process, which every sentence may name; or why they cannot be cited. */
const groundOf = (ids: readonly string[], view: View): { cited: Item[] } | { why: string } => {
  if (ids.length === 0) return { why: 'it cites nothing' };
  const unknown = ids.find((id) => !view.items.some((item) => item.id === id));
  if (unknown !== undefined) return { why: `it cites ${unknown.slice(0, 20)}, which is not there` };
  const cited = view.items.filter(({ id, kind }) => kind === 'target' || ids.includes(id));
  // A quote, a source line or a fix speaks for its finding.
  const owners = new Set(cited.flatMap(({ of }) => (of === undefined ? [] : [of])));
  return { cited: [...cited, ...view.items.filter(({ id }) => owners.has(id) && !ids.includes(id))] };
};

/** Why a sentence may not be shown, as a clause, or null when what it cites covers it. Pure. */
export const problemOf = ({ text, rests_on }: Claim, view: View): string | null => {
  const ground = groundOf(rests_on, view);
  return 'why' in ground
    ? ground.why
    : claimProblem(text, {
        cited: ground.cited,
        verdict: view.verdict,
        untrusted: `${untrustedOf(view.items)}\n${view.asked ?? ''}`,
      });
};

const words = (code: string): string[] => code.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? [];
const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Why code may not be shown in place of the rules' own, or null: it is theirs, or a diff of source lines that were read. */
const codeProblem = (code: string, fix: Item, view: View): string | null => {
  if (fix.code !== undefined && squeezed(code) === squeezed(fix.code)) return null;
  const sources = view.items.filter(({ kind, of }) => kind === 'source' && of === fix.of);
  if (sources.length === 0) return 'it is not the offered code, and no source was read';
  const source = sources.map(({ text }) => text).join('\n');
  const sourceLines = new Set(source.split('\n').map((line) => squeezed(line.replace(/^\d+ /, ''))));
  const known = new Set([...words(source), ...words(fix.text), ...words(fix.code ?? ''), ...PYTHON_WORDS]);
  const lines = code.split('\n').filter((line) => !/^(?:---|\+\+\+|@@)/.test(line));
  if (!lines.some((line) => line.startsWith('+'))) return 'it is neither the offered code nor a diff';
  for (const line of lines) {
    const body = squeezed(line.slice(1));
    if (!line.startsWith('+') && body !== '' && !sourceLines.has(body))
      return `“${body.slice(0, 60)}” is not in the source`;
    const strange = line.startsWith('+')
      ? words(line.slice(1).replace(/#.*$/, '')).find((word) => !known.has(word))
      : undefined;
    if (strange !== undefined) return `it brings in “${strange.slice(0, 40)}”, which neither source nor fix have`;
  }
  return null;
};

const gateFix = (fix: ModelProse['fix'], view: View, drop: (dropped: Dropped) => void): Prose['fix'] => {
  if (fix === null) return null;
  const item = view.items.find(({ id, kind }) => id === fix.fix && kind === 'fix');
  if (item === undefined) {
    drop({ part: 'fix', text: fix.text, why: `${fix.fix.slice(0, 20)} is none of the offered fixes` });
    return null;
  }
  const rests = [...new Set([item.id, ...fix.rests_on])];
  const problem = problemOf({ text: fix.text, rests_on: rests }, view);
  if (problem !== null) {
    drop({ part: 'fix', text: fix.text, why: problem });
    return null;
  }
  const wrong = fix.code === null ? null : codeProblem(fix.code, item, view);
  if (fix.code !== null && wrong !== null) drop({ part: 'code', text: fix.code, why: wrong });
  const code = fix.code !== null && wrong === null ? fix.code : (item.code ?? null);
  return { title: item.text.split('. ')[0] ?? item.text, text: fix.text, code, rests_on: rests };
};

/**
 * Lets through what is covered by the items that it cites, and says what was dropped and why. The plain report stands alone
 * when the headline falls, or half of the sentences. Pure.
 */
export const gate = (answer: ModelProse, view: View): Gated => {
  const dropped: Dropped[] = [];
  const drop = (each: Dropped) => void dropped.push(each);
  const keep = (part: Dropped['part'], claims: readonly Claim[]): Claim[] =>
    claims.filter((claim) => {
      const why = problemOf(claim, view);
      if (why !== null) drop({ part, text: claim.text, why });
      return why === null;
    });
  const [headline] = keep('headline', [answer.headline]);
  const sentences = keep('sentence', answer.sentences.slice(0, MOST_SENTENCES));
  const fix = gateFix(answer.fix, view, drop);
  const next = keep('next', answer.next.slice(0, MOST_NEXT));
  const enough = sentences.length > 0 && sentences.length * 2 > Math.min(answer.sentences.length, MOST_SENTENCES);
  return { prose: headline !== undefined && enough ? { headline, sentences, fix, next } : null, dropped };
};
