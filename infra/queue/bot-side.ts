import { DelayedError, type Job, Queue, QueueEvents, Worker } from 'bullmq';
import { type Progress, Request } from '../../playbooks/model/index.ts';
import type { Log } from '../log.ts';
import { type Cancelled, cancelLook } from './cancel.ts';
import { sharedClock } from './clock.ts';
import {
  closeConsumer,
  closeRedis,
  openHurried,
  openPatient,
  patientOptions,
  QueueUnavailable,
  untilReady,
  watchErrors,
} from './connection.ts';
import { type EditTurns, editTurns } from './edit-turns.ts';
import { readStored } from './evidence-store.ts';
import { doubtAfterFailOver } from './fail-over.ts';
import { countWorkers } from './heartbeat.ts';
import { type HostState, hostStates, type Lately, type RecentLook, recentLooks } from './lately.ts';
import { withLease } from './lease.ts';
import {
  type Answer,
  AnswerMessage,
  Find,
  Intake,
  ProgressMessage,
  PutQuestion,
  problems,
  type Refusal,
  type StoredFile,
  whereFrom,
} from './messages.ts';
import { ANSWERS, FINDS, INTAKE, jobId, key, LOOKS, PREFIX, QUESTIONS } from './names.ts';
import { type Notes, notesOn } from './notes.ts';
import { type OpenLook, openLooks } from './open-looks.ts';
import { placeOf, type RedisAddress } from './place.ts';
import { type QueueTelemetry, withTelemetry } from './telemetry.ts';

/** Which delivery of the same message this is, from 1: after the first, some of its work may have been done. */
export interface Delivery {
  readonly attempt: number;
}

export interface AnswerTools extends Delivery {
  /** The bytes of one of the answer's files; null when they have expired or were never kept. */
  readonly readFile: (file: StoredFile) => Promise<Uint8Array | null>;
}

export interface QueueStatus {
  /** Workers heard of in the last 15 s. */
  readonly workers: number;
  readonly waiting: number;
  /** Looks that run now, at most 50; `progress` is null before the first one. */
  readonly active: readonly { readonly request: Request; readonly progress: Progress | null }[];
}

/**
 * The bot's side of the queue. Handlers are called again, with growing pauses, until they resolve; also by another
 * bot when this one ends in the middle. They are given each message at least once, one at a time for each request.
 */
