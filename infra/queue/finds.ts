import { type Job, Queue, Worker } from 'bullmq';
import { Found, LookFailed } from '../../playbooks/model/index.ts';
import type { Log } from '../log.ts';
import { closeConsumer, patientOptions, type RedisClient, watchErrors } from './connection.ts';
import { Find, type Intake, problems } from './messages.ts';
import { FINDS, INTAKE, jobId, PREFIX } from './names.ts';
import type { RedisAddress } from './place.ts';

/** Says which processes a selector means. Trouble with the host is thrown as LookFailed. */
export type FindHandler = (find: Find, signal: AbortSignal) => Promise<Found>;

export interface FindsOptions {
  readonly redisUrl: RedisAddress;
  /** For commands that do not block. */
  readonly redis: RedisClient;
  readonly log: Log;
  readonly leaseMs: number;
  readonly stalledCheckMs: number;
  /** How intake is kept; as the bot's side keeps it. */
  readonly keep: object;
}

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

/**
 * Takes finds and hands their answers to the bots as errands. A find whose worker dies is delivered again, at most three
 * times; whatever happens, one errand is put for each, durably, before the find is done.
 */
export const takeFinds = (handler: FindHandler, options: FindsOptions): { close: () => Promise<void> } => {
  const { redisUrl, redis, log, leaseMs, stalledCheckMs, keep } = options;
  const intake = new Queue<Intake>(INTAKE, { connection: redis, prefix: PREFIX });
  watchErrors(intake, 'found', log);
  const ending = new AbortController();
  const stopped = new AbortController();

  const answer = async (find: Find, deliveries: number): Promise<Found> => {
    try {
      if (deliveries > MAX_DELIVERIES) {
        throw new LookFailed(
          'interrupted',
          `Finding the process was given up after ${MAX_DELIVERIES} workers ended in the middle of it. See the workers’ logs.`,
        );
      }
      if (Date.now() - find.at > TOO_LATE_MS) {
        throw new LookFailed(
          'interrupted',
          'No worker took up the question which process is meant in time. Ask again.',
        );
      }
      return Found.parse(await handler(find, stopped.signal));
    } catch (error) {
      if (!(error instanceof LookFailed)) {
        const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
        log.error({ find: find.id, error: said }, 'find failed');
      }
      return failure(error, find.id);
    }
  };

  const deliver = async (job: Job): Promise<void> => {
    const parsed = Find.safeParse(job.data);
    if (!parsed.success) {
      log.error({ job: job.id, problems: problems(parsed.error) }, 'find refused: it does not parse');
      return;
    }
    const find = parsed.data;
    const id = `found-${find.id}`;
    if ((await intake.getJob(jobId('intake', id))) !== undefined) return;
    const found = await answer(find, job.attemptsStarted);
    const data = { ...find.handTo.data, found };
    const errand: Intake = { kind: 'errand', id, errand: find.handTo.errand, data, at: Date.now() };
    // Of two workers that both have the find (one was frozen for longer than its lease), the second puts nothing.
    await intake.add('message', errand, { ...keep, jobId: jobId('intake', id) });
  };

  const worker = new Worker(FINDS, deliver, {
    connection: patientOptions(redisUrl, ending.signal),
    prefix: PREFIX,
    concurrency: CONCURRENCY,
    lockDuration: leaseMs,
    stalledInterval: stalledCheckMs,
    runRetryDelay: 1_000,
    maxStalledCount: 1_000,
    removeOnComplete: { age: 24 * 3600, count: 2_000 },
    removeOnFail: { age: 7 * 24 * 3600, count: 2_000 },
  });
  watchErrors(worker, 'finds', log);
  worker.on('failed', (job, error) => log.error({ job: job?.id, error: error.message }, 'find delivery failed'));
  return {
    close: async () => {
      stopped.abort(
        new LookFailed('interrupted', 'The worker was stopped while it looked for the process. Ask again.'),
      );
      await closeConsumer(worker, ending);
      await intake.close();
    },
  };
};
