import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Job, Queue, Worker } from 'bullmq';
import { type Failure, LookFailed, type Progress, Request } from '../../playbooks/model/index.ts';
import { type Log, withLogFields } from '../log.ts';
import { afterAnswers } from './after-answers.ts';
import { cancelledBy, cancelWatch, wishKey, wishOf } from './cancel.ts';
import { sharedClock } from './clock.ts';
import { closeConsumer, closeRedis, openPatient, patientOptions, watchErrors } from './connection.ts';
import { type EvidenceFile, storeFiles } from './evidence-store.ts';
import { untilTaken } from './fail-over.ts';
import { type FindHandler, takeFinds } from './finds.ts';
import { announceWorker } from './heartbeat.ts';
import { beginDelivery, type Journal } from './journal.ts';
import { type HostRecord, hostRecord } from './lately.ts';
import { AnswerMessage, type Outcome, type ProgressMessage, problems, whereFrom } from './messages.ts';
import { ANSWERS, jobId, LOOKS, PREFIX } from './names.ts';
import type { Notes } from './notes.ts';
import type { RedisAddress } from './place.ts';
import { type QuestionHandler, takeQuestions } from './questions.ts';
import { targetLock, type WithTargetLock } from './target-lock.ts';
import { type QueueTelemetry, withTelemetry } from './telemetry.ts';
import { throttle } from './throttle.ts';
import { endsWithin } from './within.ts';

/** What a look gets besides its request. */
export interface LookTools {
  /** Tells the thread what is being done. Sent at most twice a second, the newest wins; never throws. */
  readonly progress: (progress: Progress) => void;
  readonly journal: Journal;
  /**
   * Aborted when the look must end: somebody cancelled it (its reason is a LookFailed `cancelled` then), the worker closes, or
   * another worker has taken the request over.
   */
  readonly signal: AbortSignal;
  readonly withTargetLock: WithTargetLock;
  /** When it was asked for, by this machine's clock, ms since 1970; `requestedAt` is by Redis's. */
  readonly askedAt: number;
}

/** What a look ends with. */
export interface LookResult {
  readonly outcome: Outcome;
  readonly files: readonly EvidenceFile[];
  /** What is done once the answer is on its way, beside the next looks. Gives the errand that the bots get of it, if any. */
  readonly afterwards?: (tools: AfterwardsTools) => Promise<Afterwards | null>;
}

/** What work after an answer gets. */
export interface AfterwardsTools {
  /** Aborted when the worker closes. */
  readonly signal: AbortSignal;
  readonly notes: Notes;
}

/** An errand for the bots, with a file that is kept like evidence. */
export interface Afterwards {
  readonly errand: string;
  readonly data: Record<string, unknown>;
  readonly file: EvidenceFile;
}

export type LookHandler = (request: Request, tools: LookTools) => Promise<LookResult>;

export interface WorkerQueueOptions {
  readonly redisUrl: RedisAddress;
  /** Looks at once in this process. */
  readonly concurrency: number;
  readonly log: Log;
  /** How messages carry their traces. */
  readonly telemetry?: QueueTelemetry | undefined;
  /** How long a dead worker's request stays unnoticed, ms. Default 30,000. Shorter in tests. */
  readonly leaseMs?: number;
  /** How often requests of dead workers are looked for, ms. Default 5,000. */
  readonly stalledCheckMs?: number;
  /** How long `close` lets running looks go on before their signal is aborted, ms. Default 25,000. */
  readonly graceMs?: number;
}

export interface WorkerQueue {
  /** Starts to take requests. Called once. */
  readonly work: (handler: LookHandler) => void;
  /** Starts to take finds. Called at most once. */
  readonly find: (handler: FindHandler) => void;
  /** Starts to take questions. Called at most once. */
  readonly question: (handler: QuestionHandler) => void;
  /** What is known of hosts, for people. */
  readonly hosts: HostRecord;
  readonly withTargetLock: WithTargetLock;
  /** Takes no more requests, waits for running looks (bounded, then aborts them), and ends the connections. */
  readonly close: () => Promise<void>;
}

/** A request that has been begun this often without an end (its workers died) is given up with an answer. */
const MAX_DELIVERIES = 3;
const PROGRESS_EVERY_MS = 500;
/** How long aborted looks get to put their answers before the connections are cut. */
const ABORT_MS = 10_000;

const INTERRUPTED: Failure = {
  code: 'interrupted',
  sentence:
    `The look was given up after ${MAX_DELIVERIES} workers ended in the middle of it. ` +
    'See the workers’ logs before asking again.',
};

