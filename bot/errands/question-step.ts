import { defineErrand } from '../errand.ts';
import { Asking, putQuestion } from '../questions/put.ts';
import { harmlessSteps, offeredSteps } from '../questions/steps.ts';

const MOST_LOOKS = 20;

/** A step that was made for a question has ended, well or not: the question is put again, with what it saw. */
export const questionStep = defineErrand({
  errand: 'question-step',
  data: Asking.extend({ requestId: Asking.shape.mention.shape.id }),
  run: async ({ requestId, ...asking }, _at, _delivery, bot) => {
    const { spent, looks, round, mention, process } = asking;
    const next = {
      ...asking,
      round: round + 1,
      looks: [requestId, ...looks].slice(0, MOST_LOOKS),
      spent: { ...spent, steps: spent.steps + 1 },
    };
    const offers = await offeredSteps(mention, process.host, bot);
    await putQuestion(next, { may: harmlessSteps(bot), offers }, bot);
  },
});
