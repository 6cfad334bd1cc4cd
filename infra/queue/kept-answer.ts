import type { Queue } from 'bullmq';
import { type Answer, AnswerMessage } from './messages.ts';
import { jobId } from './names.ts';

/** The answer to a request, while it is kept (a day); null when there is none. Throws what Redis throws. */
export const keptAnswer = async (answers: Queue<AnswerMessage>, requestId: string): Promise<Answer | null> => {
  const job = await answers.getJob(jobId('answer', requestId));
  const parsed = AnswerMessage.safeParse(job?.data);
  return parsed.success && parsed.data.kind === 'answer' ? parsed.data.answer : null;
};
