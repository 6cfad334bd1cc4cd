import { type Job, Queue, Worker } from 'bullmq';
import type { z } from 'zod';
import type { Log } from '../log.ts';
import type { SharedClock } from './clock.ts';
import { closeConsumer, patientOptions, type RedisClient, watchErrors } from './connection.ts';
import { KEPT, UNTIL_DONE } from './keep.ts';
import { type Intake, problems } from './messages.ts';
import { INTAKE, jobId, PREFIX } from './names.ts';
import type { RedisAddress } from './place.ts';
import { type QueueTelemetry, withTelemetry } from './telemetry.ts';

/** Something that a bot asked the workers, whose answer becomes an errand. */
export interface Asked {
  readonly id: string;
  readonly handTo: { readonly errand: string; readonly data: Record<string, unknown> };
}

export interface AskedOptions {
  readonly redisUrl: RedisAddress;
  /** For commands that do not block. */
  readonly redis: RedisClient;
  /** What dates messages and errands. */
  readonly clock: SharedClock;
  readonly log: Log;
  readonly leaseMs: number;
  readonly stalledCheckMs: number;
  /** How messages carry their traces. */
  readonly telemetry?: QueueTelemetry | undefined;
}

/** One kind of what is asked. */
export interface AskedKind<Message extends Asked> {
  /** The queue that it comes by. */
  readonly queue: string;
  readonly schema: z.ZodType<Message>;
  /** What its errand's id begins with. */
  readonly answered: string;
  /** How many at once, beside the looks. */
  readonly concurrency: number;
  /** What is put into the errand's data. `deliveries` counts from 1. Must not throw for what a second try would not mend. */
  readonly answer: (message: Message, deliveries: number) => Promise<Record<string, unknown>>;
}

/**
 * Takes what was asked and hands its answers to the bots as errands. A message whose worker dies is delivered again; one
 * errand is put for each, durably, before the message is done.
 */
export const takeAsked = <Message extends Asked>(
  { queue, schema, answered, concurrency, answer }: AskedKind<Message>,
  { redisUrl, redis, clock, log, leaseMs, stalledCheckMs, telemetry }: AskedOptions,
): { close: () => Promise<void> } => {
  const intake = new Queue<Intake>(INTAKE, { connection: redis, prefix: PREFIX, ...withTelemetry(telemetry) });
  watchErrors(intake, answered, log);
  const ending = new AbortController();

  const deliver = async (job: Job): Promise<void> => {
    const parsed = schema.safeParse(job.data);
    if (!parsed.success) {
      log.error({ queue, job: job.id, problems: problems(parsed.error) }, 'message refused: it does not parse');
      return;
    }
    const message = parsed.data;
    const id = `${answered}-${message.id}`;
    if ((await intake.getJob(jobId('intake', id))) !== undefined) return;
    const data = { ...message.handTo.data, ...(await answer(message, job.attemptsStarted)) };
    const errand: Intake = { kind: 'errand', id, errand: message.handTo.errand, data, at: clock.now() };
    // Of two workers that both have it (one was frozen for longer than its lease), the second puts nothing.
    await intake.add('message', errand, { ...UNTIL_DONE, jobId: jobId('intake', id) });
  };

  const worker = new Worker(queue, deliver, {
    connection: patientOptions(redisUrl, ending.signal),
    prefix: PREFIX,
    ...withTelemetry(telemetry),
    concurrency,
    lockDuration: leaseMs,
    stalledInterval: stalledCheckMs,
    runRetryDelay: 1_000,
    maxStalledCount: 1_000,
    ...KEPT,
  });
  watchErrors(worker, queue, log);
  worker.on('failed', (job, error) => log.error({ queue, job: job?.id, error: error.message }, 'delivery failed'));
  return {
    close: async () => {
      await closeConsumer(worker, ending);
      await intake.close();
    },
  };
};
