import { DelayedError, type Job, QueueEvents, Worker } from 'bullmq';
import type { FarStore } from '../evidence/far-store.ts';
import type { Log } from '../log.ts';
import type { BotQueue, Delivery } from './bot-side.ts';
import type { SharedClock } from './clock.ts';
import { closeConsumer, patientOptions, type RedisClient, watchErrors } from './connection.ts';
import { readStored } from './evidence-store.ts';
import { doubtAfterFailOver } from './fail-over.ts';
import { KEPT } from './keep.ts';
import {
  AnswerMessage,
  Intake,
  ProgressMessage,
  problems,
  type Refusal,
  type StoredFile,
  whereFrom,
} from './messages.ts';
import { ANSWERS, INTAKE, LOOKS, PREFIX } from './names.ts';
import { placeOf, type RedisAddress } from './place.ts';
import { type QueueTelemetry, withTelemetry } from './telemetry.ts';
import { consumesTogether } from './together.ts';

/** What is due within this is begun now. */
const EARLY_MS = 1_000;
const CLOSE_MS = 10_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export interface ConsumersOptions {
  readonly redisUrl: RedisAddress;
  /** A connection that waits for Redis when it is away. */
  readonly patient: RedisClient;
  readonly log: Log;
  readonly clock: SharedClock;
  /** Runs work as the only one over all bots; `late` as leases mean it. */
  readonly alone: (kind: string, id: string, work: () => Promise<void>, late: boolean) => Promise<void>;
  readonly leaseMs: number;
  readonly stalledCheckMs: number;
  readonly telemetry: QueueTelemetry | undefined;
  /** Where evidence is kept in place of Redis. */
  readonly far: FarStore | undefined;
}

/** What comes to a bot, each only once somebody asks for it. */
export interface BotConsumers extends Pick<BotQueue, 'onIntake' | 'onProgress' | 'onRefusal' | 'onAnswer'> {
  /** Lets running handlers end (bounded), then ends the connections. */
  readonly close: () => Promise<void>;
}

/** Reads what comes to a bot and gives it to its handlers, again with growing pauses until they resolve. */
export const botConsumers = (options: ConsumersOptions): BotConsumers => {
  const { redisUrl, patient, log, clock, alone, leaseMs, stalledCheckMs, telemetry, far } = options;
  const doubtful = doubtAfterFailOver(patient, placeOf(redisUrl));
  /** What may have been done and been forgotten is a repeated delivery. */
  const attemptOf = (job: Job): number => Math.max(job.attemptsStarted, doubtful() ? 2 : 1);
  const ending = new AbortController();
  const workers: Worker[] = [];
  let events: QueueEvents | null = null;
  let refused: (refusal: Refusal, delivery: Delivery) => Promise<void> = async (refusal) =>
    log.error({ requestId: refusal.requestId, code: refusal.failure.code }, refusal.failure.sentence);

  const consume = (name: string, handle: (job: Job, token?: string) => Promise<void>) => {
    const worker = new Worker(name, handle, {
      connection: patientOptions(redisUrl, ending.signal),
      prefix: PREFIX,
      concurrency: 20,
      ...withTelemetry(telemetry),
      lockDuration: leaseMs,
      stalledInterval: stalledCheckMs,
      runRetryDelay: 1_000,
      maxStalledCount: 1_000,
      ...KEPT,
      settings: {
        backoffStrategy: (attempts) => Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 10), LAST_RETRY_MS),
      },
    });
    consumesTogether(worker);
    watchErrors(worker, name, log);
    worker.on('failed', (job, error) =>
      log.warn({ job: job?.id, attempt: job?.attemptsStarted, error: error.message }, 'will be tried again'),
    );
    workers.push(worker);
  };

  /**
   * One delivery at a time: one that was taken over may still be running elsewhere. The first is not taken over before BullMQ's lock
   * on it has run out, which is as long as the lease and began before it.
   */
  const deliver = async (kind: string, id: string, job: Job, work: (delivery: Delivery) => Promise<void>) => {
    const attempt = attemptOf(job);
    await alone(kind, id, () => work({ attempt }), attempt === 1);
  };

  const refuse = async (job: Job, why: string): Promise<void> => {
    const from = whereFrom(job.data);
    log.error({ job: job.id, problems: why }, 'message refused: it does not parse');
    if (from === null) return;
    const sentence = `The answer to this look could not be read (${why}). Are bot and worker the same version?`;
    const refusal: Refusal = { requestId: from.id, origin: from.origin, failure: { code: 'internal', sentence } };
    await deliver('answer', from.id, job, (delivery) => refused(refusal, delivery));
  };

  return {
    onIntake: (handler) =>
      consume(INTAKE, async (job, token) => {
        // BullMQ asks the machine's clock what is due; one that is ahead takes messages before their time.
        const early = job.timestamp + (job.opts.delay ?? 0) - clock.now();
        if (early > EARLY_MS) {
          await job.moveToDelayed(Date.now() + early, token);
          throw new DelayedError();
        }
        const parsed = Intake.safeParse(job.data);
        if (!parsed.success) {
          log.error({ job: job.id, problems: problems(parsed.error) }, 'message refused: it does not parse');
          return;
        }
        await deliver('intake', parsed.data.id, job, (delivery) => handler(parsed.data, delivery));
      }),
    onProgress: (handler) => {
      events = new QueueEvents(LOOKS, { connection: patientOptions(redisUrl, ending.signal), prefix: PREFIX });
      watchErrors(events, 'events', log);
      events.on('progress', ({ data }) => {
        const parsed = ProgressMessage.safeParse(data);
        if (parsed.success) handler(parsed.data);
        else log.warn({ problems: problems(parsed.error) }, 'progress refused: it does not parse');
      });
    },
    onRefusal: (handler) => {
      refused = handler;
    },
    onAnswer: (handler) =>
      consume(ANSWERS, async (job) => {
        const parsed = AnswerMessage.safeParse(job.data);
        if (!parsed.success) return await refuse(job, problems(parsed.error));
        const message = parsed.data;
        if (message.kind === 'refusal') {
          const { refusal } = message;
          return await deliver('answer', refusal.requestId, job, (delivery) => refused(refusal, delivery));
        }
        const { answer } = message;
        const readFile = (file: StoredFile) => readStored({ redis: patient, far }, file);
        await deliver('answer', answer.requestId, job, (delivery) => handler(answer, { ...delivery, readFile }));
      }),
    close: async () => {
      const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), CLOSE_MS).unref());
      const consumers = events === null ? workers : [...workers, events];
      const ended = Promise.all(consumers.map((consumer) => closeConsumer(consumer, ending)));
      if ((await Promise.race([ended, late])) === 'late') log.warn({}, 'handlers did not end in time, cut off');
    },
  };
};
