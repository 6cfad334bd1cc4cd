import { z } from 'zod';
import type { ModelProse } from '../../workers/prose/schema.ts';

const Line = z.object({
  id: z.string(),
  kind: z.string(),
  of: z.string().optional(),
  text: z.string(),
  code: z.string().optional(),
});
type Line = z.infer<typeof Line>;

/** The items of a request's input, as any reader of it would find them. */
export const itemsIn = (input: string): Line[] =>
  input.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    return [Line.parse(JSON.parse(line))];
  });

const sentencesOf = (text: string): string[] => text.split(/(?<=[.!?])\s+(?=[A-Z`])/);

/**
 * A model without wit: it says again what the first finding says, and its first fix. What it scores is what a perfect
 * repetition would; a real model is better to read and not better covered.
 */
export const scribe = (input: string): ModelProse => {
  const items = itemsIn(input);
  const first = items.find(({ kind }) => kind === 'finding') ?? items.find(({ kind }) => kind === 'verdict');
  if (first === undefined) throw new Error('there is nothing to say');
  const [headline = first.text, ...rest] = sentencesOf(first.text);
  const fix = items.find(({ kind, of }) => kind === 'fix' && of === first.id);
  const quote = items.find(({ kind, of }) => kind === 'quote' && of === first.id);
  const rests = quote === undefined ? [first.id] : [first.id, quote.id];
  return {
    headline: { text: headline, rests_on: [first.id] },
    sentences: (rest.length === 0 ? [headline] : rest).slice(0, 6).map((text) => ({ text, rests_on: rests })),
    fix:
      fix === undefined
        ? null
        : { fix: fix.id, text: sentencesOf(fix.text)[0] ?? fix.text, code: fix.code ?? null, rests_on: [first.id] },
    next: [],
  };
};
