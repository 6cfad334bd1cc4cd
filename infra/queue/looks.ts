import { type Job, type Queue, Worker } from 'bullmq';
import { type Failure, LookFailed, type Progress, Request } from '../../playbooks/model/index.ts';
import type { FarStore } from '../evidence/far-store.ts';
import { type Log, withLogFields } from '../log.ts';
import type { AfterAnswers } from './after-answers.ts';
import { cancelledBy, cancelWatch, wishKey, wishOf } from './cancel.ts';
import type { SharedClock } from './clock.ts';
import { closeConsumer, patientOptions, type RedisClient, watchErrors } from './connection.ts';
import { storeFiles } from './evidence-store.ts';
import { untilTaken } from './fail-over.ts';
import { beginDelivery } from './journal.ts';
import { KEPT, UNTIL_DONE } from './keep.ts';
import { type AnswerMessage, type ProgressMessage, problems, whereFrom } from './messages.ts';
import { jobId, LOOKS, PREFIX } from './names.ts';
import type { RedisAddress } from './place.ts';
import type { WithTargetLock } from './target-lock.ts';
import { type QueueTelemetry, withTelemetry } from './telemetry.ts';
import { throttle } from './throttle.ts';
import { consumesTogether } from './together.ts';
import { endsWithin } from './within.ts';
import type { LookHandler, LookResult } from './worker-side.ts';

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

const SHUTDOWN = new LookFailed('interrupted', 'The worker was stopped in the middle of the look. Ask again.');
const TAKEN_OVER = new LookFailed('interrupted', 'Another worker has taken the look over.');

const failureOf = (error: unknown, requestId: string): Failure =>
  error instanceof LookFailed
    ? error.toFailure()
    : {
        code: 'internal',
        sentence: `The look failed through an error of Straceback’s own; the worker’s log has it under ${requestId}.`,
      };

const inspectError = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

export interface LookTaking {
  readonly redisUrl: RedisAddress;
  /** For commands that wait for Redis when it is away. */
  readonly redis: RedisClient;
  /** For what a step waits for. */
  readonly journalRedis: RedisClient;
  readonly answers: Queue<AnswerMessage>;
  readonly clock: SharedClock;
  readonly log: Log;
  readonly later: AfterAnswers;
  readonly withTargetLock: WithTargetLock;
  readonly concurrency: number;
  readonly leaseMs: number;
  readonly stalledCheckMs: number;
  readonly telemetry: QueueTelemetry | undefined;
  /** Where evidence is kept in place of Redis. */
  readonly far: FarStore | undefined;
}

/**
 * Takes requests and puts their answers. A request whose worker dies is delivered again, at most three times; whatever happens,
 * exactly one answer is put for each, durably, before the request is done.
 */
export const takeLooks = (
  handler: LookHandler,
  options: LookTaking,
): { readonly close: (graceMs: number) => Promise<void> } => {
  const { redisUrl, redis, journalRedis, answers, clock, log, later, withTargetLock } = options;
  const { concurrency, leaseMs, stalledCheckMs, telemetry, far } = options;
  const cancelling = cancelWatch(journalRedis);
  const running = new Map<string, AbortController>();
  const ending = new AbortController();

  const put = async (requestId: string, message: AnswerMessage): Promise<void> => {
    // A job that failed for want of room in Redis would have no answer.
    await untilTaken(
      () => answers.add(message.kind, message, { ...UNTIL_DONE, jobId: jobId('answer', requestId) }),
      ending.signal,
    );
  };

  const deliver = async (job: Job): Promise<void> => {
    const parsed = Request.safeParse(job.data);
    const requestId = parsed.success ? parsed.data.id : (whereFrom(job.data)?.id ?? job.id);
    await withLogFields({ requestId }, () =>
      parsed.success ? answerOne(job, parsed.data) : refuse(job, parsed.error),
    );
  };

  const answerOne = async (job: Job, request: Request): Promise<void> => {
    const abort = new AbortController();
    const id = job.id ?? request.id;
    // This very worker may be given its own request again, after it was frozen for longer than its lease.
    running.get(id)?.abort(TAKEN_OVER);
    running.set(id, abort);
    try {
      const result = await look(job, request, abort);
      if (result === null) {
        log.info({ requestId: request.id }, 'request was answered by an earlier delivery');
        return;
      }
      const files = await storeFiles({ redis: journalRedis, far }, request.id, result.files, log);
      const answer = { requestId: request.id, request, outcome: result.outcome, files };
      await put(request.id, { kind: 'answer', answer });
      if (result.afterwards !== undefined) later.add(request.id, result.afterwards);
    } finally {
      if (running.get(id) === abort) running.delete(id);
    }
  };

  /** Null when the request has been answered. */
  const look = async (job: Job, request: Request, abort: AbortController): Promise<LookResult | null> => {
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
    if ((await redis.exists(worker.toKey(id))) === 1) running.get(id)?.abort(TAKEN_OVER);
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

  const worker: Worker = new Worker(LOOKS, deliver, {
    connection: patientOptions(redisUrl, ending.signal),
    prefix: PREFIX,
    concurrency,
    ...withTelemetry(telemetry),
    lockDuration: leaseMs,
    stalledInterval: stalledCheckMs,
    // How long after a failed fetch the next one comes; BullMQ's 15 s would delay looks after a Redis restart.
    runRetryDelay: 1_000,
    // The journal counts deliveries, because a job that BullMQ gives up has no answer.
    maxStalledCount: 1_000,
    ...KEPT,
  });
  consumesTogether(worker);
  watchErrors(worker, 'looks', log);
  worker.on('lockRenewalFailed', (ids) => void Promise.all(ids.map(takenOver)).catch(() => undefined));
  worker.on('failed', (job, error) => log.error({ job: job?.id, error: error.message }, 'delivery failed'));
  return {
    close: async (graceMs) => {
      const closing = closeConsumer(worker, ending);
      if (await endsWithin(closing, graceMs)) return;
      for (const abort of running.values()) abort.abort(SHUTDOWN);
      if (!(await endsWithin(closing, ABORT_MS))) log.error({ looks: running.size }, 'looks did not end, cut off');
    },
  };
};
