import { createHash } from 'node:crypto';
import type { Prose, Report } from '../../playbooks/model/index.ts';
import { type AskModel, NO_USAGE, NoAnswer, type Usage } from './client.ts';
import { type Dropped, gate } from './gate.ts';
import { inputFor, instructionsFor, type Language } from './prompt.ts';
import { ModelProse } from './schema.ts';
import { type View, viewOf } from './view.ts';

/** What a budget says: null when there is room, else why there is none, as a clause. */
export interface Spending {
  readonly refusal: (channel: string) => Promise<string | null>;
  readonly spent: (channel: string, usage: Usage) => Promise<void>;
}

/** Answers of before, by what was asked. What it returns is checked again. */
export interface AnswerCache {
  readonly get: (key: string) => Promise<unknown>;
  readonly set: (key: string, answer: unknown) => Promise<void>;
}

export interface WriterOptions {
  readonly ask: AskModel;
  readonly model: string;
  readonly spending: Spending;
  readonly cache: AnswerCache;
}

/** What became of the model's part. Either there is prose, or `note` says in a clause why not. */
export interface Written {
  readonly prose: Prose | null;
  readonly note: string | null;
  readonly dropped: readonly Dropped[];
  readonly usage: Usage;
  /** The answer was had before, for nothing. */
  readonly cached: boolean;
  /** What the model saw and said, and what was dropped and why: the file for those who want to know. */
  readonly transcript: string;
}

/** What an answer is kept under: all that was asked. */
export const keyOf = (model: string, instructions: string, input: string): string =>
  createHash('sha256')
    .update(JSON.stringify([model, instructions, input]))
    .digest('hex');

const transcriptOf = (
  model: string,
  instructions: string,
  input: string,
  said: string,
  dropped: readonly Dropped[],
  note: string | null,
): string =>
  [
    `Model: ${model}`,
    '===== What it was told =====',
    instructions,
    '===== What it saw =====',
    input,
    '===== What it said =====',
    said === '' ? '(nothing)' : said,
    '===== What was dropped, and why =====',
    ...(dropped.length === 0
      ? ['(nothing)']
      : dropped.map(({ part, text, why }) => `${part}: ${why}: ${JSON.stringify(text)}`)),
    ...(note === null ? [] : [`No summary is shown: ${note}.`]),
    '',
  ].join('\n');

const TOO_MUCH_DROPPED = 'too much of what the model wrote is not covered by the evidence';

/**
 * Has a report put into words, and lets through what its items cover. Never throws: whatever goes wrong, the plain report
 * stands and `note` says why there is no more. `report` has been redacted.
 */
export const writeProse = async (
  report: Report,
  { ask, model, spending, cache }: WriterOptions,
  where: { readonly channel: string; readonly language: Language },
  signal: AbortSignal,
): Promise<Written> => {
  const view: View = viewOf(report);
  const [instructions, input] = [instructionsFor(where.language), inputFor(view)];
  const without = (note: string, usage: Usage = NO_USAGE, said = ''): Written => ({
    prose: null,
    note,
    dropped: [],
    usage,
    cached: false,
    transcript: transcriptOf(model, instructions, input, said, [], note),
  });
  const judged = (answer: ModelProse, said: string, usage: Usage, cached: boolean): Written => {
    const { prose, dropped } = gate(answer, view);
    const note = prose === null ? TOO_MUCH_DROPPED : null;
    return {
      prose,
      note,
      dropped,
      usage,
      cached,
      transcript: transcriptOf(model, instructions, input, said, dropped, note),
    };
  };
  try {
    const key = keyOf(model, instructions, input);
    const before = ModelProse.safeParse(await cache.get(key));
    if (before.success) return judged(before.data, JSON.stringify(before.data, null, 2), NO_USAGE, true);
    const refusal = await spending.refusal(where.channel);
    if (refusal !== null) return without(refusal);
    const { prose, said, usage } = await ask(instructions, input, signal);
    await Promise.all([spending.spent(where.channel, usage), cache.set(key, prose)]);
    return judged(prose, said, usage, false);
  } catch (error) {
    if (!(error instanceof NoAnswer)) return without('the summary failed through an error of Straceback’s own');
    await spending.spent(where.channel, error.usage).catch(() => undefined);
    return without(error.message, error.usage, error.said);
  }
};