/** Answers are kept for a while after they were posted, so that a late second answer is known to be one. */
const KEEP = {
  attempts: 3_000,
  backoff: { type: 'custom' },
  removeOnComplete: { age: 24 * 3600, count: 2_000 },
  removeOnFail: { age: 7 * 24 * 3600, count: 2_000 },
};

const SHUTDOWN = new LookFailed('interrupted', 'The worker was stopped in the middle of the look. Ask again.');
const TAKEN_OVER = new LookFailed('interrupted', 'Another worker has taken the look over.');

const failureOf = (error: unknown, requestId: string): Failure =>
  error instanceof LookFailed
    ? error.toFailure()
    : {
        code: 'internal',
        sentence: `The look failed through an error of Straceback’s own; the worker’s log has it under ${requestId}.`,
      };

/**
 * Opens the worker's side: takes requests from Redis and puts their answers back. A request whose worker dies is
 * delivered again, at most three times; whatever happens, exactly one answer is put for each request, durably,
 * before the request is done.
 */
export const openWorkerQueue = (options: WorkerQueueOptions): WorkerQueue => {
  const { redisUrl, log, graceMs = 25_000 } = options;
  const redis = openPatient(redisUrl, log);
  const journalRedis = openPatient(redisUrl, log, 10_000);
  const answers = new Queue<AnswerMessage>(ANSWERS, {
    connection: redis,
    prefix: PREFIX,
    ...withTelemetry(options.telemetry),
  });
  watchErrors(answers, 'answers', log);
  const clock = sharedClock(redis);
  const withTargetLock = targetLock(journalRedis);
  const cancelling = cancelWatch(journalRedis);
  const running = new Map<string, AbortController>();
  const ending = new AbortController();
  let worker: Worker | null = null;
  let heartbeat: { stop: () => Promise<void> } | null = null;
  let finds: { close: () => Promise<void> } | null = null;
  let questions: { close: () => Promise<void> } | null = null;
  const later = afterAnswers({ redis, journalRedis, log, keep: KEEP, clock, telemetry: options.telemetry });

  const put = async (requestId: string, message: AnswerMessage): Promise<void> => {
    // A job that failed for want of room in Redis would have no answer.
    await untilTaken(
      () => answers.add(message.kind, message, { ...KEEP, jobId: jobId('answer', requestId) }),
      ending.signal,
    );
  };

  const deliver = async (job: Job, handler: LookHandler): Promise<void> => {
    const parsed = Request.safeParse(job.data);
    const requestId = parsed.success ? parsed.data.id : (whereFrom(job.data)?.id ?? job.id);
    await withLogFields({ requestId }, () =>
      parsed.success ? answerTo(job, parsed.data, handler) : refuse(job, parsed.error),
    );
  };

  const answerTo = async (job: Job, request: Request, handler: LookHandler): Promise<void> => {
    const abort = new AbortController();
    const id = job.id ?? request.id;
    // This very worker may be given its own request again, after it was frozen for longer than its lease.
    running.get(id)?.abort(TAKEN_OVER);
    running.set(id, abort);
    try {
      const result = await look(job, request, handler, abort);
      if (result === null) {
        log.info({ requestId: request.id }, 'request was answered by an earlier delivery');
        return;
      }
      const files = await storeFiles(journalRedis, request.id, result.files, log);
      const answer = { requestId: request.id, request, outcome: result.outcome, files };
      await put(request.id, { kind: 'answer', answer });
      if (result.afterwards !== undefined) later.add(request.id, result.afterwards);
    } finally {
      if (running.get(id) === abort) running.delete(id);
    }
  };

  const look = async (
    job: Job,
    request: Request,
    handler: LookHandler,
    abort: AbortController,
  ): Promise<LookResult | null> => {
    const { signal } = abort;
    let stopProgress = () => {};
    let stopChecking = () => {};
    try {
      const answer = answers.toKey(jobId('answer', request.id));
      const keys = { requestId: request.id, answer, wish: wishKey(request.id) };
      const begun = await beginDelivery(redis, journalRedis, keys);
      if (begun === null) return null;
      const { journal, deliveries } = begun;
      const cancelled = wishOf(begun.wish);
      if (cancelled !== null) throw cancelledBy(cancelled);
      if (deliveries > MAX_DELIVERIES) {
        log.error({ requestId: request.id, deliveries }, 'request given up');
        return { outcome: { kind: 'failure', failure: INTERRUPTED }, files: [] };
      }
      let order = deliveries * 1_000_000;
      const progress = throttle(PROGRESS_EVERY_MS, (latest: Progress) => {
        order += 1;
        return job.updateProgress({ progress: latest, request, order } satisfies ProgressMessage);
      });
      stopProgress = progress.stop;
      stopChecking = cancelling.watch(request.id, abort);
      const askedAt = clock.local(request.requestedAt);
      const result = await handler(request, { journal, signal, withTargetLock, progress: progress.call, askedAt });
      if (signal.reason === TAKEN_OVER && result.outcome.kind === 'failure') throw TAKEN_OVER;
      return result;
    } catch (error) {
      // The delivery that took over gives the answer.
      if (signal.reason === TAKEN_OVER) throw error;
      if (!(error instanceof LookFailed)) {
        log.error({ requestId: request.id, error: inspectError(error) }, 'look failed');
      }
      return { outcome: { kind: 'failure', failure: failureOf(error, request.id) }, files: [] };
    } finally {
      stopProgress();
      stopChecking();
    }
  };

  /**
   * A lock that cannot be renewed means that the request will be delivered to another worker, so that this one must
   * end. Not if Redis came back without its data: then nobody else knows of the request, and this look answers it.
   */
  const takenOver = async (id: string): Promise<void> => {
    if (worker !== null && (await redis.exists(worker.toKey(id))) === 1) running.get(id)?.abort(TAKEN_OVER);
  };

  const refuse = async (job: Job, error: Parameters<typeof problems>[0]): Promise<void> => {
    const from = whereFrom(job.data);
    log.error({ job: job.id, problems: problems(error) }, 'request refused: it does not parse');
    if (from === null) return;
    const failure: Failure = {
      code: 'bad-request',
      sentence: `The worker could not read the request (${problems(error)}). Are bot and worker the same version?`,
    };
    await put(from.id, { kind: 'refusal', refusal: { requestId: from.id, origin: from.origin, failure } });
  };

  return {
    withTargetLock,
    work: (handler) => {
      const leaseMs = options.leaseMs ?? 30_000;
      worker = new Worker(LOOKS, (job) => deliver(job, handler), {
        connection: patientOptions(redisUrl, ending.signal),
        prefix: PREFIX,
        concurrency: options.concurrency,
        ...withTelemetry(options.telemetry),
        lockDuration: leaseMs,
        stalledInterval: options.stalledCheckMs ?? 5_000,
        // How long after a failed fetch the next one comes; BullMQ's 15 s would delay looks after a Redis restart.
        runRetryDelay: 1_000,
        // The journal counts deliveries, because a job that BullMQ gives up has no answer.
        maxStalledCount: 1_000,
        removeOnComplete: { age: 24 * 3600, count: 2_000 },
        removeOnFail: { age: 7 * 24 * 3600, count: 2_000 },
      });
      watchErrors(worker, 'looks', log);
      worker.on('lockRenewalFailed', (ids) => void Promise.all(ids.map(takenOver)).catch(() => undefined));
      worker.on('failed', (job, error) => log.error({ job: job?.id, error: error.message }, 'delivery failed'));
      heartbeat = announceWorker(redis, { id: randomUUID(), host: hostname(), concurrency: options.concurrency });
    },
    hosts: hostRecord(journalRedis),
    find: (handler) => {
      const { leaseMs = 30_000, stalledCheckMs = 5_000 } = options;
      finds = takeFinds(handler, {
        redisUrl,
        redis,
        clock,
        log,
        leaseMs,
        stalledCheckMs,
        keep: KEEP,
        telemetry: options.telemetry,
      });
    },
    question: (handler) => {
      const { leaseMs = 30_000, stalledCheckMs = 5_000 } = options;
      const answerTo = async (requestId: string) => {
        const job = await answers.getJob(jobId('answer', requestId));
        const parsed = AnswerMessage.safeParse(job?.data);
        return parsed.success && parsed.data.kind === 'answer' ? parsed.data.answer : null;
      };
      const connection = { redisUrl, redis, notesRedis: journalRedis, clock };
      questions = takeQuestions(handler, {
        ...connection,
        log,
        leaseMs,
        stalledCheckMs,
        keep: KEEP,
        telemetry: options.telemetry,
        answerTo,
      });
    },
    close: async () => {
      clock.close();
      await heartbeat?.stop();
      await Promise.all([finds?.close(), questions?.close()]);
      const closing = worker === null ? Promise.resolve() : closeConsumer(worker, ending);
      if (!(await endsWithin(closing, graceMs))) {
        for (const abort of running.values()) abort.abort(SHUTDOWN);
        if (!(await endsWithin(closing, ABORT_MS))) log.error({ looks: running.size }, 'looks did not end, cut off');
      }
      await later.close();
      await answers.close();
      await Promise.all([closeRedis(redis), closeRedis(journalRedis)]);
    },
  };
};

const inspectError = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