export interface BotQueue {
  /**
   * Keeps what somebody asked for, before it is acknowledged; with `delayMs` it is not begun before that. Throws
   * QueueUnavailable within about two seconds.
   */
  readonly accept: (intake: Intake, delayMs?: number) => Promise<'queued' | 'duplicate'>;
  readonly onIntake: (handler: (intake: Intake, delivery: Delivery) => Promise<void>) => void;
  /** Hands a request to the workers. Throws QueueUnavailable within about two seconds. */
  readonly enqueue: (request: Request) => Promise<'queued' | 'duplicate'>;
  /**
   * Has a worker look which processes a selector means. The answer comes once as the errand `handTo.errand`, with
   * `found` (a Found) put into its data; trouble with the host is an answer too. Throws QueueUnavailable.
   */
  readonly find: (find: Omit<Find, 'at'>) => Promise<'queued' | 'duplicate'>;
  /**
   * Has a worker answer a question. What becomes of it comes once as the errand `handTo.errand`, with `reply` (a Reply) and
   * `file` put into its data. Throws QueueUnavailable.
   */
  readonly ask: (question: Omit<PutQuestion, 'at'>) => Promise<'queued' | 'duplicate'>;
  /**
   * Ends a look, whether it waits or runs, as `by` (a person's name) wants it; it gets an answer in either case. Safe to
   * repeat with the same `id`. Throws QueueUnavailable.
   */
  readonly cancel: (wish: {
    readonly id: string;
    readonly requestId: string;
    readonly by: string;
  }) => Promise<Cancelled>;
  /** The looks that run or wait which `wanted` accepts, of the first few thousand. Throws QueueUnavailable. */
  readonly open: (wanted: (request: Request) => boolean) => Promise<OpenLook[]>;
  /** Losing a call loses nothing: the next one is newer. */
  readonly onProgress: (handler: (message: ProgressMessage) => void) => void;
  readonly onAnswer: (handler: (answer: Answer, tools: AnswerTools) => Promise<void>) => void;
  /** Payloads that could not be read but say where they came from. Give it before `onAnswer`. */
  readonly onRefusal: (handler: (refusal: Refusal, delivery: Delivery) => Promise<void>) => void;
  readonly turns: EditTurns;
  /** The looks that ended lately. Each throws QueueUnavailable. */
  readonly recentLooks: Lately<RecentLook>;
  /** What was last found of hosts. Each throws QueueUnavailable. */
  readonly hostStates: Lately<HostState>;
  /** Each throws QueueUnavailable. */
  readonly notes: Notes;
  /** Runs work as the only one over all bots that does so under this name; waits for the others, at most a minute. */
  readonly alone: <T>(kind: string, id: string, work: () => Promise<T>) => Promise<T>;
  /** The answer to a request, while it is kept (a day); null when there is none. Throws QueueUnavailable. */
  readonly answerTo: (requestId: string) => Promise<Answer | null>;
  /** Whether the answer to a request has been shown, or is no longer kept. Throws QueueUnavailable. */
  readonly answerShown: (requestId: string) => Promise<boolean>;
  /** The bytes of one of an answer's files; null when they have expired or were never kept. */
  readonly readFile: (file: StoredFile) => Promise<Uint8Array | null>;
  /** Throws QueueUnavailable. */
  readonly status: () => Promise<QueueStatus>;
  /** How much is not done yet, being worked on or waiting to be tried again included (finds and questions among the looks). Throws QueueUnavailable. */
  readonly pending: () => Promise<{ intake: number; looks: number; answers: number }>;
  readonly healthy: () => Promise<boolean>;
  /**
   * What time it is by Redis's clock, ms since 1970. What one bot dates and another one ages (when something was asked for, until
   * when it may be answered) is dated by it, because clocks of machines differ.
   */
  readonly now: () => number;
  /** Lets running handlers end (bounded), then ends the connections. */
  readonly close: () => Promise<void>;
}

export interface BotQueueOptions {
  readonly redisUrl: RedisAddress;
  readonly log: Log;
  /** How messages carry their traces. */
  readonly telemetry?: QueueTelemetry | undefined;
  /** How long a message of a dead bot stays unnoticed, ms. Default 30,000. Shorter in tests. */
  readonly leaseMs?: number;
  /** How often messages of dead bots are looked for, ms. Default 5,000. */
  readonly stalledCheckMs?: number;
}

const READY_MS = 500;
/** What is due within this is begun now. */
const EARLY_MS = 1_000;
/** How long a replica is waited for before something is acknowledged all the same; a site may have none for a while. */
const REPLICATED_MS = 300;
const CLOSE_MS = 10_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** Messages between bots and workers are kept for a day after they are done, so that a repeated one is known. */
const KEEP = {
  attempts: 3_000,
  backoff: { type: 'custom' },
  removeOnComplete: { age: 24 * 3600, count: 2_000 },
  removeOnFail: { age: 7 * 24 * 3600, count: 2_000 },
};

