import type { QuestionBudget } from '../../infra/question-budget.ts';
import type { Probe, Question, Reply } from '../../playbooks/model/index.ts';
import { type AskFor, NO_USAGE, NoAnswer, type Usage, type Wanted } from '../prose/client.ts';
import type { Language } from '../prose/prompt.ts';
import { type AnswerCache, keyOf, type Spending } from '../prose/write.ts';
import { gateReply } from './gate.ts';
import { gather, type Source } from './gather.ts';
import { inputFor, instructionsFor } from './prompt.ts';
import { ModelReply } from './schema.ts';
import { chosenStep, toolsFor } from './steps.ts';

/** What answering takes from its surroundings. */
export interface AnswerOptions {
  readonly ask: AskFor;
  readonly language: Language;
  readonly spending: Spending;
  readonly cache: AnswerCache;
  readonly budget: QuestionBudget & { readonly perRequest: number; readonly maxOutputTokens: number };
  readonly model: string;
  readonly probes: ReadonlyMap<string, Probe>;
  readonly now: () => number;
}

/** What one round came to; `transcript` is what the model saw and said. */
export interface Round {
  readonly said: Reply['said'];
  readonly usage: Usage;
  readonly transcript: string;
}

const FORM = { name: 'answer', schema: ModelReply };

/** About three characters a token, to be on the safe side. */
const mostTokens = ({ instructions, input, tools }: Wanted<unknown>, maxOutputTokens: number): number =>
  Math.ceil((instructions.length + input.length + JSON.stringify(tools ?? []).length) / 3) + maxOutputTokens;

const plus = (one: Usage, other: Usage): Usage => ({
  input: one.input + other.input,
  output: one.output + other.output,
});

/** Steps that the model may ask for now. */
const stepsLeft = ({ may, spent }: Question, { budget, now }: AnswerOptions): Question['may'] =>
  spent.steps >= budget.steps || now() - spent.since > budget.seconds * 1000 ? [] : may;

/**
 * One round: the model is shown what was seen, and answers or asks for a step. Whatever goes wrong is a reply with a clause
 * that says why; nothing is thrown but errors of the program's own. `question` and `sources` have no secrets in them.
 */
export const answerRound = async (
  question: Question,
  sources: readonly Source[],
  options: AnswerOptions,
  signal: AbortSignal,
): Promise<Round> => {
  const { ask, spending, cache, budget, model, probes } = options;
  const told: string[] = [`Model: ${model}`, `===== Question, round ${question.round} =====`, question.text];
  let usage: Usage = NO_USAGE;
  const end = (said: Reply['said'], ...more: string[]): Round => ({
    said,
    usage,
    transcript: [...told, ...more, ''].join('\n'),
  });
  const nothing = (note: string): Round => end({ kind: 'nothing', note }, `No answer is shown: ${note}.`);

  if (sources.length === 0)
    return nothing('no look at this process has ended in this thread, or what it saw is kept no longer');
  const titles = new Map([...probes.values()].map(({ id, title }) => [id, title]));
  const gathered = gather(question.text, sources, titles);
  const instructions = instructionsFor(options.language);
  const input = inputFor(gathered.view, question.text, question.offers, question.spent.steps);
  told.push('===== What it was told =====', instructions, '===== What it saw =====', input);

  const once = async (steps: Question['may']): Promise<Round | 'again'> => {
    const tools = toolsFor(steps);
    const wanted: Wanted<ModelReply> = { instructions, input, form: FORM, tools };
    const names = tools.map(({ name }) => name).join(', ');
    told.push(`===== What it could call: ${names === '' ? 'nothing' : names} =====`);
    const key = keyOf(model, `${instructions}\n${names}`, input);
    const before = ModelReply.safeParse(await cache.get(key));
    if (before.success) {
      told.push('===== What it had said before =====', JSON.stringify(before.data));
      return judged(before.data);
    }
    const refusal = await spending.refusal(question.channel);
    if (refusal !== null) return nothing(refusal);
    const most = mostTokens(wanted, budget.maxOutputTokens);
    if (most > budget.perRequest) return nothing('it would take more tokens than one look may');
    const { spent } = question;
    if (spent.input + spent.output + usage.input + usage.output + most > budget.tokens)
      return nothing('it would take more tokens than one question may');
    const answer = await ask(wanted, signal);
    usage = plus(usage, answer.usage);
    await spending.spent(question.channel, answer.usage);
    told.push('===== What it said =====', answer.said === '' ? '(nothing)' : answer.said);
    if (answer.kind === 'said') {
      await cache.set(key, answer.value);
      return judged(answer.value);
    }
    const chosen = chosenStep(answer.name, answer.args, steps, probes);
    if (typeof chosen !== 'string') return end({ kind: 'step', ...chosen });
    told.push(`This call was not done: ${chosen}.`);
    return 'again';
  };

  const judged = (reply: ModelReply): Round => {
    const { sentences, lines, offer, dropped } = gateReply(reply, gathered, question.offers);
    return end(
      { kind: 'answer', sentences: [...sentences], lines: [...lines], offer, dropped: dropped.length },
      '===== What was dropped, and why =====',
      ...(dropped.length === 0 ? ['(nothing)'] : dropped.map(({ text, why }) => `${why}: ${JSON.stringify(text)}`)),
    );
  };

  try {
    const first = await once(stepsLeft(question, options));
    if (first !== 'again') return first;
    // A call that may not be done: asked once more, with nothing to call.
    const second = await once([]);
    return second === 'again' ? nothing('the model only asks for what it may not have') : second;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    usage = plus(usage, error.usage);
    await spending.spent(question.channel, error.usage).catch(() => undefined);
    told.push('===== What it said =====', error.said === '' ? '(nothing)' : error.said);
    return nothing(error.message);
  }
};
