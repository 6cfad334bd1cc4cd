import type { Reply } from '../../playbooks/model/index.ts';
import type { FarStore } from '../evidence/far-store.ts';
import { type AskedOptions, takeAsked } from './asked.ts';
import type { RedisClient } from './connection.ts';
import { type EvidenceFile, readStored, storeFiles } from './evidence-store.ts';
import { type Answer, PutQuestion, type StoredFile } from './messages.ts';
import { QUESTIONS } from './names.ts';
import { type Notes, notesOn } from './notes.ts';

/** What answering a question gets. */
export interface QuestionTools {
  /** Aborted when the worker closes. */
  readonly signal: AbortSignal;
  readonly notes: Notes;
  /** The answer to a request, while it is kept; null when there is none. */
  readonly answerTo: (requestId: string) => Promise<Answer | null>;
  /** The bytes of a file; null when they have expired or were never kept. Throws NoEvidence. */
  readonly readFile: (file: StoredFile) => Promise<Uint8Array | null>;
}

/** What a round came to, with the file of what the model saw and said. */
export interface Replied {
  readonly reply: Reply;
  readonly file: EvidenceFile | null;
}

/** Answers a question. Trouble is a reply too; what is thrown is an error of the program's own. */
export type QuestionHandler = (question: PutQuestion, tools: QuestionTools) => Promise<Replied>;

/** Each waits for a server elsewhere most of its time. */
const CONCURRENCY = 8;
const MAX_DELIVERIES = 3;
/** Nobody waits any more for the answer to an older question. */
const TOO_LATE_MS = 20 * 60_000;

const nothing = ({ spent }: PutQuestion, note: string): Replied => ({
  reply: {
    said: { kind: 'nothing', note },
    model: '',
    usage: { input: spent.input, output: spent.output },
    price: null,
  },
  file: null,
});

/** Takes questions: at most three times each, with a reply whatever happens. */
export const takeQuestions = (
  handler: QuestionHandler,
  {
    answerTo,
    notesRedis,
    far,
    ...options
  }: AskedOptions &
    Pick<QuestionTools, 'answerTo'> & { readonly notesRedis: RedisClient; readonly far?: FarStore | undefined },
): { close: () => Promise<void> } => {
  const stopped = new AbortController();
  const tools: QuestionTools = {
    signal: stopped.signal,
    notes: notesOn(notesRedis, (work) => work()),
    answerTo,
    readFile: (file) => readStored({ redis: notesRedis, far }, file),
  };

  const answer = async (question: PutQuestion, deliveries: number): Promise<Replied> => {
    if (deliveries > MAX_DELIVERIES)
      return nothing(question, `it was given up after ${MAX_DELIVERIES} workers ended in the middle of it`);
    if (options.clock.now() - question.at > TOO_LATE_MS)
      return nothing(question, 'no worker took the question up in time');
    try {
      return await handler(question, tools);
    } catch (error) {
      const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
      options.log.error({ question: question.id, error: said }, 'question failed');
      return nothing(question, `of an error of Straceback’s own; the worker’s log has it under ${question.id}`);
    }
  };

  const taking = takeAsked(
    {
      queue: QUESTIONS,
      schema: PutQuestion,
      answered: 'replied',
      concurrency: CONCURRENCY,
      answer: async (question, deliveries) => {
        const { reply, file } = await answer(question, deliveries);
        const [stored] = file === null ? [] : await storeFiles({ redis: notesRedis }, question.id, [file], options.log);
        return { reply, ...(stored === undefined ? {} : { file: stored }) };
      },
    },
    options,
  );
  return {
    close: async () => {
      stopped.abort();
      await taking.close();
    },
  };
};
