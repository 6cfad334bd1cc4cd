import { type Progress, Request } from '../../playbooks/model/index.ts';
import type { FarStore } from '../evidence/far-store.ts';
import type { Log } from '../log.ts';
import { botConsumers } from './bot-consumers.ts';
import { openBotQueues } from './bot-queues.ts';
import { type Cancelled, cancelLook } from './cancel.ts';
import { sharedClock } from './clock.ts';
import { closeRedis, openPatient } from './connection.ts';
import { type EditTurns, editTurns } from './edit-turns.ts';
import { isFar, readStored } from './evidence-store.ts';
import { keepSwept } from './evidence-sweep.ts';
import { UNTIL_DONE } from './keep.ts';
import { keptAnswer } from './kept-answer.ts';
import { type HostState, hostStates, type Lately, type RecentLook, recentLooks } from './lately.ts';
import { withLease } from './lease.ts';
import {
  type Answer,
  type AnswerMessage,
  Find,
  Intake,
  type ProgressMessage,
  PutQuestion,
  type Refusal,
  type StoredFile,
} from './messages.ts';
import { jobId, key } from './names.ts';
import { type Notes, notesOn } from './notes.ts';
import { type OpenLook, openLooks } from './open-looks.ts';
import { placeOf, type RedisAddress } from './place.ts';
import type { QueueTelemetry } from './telemetry.ts';

/** Which delivery of the same message this is, from 1: after the first, some of its work may have been done. */
export interface Delivery {
  readonly attempt: number;
}

/** `last`: begun when nothing else waits, so that people need not wait behind a thousand alerts. */
export type Turn = 'in-order' | 'last';

export interface AnswerTools extends Delivery {
  /** The bytes of one of the answer's files; null when they have expired or were never kept. Throws NoEvidence. */
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
   * Keeps what somebody asked for, before it is acknowledged; with `delayMs` it is not begun before that, and `turn` says when among
   * the others. Throws QueueUnavailable within about two seconds.
   */
  readonly accept: (intake: Intake, delayMs?: number, turn?: Turn) => Promise<'queued' | 'duplicate'>;
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
  /** The bytes of one of an answer's files; null when they have expired or were never kept. Throws NoEvidence. */
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
  /** Where evidence is kept in place of Redis. */
  readonly far?: FarStore | undefined;
  /** How long a message of a dead bot stays unnoticed, ms. Default 30,000. Shorter in tests. */
  readonly leaseMs?: number;
  /** How often messages of dead bots are looked for, ms. Default 5,000. */
  readonly stalledCheckMs?: number;
}

/** How long a replica is waited for before something is acknowledged all the same; a site may have none for a while. */
const REPLICATED_MS = 300;

/** Opens the bot's side. Redis may be away: what needs it fails clearly, and works again when it is back. */
export const openBotQueue = (options: BotQueueOptions): BotQueue => {
  const { redisUrl, log, telemetry, far, leaseMs = 30_000, stalledCheckMs = 5_000 } = options;
  const replicated = placeOf(redisUrl).kind === 'sentinel';
  const queues = openBotQueues(redisUrl, log, telemetry);
  const { hurried, quickly, add, intake, looks, finds, questions, answers } = queues;
  const patient = openPatient(redisUrl, log);
  const clock = sharedClock(patient);

  const alone = <T>(kind: string, id: string, work: () => Promise<T>, late = false): Promise<T> =>
    withLease(patient, { name: key('handling', kind, id), doing: kind, leaseMs, waitMs: 2 * leaseMs, late }, work);

  const consumers = botConsumers({ redisUrl, patient, log, clock, alone, leaseMs, stalledCheckMs, telemetry, far });
  const sweeping = far === undefined ? null : keepSwept(patient, far, clock, log);

  return {
    accept: async (message, delayMs = 0, turn = 'in-order') => {
      const accepted = await add(intake, jobId('intake', message.id), Intake.parse(message), {
        ...UNTIL_DONE,
        ...(turn === 'last' ? { priority: 1 } : {}),
        delay: delayMs,
        timestamp: clock.now(),
      });
      // What is acknowledged must outlive a fail-over. Everything that follows is made again from it.
      if (replicated) await hurried.wait(1, REPLICATED_MS).catch(() => 0);
      return accepted;
    },
    enqueue: async (request) => {
      const timestamp = request.requestedAt;
      return await add(looks, jobId('look', request.id), Request.parse(request), { timestamp });
    },
    find: (find) => {
      const asked = Find.parse({ ...find, at: clock.now() });
      return add(finds, jobId('find', find.id), asked);
    },
    ask: (question) => {
      const put = PutQuestion.parse({ ...question, at: clock.now() });
      return add(questions, jobId('question', question.id), put);
    },
    cancel: (wish) =>
      quickly(() => {
        const answer = (requestId: string, message: AnswerMessage) =>
          add(answers, jobId('answer', requestId), message, UNTIL_DONE);
        return cancelLook({ redis: hurried, looks, answers, answer }, wish);
      }),
    open: (wanted) => quickly(() => openLooks(looks, wanted)),
    onIntake: consumers.onIntake,
    onProgress: consumers.onProgress,
    onRefusal: consumers.onRefusal,
    onAnswer: consumers.onAnswer,
    turns: editTurns(patient),
    recentLooks: recentLooks(hurried, quickly),
    hostStates: hostStates(hurried, quickly),
    notes: notesOn(hurried, quickly),
    alone: (kind, id, work) => alone(kind, id, work),
    answerTo: (requestId) => quickly(() => keptAnswer(answers, requestId)),
    answerShown: (requestId) =>
      quickly(async () => {
        const job = await answers.getJob(jobId('answer', requestId));
        return job === undefined || (await job.isCompleted());
      }),
    readFile: (file) => {
      const read = () => readStored({ redis: hurried, far }, file);
      return isFar(file) ? read() : quickly(read);
    },
    status: queues.status,
    pending: queues.pending,
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
      await sweeping?.stop();
      await consumers.close();
      await queues.close();
      await closeRedis(patient);
    },
  };
};