/** Opens the bot's side. Redis may be away: what needs it fails clearly, and works again when it is back. */
export const openBotQueue = (options: BotQueueOptions): BotQueue => {
  const { redisUrl, log, leaseMs = 30_000 } = options;
  const replicated = placeOf(redisUrl).kind === 'sentinel';
  const hurried = openHurried(redisUrl, log);
  const patient = openPatient(redisUrl, log);
  const clock = sharedClock(patient);
  const doubtful = doubtAfterFailOver(patient, placeOf(redisUrl));
  /** What may have been done and been forgotten is a repeated delivery. */
  const attemptOf = (job: Job): number => Math.max(job.attemptsStarted, doubtful() ? 2 : 1);
  const queueOn = <Data>(name: string) => {
    // The connection fails fast; waiting for it here would make the first command after a start fail instead.
    const queue = new Queue<Data>(name, {
      connection: hurried,
      prefix: PREFIX,
      skipVersionCheck: true,
      skipWaitingForReady: true,
      ...withTelemetry(options.telemetry),
    });
    watchErrors(queue, name, log);
    return queue;
  };
  const intake = queueOn<Intake>(INTAKE);
  const looks = queueOn<Request>(LOOKS);
  const finds = queueOn<Find>(FINDS);
  const questions = queueOn<PutQuestion>(QUESTIONS);
  const answers = queueOn<AnswerMessage>(ANSWERS);
  const ending = new AbortController();
  const workers: Worker[] = [];
  let events: QueueEvents | null = null;
  let refused: (refusal: Refusal, delivery: Delivery) => Promise<void> = async (refusal) =>
    log.error({ requestId: refusal.requestId, code: refusal.failure.code }, refusal.failure.sentence);

  const quickly = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      await untilReady(hurried, READY_MS);
      return await work();
    } catch (error) {
      throw error instanceof QueueUnavailable ? error : new QueueUnavailable(error);
    }
  };

  const add = <Data>(queue: Queue<Data>, id: string, data: Data, keep: object) =>
    quickly(async (): Promise<'queued' | 'duplicate'> => {
      const there = await hurried.exists(queue.toKey(id));
      if (there === 1) return 'duplicate';
      // Its types tie the name to the data, which a generic Data cannot show.
      await queue.add(...(['message', data, { ...keep, jobId: id }] as unknown as Parameters<typeof queue.add>));
      return 'queued';
    });

  const consume = (name: string, handle: (job: Job, token?: string) => Promise<void>) => {
    const worker = new Worker(name, handle, {
      connection: patientOptions(redisUrl, ending.signal),
      prefix: PREFIX,
      concurrency: 20,
      ...withTelemetry(options.telemetry),
      lockDuration: leaseMs,
      stalledInterval: options.stalledCheckMs ?? 5_000,
      runRetryDelay: 1_000,
      maxStalledCount: 1_000,
      settings: {
        backoffStrategy: (attempts) => Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 10), LAST_RETRY_MS),
      },
    });
    watchErrors(worker, name, log);
    worker.on('failed', (job, error) =>
      log.warn({ job: job?.id, attempt: job?.attemptsStarted, error: error.message }, 'will be tried again'),
    );
    workers.push(worker);
  };

  /** One at a time for a request over all bots: a delivery that was taken over may still be running elsewhere. */
  const alone = <T>(kind: string, id: string, work: () => Promise<T>): Promise<T> =>
    withLease(patient, { name: key('handling', kind, id), doing: kind, leaseMs, waitMs: 2 * leaseMs }, work);

  const refuse = async (job: Job, why: string): Promise<void> => {
    const from = whereFrom(job.data);
    log.error({ job: job.id, problems: why }, 'message refused: it does not parse');
    if (from === null) return;
    const sentence = `The answer to this look could not be read (${why}). Are bot and worker the same version?`;
    const refusal: Refusal = { requestId: from.id, origin: from.origin, failure: { code: 'internal', sentence } };
    await alone('answer', from.id, () => refused(refusal, { attempt: attemptOf(job) }));
  };

  return {
    accept: async (message, delayMs = 0) => {
      const accepted = await add(intake, jobId('intake', message.id), Intake.parse(message), {
        ...KEEP,
        delay: delayMs,
        timestamp: clock.now(),
      });
      // What is acknowledged must outlive a fail-over. Everything that follows is made again from it.
      if (replicated) await hurried.wait(1, REPLICATED_MS).catch(() => 0);
      return accepted;
    },
    enqueue: async (request) => {
      const { removeOnComplete, removeOnFail } = KEEP;
      const keep = { removeOnComplete, removeOnFail, timestamp: request.requestedAt };
      return await add(looks, jobId('look', request.id), Request.parse(request), keep);
    },
    find: (find) => {
      const { removeOnComplete, removeOnFail } = KEEP;
      const asked = Find.parse({ ...find, at: clock.now() });
      return add(finds, jobId('find', find.id), asked, { removeOnComplete, removeOnFail });
    },
    ask: (question) => {
      const { removeOnComplete, removeOnFail } = KEEP;
      const put = PutQuestion.parse({ ...question, at: clock.now() });
      return add(questions, jobId('question', question.id), put, { removeOnComplete, removeOnFail });
    },
    cancel: (wish) =>
      quickly(() => {
        const answer = (requestId: string, message: AnswerMessage) =>
          add(answers, jobId('answer', requestId), message, KEEP);
        return cancelLook({ redis: hurried, looks, answers, answer }, wish);
      }),
    open: (wanted) => quickly(() => openLooks(looks, wanted)),
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
        await alone('intake', parsed.data.id, () => handler(parsed.data, { attempt: attemptOf(job) }));
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
        const attempt = attemptOf(job);
        if (message.kind === 'refusal') {
          return await alone('answer', message.refusal.requestId, () => refused(message.refusal, { attempt }));
        }
        const readFile = (file: StoredFile) => readStored(patient, file);
        await alone('answer', message.answer.requestId, () => handler(message.answer, { attempt, readFile }));
      }),
    turns: editTurns(patient),
    recentLooks: recentLooks(hurried, quickly),
    hostStates: hostStates(hurried, quickly),
    notes: notesOn(hurried, quickly),
    alone,
    answerTo: (requestId) =>
      quickly(async () => {
        const job = await answers.getJob(jobId('answer', requestId));
        const parsed = AnswerMessage.safeParse(job?.data);
        return parsed.success && parsed.data.kind === 'answer' ? parsed.data.answer : null;
      }),
    answerShown: (requestId) =>
      quickly(async () => {
        const job = await answers.getJob(jobId('answer', requestId));
        return job === undefined || (await job.isCompleted());
      }),
    readFile: (file) => quickly(() => readStored(hurried, file)),
    status: () =>
      quickly(async () => {
        const [count, waiting, jobs] = await Promise.all([
          countWorkers(hurried),
          looks.getWaitingCount(),
          looks.getActive(0, 49),
        ]);
        const active = jobs.flatMap((job) => {
          const request = Request.safeParse(job.data);
          const message = ProgressMessage.safeParse(job.progress);
          return request.success ? [{ request: request.data, progress: message.data?.progress ?? null }] : [];
        });
        return { workers: count, waiting, active };
      }),
    pending: () =>
      quickly(async () => {
        const left = (queue: { getJobCountByTypes: typeof intake.getJobCountByTypes }) =>
          queue.getJobCountByTypes('waiting', 'active', 'delayed');
        const queues = [intake, looks, answers, finds, questions];
        const [first, second, third, found, asked] = await Promise.all(queues.map(left));
        return { intake: first ?? 0, looks: (second ?? 0) + (found ?? 0) + (asked ?? 0), answers: third ?? 0 };
      }),
    healthy: async () => {
      try {
        return (await quickly(() => hurried.ping())) === 'PONG';
      } catch {
        return false;
      }
    },
    now: clock.now,
    close: async () => {
      clock.close();
      const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), CLOSE_MS).unref());
      const consumers = events === null ? workers : [...workers, events];
      const ended = Promise.all(consumers.map((consumer) => closeConsumer(consumer, ending)));
      if ((await Promise.race([ended, late])) === 'late') log.warn({}, 'handlers did not end in time, cut off');
      await Promise.all([intake.close(), looks.close(), finds.close(), questions.close(), answers.close()]);
      await Promise.all([closeRedis(hurried), closeRedis(patient)]);
    },
  };
};
