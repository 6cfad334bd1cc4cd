import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Queue } from 'bullmq';
import type { Progress, Request } from '../../playbooks/model/index.ts';
import type { FarStore } from '../evidence/far-store.ts';
import type { Log } from '../log.ts';
import { afterAnswers } from './after-answers.ts';
import { sharedClock } from './clock.ts';
import { closeRedis, openPatient, watchErrors } from './connection.ts';
import type { EvidenceFile } from './evidence-store.ts';
import { type FindHandler, takeFinds } from './finds.ts';
import { announceWorker } from './heartbeat.ts';
import type { Journal } from './journal.ts';
import { keptAnswer } from './kept-answer.ts';
import { type HostRecord, hostRecord } from './lately.ts';
import { takeLooks } from './looks.ts';
import type { AnswerMessage, Outcome } from './messages.ts';
import { ANSWERS, PREFIX } from './names.ts';
import type { Notes } from './notes.ts';
import type { RedisAddress } from './place.ts';
import { type QuestionHandler, takeQuestions } from './questions.ts';
import { targetLock, type WithTargetLock } from './target-lock.ts';
import { type QueueTelemetry, withTelemetry } from './telemetry.ts';

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
  /** Where evidence is kept in place of Redis. */
  readonly far?: FarStore | undefined;
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

/**
 * Opens the worker's side: takes requests from Redis and puts their answers back. A request whose worker dies is
 * delivered again, at most three times; whatever happens, exactly one answer is put for each request, durably,
 * before the request is done.
 */
export const openWorkerQueue = (options: WorkerQueueOptions): WorkerQueue => {
  const {
    redisUrl,
    log,
    telemetry,
    far,
    concurrency,
    graceMs = 25_000,
    leaseMs = 30_000,
    stalledCheckMs = 5_000,
  } = options;
  const redis = openPatient(redisUrl, log);
  const journalRedis = openPatient(redisUrl, log, 10_000);
  const answers = new Queue<AnswerMessage>(ANSWERS, {
    connection: redis,
    prefix: PREFIX,
    ...withTelemetry(telemetry),
  });
  watchErrors(answers, 'answers', log);
  const clock = sharedClock(redis);
  const withTargetLock = targetLock(journalRedis);
  const shared = { redisUrl, redis, clock, log, leaseMs, stalledCheckMs, telemetry };
  const later = afterAnswers({ redis, journalRedis, log, clock, telemetry });
  let looks: { close: (graceMs: number) => Promise<void> } | null = null;
  let heartbeat: { stop: () => Promise<void> } | null = null;
  let finds: { close: () => Promise<void> } | null = null;
  let questions: { close: () => Promise<void> } | null = null;

  return {
    withTargetLock,
    work: (handler) => {
      looks = takeLooks(handler, { ...shared, far, journalRedis, answers, later, withTargetLock, concurrency });
      heartbeat = announceWorker(redis, { id: randomUUID(), host: hostname(), concurrency });
    },
    hosts: hostRecord(journalRedis),
    find: (handler) => {
      finds = takeFinds(handler, shared);
    },
    question: (handler) => {
      const answerTo = (requestId: string) => keptAnswer(answers, requestId);
      questions = takeQuestions(handler, { ...shared, far, notesRedis: journalRedis, answerTo });
    },
    close: async () => {
      clock.close();
      await heartbeat?.stop();
      await Promise.all([finds?.close(), questions?.close()]);
      await looks?.close(graceMs);
      await later.close();
      await answers.close();
      await Promise.all([closeRedis(redis), closeRedis(journalRedis)]);
    },
  };
};
