import type { Notes } from '../../infra/queue/notes.ts';
import type { Usage } from './client.ts';
import type { AnswerCache, Spending } from './write.ts';

/** Tokens, in and out together. */
export interface Budget {
  readonly perDay: number;
  readonly perChannelPerDay: number;
}

const TWO_DAYS = 2 * 24 * 3600;
const CACHE_SECONDS = 24 * 3600;

/** Tokens of a day (UTC), counted over all workers. What is being spent right now is not counted yet. */
export const spendingOn = (notes: Notes, budget: Budget, now: () => number): Spending => {
  const day = () => new Date(now()).toISOString().slice(0, 10);
  const spentSoFar = async (id: string) => Number((await notes.get('tokens', id)) ?? 0);
  return {
    refusal: async (channel) => {
      if ((await spentSoFar(day())) >= budget.perDay) return 'the budget of tokens for today is used up';
      const here = await spentSoFar(`${day()}-${channel}`);
      return here >= budget.perChannelPerDay ? 'the budget of tokens of this channel for today is used up' : null;
    },
    spent: async (channel, { input, output }: Usage) => {
      if (input + output === 0) return;
      await notes.count('tokens', day(), TWO_DAYS, input + output);
      await notes.count('tokens', `${day()}-${channel}`, TWO_DAYS, input + output);
    },
  };
};

/** Answers of the last day, by what was asked, for all workers. */
export const cacheOn = (notes: Notes): AnswerCache => ({
  get: (key) => notes.get('prose', key),
  set: (key, answer) => notes.set('prose', key, answer, CACHE_SECONDS),
});
