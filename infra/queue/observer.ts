import { Queue } from 'bullmq';
import { type Log, withoutSecrets } from '../log.ts';
import { clockOf } from './clock.ts';
import { closeRedis, openHurried, untilReady, watchErrors } from './connection.ts';
import { PREFIX, QUEUES } from './names.ts';
import { troubleOfNodes } from './node-trouble.ts';
import { placeName, placeOf, type RedisAddress } from './place.ts';
import { troubleOf } from './tls.ts';

const STATES = ['waiting', 'active', 'delayed', 'failed'] as const;
const READY_MS = 500;
/** With the half second before, less than a part of the program has to say how it is. */
const NODE_MS = 1_000;
/** Beyond this a clock is wrong: approvals and start times are compared over machines. */
const MOST_OFF_SECONDS = 5;

export interface QueueDepth {
  readonly queue: string;
  readonly state: (typeof STATES)[number];
  readonly count: number;
}

/** Looks at Redis and at the queues from outside, for those who look after the program. */
export interface QueueObserver {
  readonly state: () => Promise<{ readonly ok: boolean; readonly why: string }>;
  /** This machine's clock less Redis's, s; null when Redis does not say. */
  readonly clockOff: () => Promise<number | null>;
  readonly clockState: () => Promise<{ readonly ok: boolean; readonly why: string }>;
  readonly depths: () => Promise<readonly QueueDepth[]>;
  /** Age of the oldest message that waits, by queue, s. */
  readonly oldest: () => Promise<ReadonlyMap<string, number>>;
  readonly close: () => Promise<void>;
}

/** A clock's offset in a sentence. */
export const clockWords = (off: number): { ok: boolean; why: string } => {
  const seconds = Math.round(Math.abs(off));
  if (Math.abs(off) <= MOST_OFF_SECONDS) return { ok: true, why: 'The clock agrees with that of Redis.' };
  return {
    ok: false,
    why: `The clock of this machine is ${seconds} s ${off > 0 ? 'ahead of' : 'behind'} that of Redis; set the right time on both (NTP).`,
  };
};

/** Opens the observer on a connection of its own, which comes back by itself. */
export const observeQueue = (address: RedisAddress, log: Log, now: () => number = Date.now): QueueObserver => {
  const place = placeOf(address);
  const name = placeName(place);
  const redis = openHurried(address, log);
  let clockWasRight = true;
  let trouble = '';
  redis.on('error', (error: Error) => {
    trouble = withoutSecrets(troubleOf(error, place.tls));
  });
  redis.on('ready', () => {
    trouble = '';
  });
  const queues = QUEUES.map((queue) => {
    const opened = new Queue(queue, {
      connection: redis,
      prefix: PREFIX,
      skipVersionCheck: true,
      skipWaitingForReady: true,
      skipMetasUpdate: true,
    });
    watchErrors(opened, queue, log);
    return { queue, opened };
  });
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    await untilReady(redis, READY_MS);
    return await work();
  };
  const clockOff = async (): Promise<number | null> => {
    try {
      return await ask(async () => {
        const before = now();
        const theirs = await clockOf(redis);
        // The answer was made somewhere between asking and hearing.
        return ((before + now()) / 2 - theirs) / 1000;
      });
    } catch {
      return null;
    }
  };
  return {
    clockOff,
    clockState: async () => {
      const off = await clockOff();
      if (off === null) return { ok: true, why: 'Redis does not say what time it is.' };
      const state = clockWords(off);
      // Asked every few seconds, and said when it changes.
      if (!state.ok && clockWasRight) log.warn({ seconds: Math.round(off) }, state.why);
      if (state.ok && !clockWasRight) log.info({ seconds: off }, 'the clock is right again');
      clockWasRight = state.ok;
      return state;
    },
    state: async () => {
      try {
        await ask(() => redis.ping());
        return { ok: true, why: `Redis answers at ${name}.` };
      } catch (error) {
        const own = error instanceof Error && error.name === 'ReplyError' ? troubleOf(error, place.tls) : trouble;
        // That no node or sentinel is left is said, and not why.
        const node = place.kind !== 'standalone' ? await troubleOfNodes(place, NODE_MS) : null;
        const said = node === null ? own : withoutSecrets(troubleOf(node, place.tls));
        const why = said === '' ? '' : ` (${said})`;
        return { ok: false, why: `Redis does not answer at ${name}${why}. Work waits until it does.` };
      }
    },
    depths: () =>
      ask(async () => {
        const counted = await Promise.all(
          queues.map(async ({ queue, opened }) => {
            const { prioritized = 0, ...counts } = await opened.getJobCounts(...STATES, 'prioritized');
            // Those whose turn is the last one wait, too.
            const more = (state: string) => (state === 'waiting' ? prioritized : 0);
            return STATES.map((state) => ({ queue, state, count: (counts[state] ?? 0) + more(state) }));
          }),
        );
        return counted.flat();
      }),
    oldest: () =>
      ask(async () => {
        const ages = await Promise.all(
          queues.map(async ({ queue, opened }) => {
            const jobs = await opened.getJobs(['waiting', 'prioritized'], 0, 0, true);
            const ages = jobs.map((job) => (now() - job.timestamp) / 1000);
            return [queue, Math.max(0, ...ages)] as const;
          }),
        );
        return new Map(ages);
      }),
    close: async () => {
      await Promise.all(queues.map(({ opened }) => opened.close().catch(() => undefined)));
      await closeRedis(redis);
    },
  };
};
