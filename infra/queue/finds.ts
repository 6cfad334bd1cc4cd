import { Found, LookFailed } from '../../playbooks/model/index.ts';
import { type AskedOptions, takeAsked } from './asked.ts';
import { Find } from './messages.ts';
import { FINDS } from './names.ts';

/** Says which processes a selector means. Trouble with the host is thrown as LookFailed. */
export type FindHandler = (find: Find, signal: AbortSignal) => Promise<Found>;

/** Finds are short: more than a host's worth of them may run beside the looks. */
const CONCURRENCY = 8;
const MAX_DELIVERIES = 3;
/** Nobody waits any more for the answer to an older question. */
const TOO_LATE_MS = 20 * 60_000;

const failure = (error: unknown, id: string): Found => ({
  kind: 'failure',
  failure:
    error instanceof LookFailed
      ? error.toFailure()
      : {
          code: 'internal',
          sentence: `The process could not be looked for through an error of Straceback’s own; the worker’s log has it under ${id}.`,
        },
});

/** Takes finds: at most three times each, with an answer whatever happens. */
export const takeFinds = (handler: FindHandler, options: AskedOptions): { close: () => Promise<void> } => {
  const stopped = new AbortController();

  const answer = async (find: Find, deliveries: number): Promise<Found> => {
    try {
      if (deliveries > MAX_DELIVERIES) {
        throw new LookFailed(
          'interrupted',
          `Finding the process was given up after ${MAX_DELIVERIES} workers ended in the middle of it. See the workers’ logs.`,
        );
      }
      if (options.clock.now() - find.at > TOO_LATE_MS) {
        throw new LookFailed(
          'interrupted',
          'No worker took up the question which process is meant in time. Ask again.',
        );
      }
      return Found.parse(await handler(find, stopped.signal));
    } catch (error) {
      if (!(error instanceof LookFailed)) {
        const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
        options.log.error({ find: find.id, error: said }, 'find failed');
      }
      return failure(error, find.id);
    }
  };

  const taking = takeAsked(
    {
      queue: FINDS,
      schema: Find,
      answered: 'found',
      concurrency: CONCURRENCY,
      answer: async (find, deliveries) => ({ found: await answer(find, deliveries) }),
    },
    options,
  );
  return {
    close: async () => {
      stopped.abort(
        new LookFailed('interrupted', 'The worker was stopped while it looked for the process. Ask again.'),
      );
      await taking.close();
    },
  };
};
