import { Queue } from 'bullmq';
import { Request } from '../../playbooks/model/index.ts';
import type { Log } from '../log.ts';
import type { QueueStatus } from './bot-side.ts';
import { closeRedis, openHurried, QueueUnavailable, untilReady, watchErrors } from './connection.ts';
import { countWorkers } from './heartbeat.ts';
import { type AnswerMessage, type Find, type Intake, ProgressMessage, type PutQuestion } from './messages.ts';
import { ANSWERS, FINDS, INTAKE, LOOKS, PREFIX, QUESTIONS } from './names.ts';
import type { RedisAddress } from './place.ts';
import { type QueueTelemetry, withTelemetry } from './telemetry.ts';

const READY_MS = 500;

/**
 * Opens the queues as a bot puts into them and asks about them, on one connection that fails within about two seconds when Redis
 * is away.
 */
export const openBotQueues = (redisUrl: RedisAddress, log: Log, telemetry: QueueTelemetry | undefined) => {
  const hurried = openHurried(redisUrl, log);
  const queueOn = <Data>(name: string) => {
    // The connection fails fast; waiting for it here would make the first command after a start fail instead.
    const queue = new Queue<Data>(name, {
      connection: hurried,
      prefix: PREFIX,
      skipVersionCheck: true,
      skipWaitingForReady: true,
      ...withTelemetry(telemetry),
    });
    watchErrors(queue, name, log);
    return queue;
  };
  const intake = queueOn<Intake>(INTAKE);
  const looks = queueOn<Request>(LOOKS);
  const finds = queueOn<Find>(FINDS);
  const questions = queueOn<PutQuestion>(QUESTIONS);
  const answers = queueOn<AnswerMessage>(ANSWERS);

  /** Runs what needs Redis now. Throws QueueUnavailable. */
  const quickly = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      await untilReady(hurried, READY_MS);
      return await work();
    } catch (error) {
      throw error instanceof QueueUnavailable ? error : new QueueUnavailable(error);
    }
  };

  /** Puts a message unless there is one with this id. Throws QueueUnavailable. */
  const add = <Data>(queue: Queue<Data>, id: string, data: Data, how: object = {}) =>
    quickly(async (): Promise<'queued' | 'duplicate'> => {
      const there = await hurried.exists(queue.toKey(id));
      if (there === 1) return 'duplicate';
      // Its types tie the name to the data, which a generic Data cannot show.
      await queue.add(...(['message', data, { ...how, jobId: id }] as unknown as Parameters<typeof queue.add>));
      return 'queued';
    });

  return {
    hurried,
    intake,
    looks,
    answers,
    finds,
    questions,
    quickly,
    add,
    /** Throws QueueUnavailable. */
    status: (): Promise<QueueStatus> =>
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
    /** Throws QueueUnavailable. */
    pending: () =>
      quickly(async () => {
        const left = (queue: { getJobCountByTypes: typeof intake.getJobCountByTypes }) =>
          queue.getJobCountByTypes('waiting', 'prioritized', 'active', 'delayed');
        const queues = [intake, looks, answers, finds, questions];
        const [first, second, third, found, asked] = await Promise.all(queues.map(left));
        return { intake: first ?? 0, looks: (second ?? 0) + (found ?? 0) + (asked ?? 0), answers: third ?? 0 };
      }),
    close: async () => {
      await Promise.all([intake, looks, finds, questions, answers].map((queue) => queue.close()));
      await closeRedis(hurried);
    },
  };
};
