import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisClient } from './connection.ts';
import { key } from './names.ts';

/**
 * Takes the turn to edit a message, unless the request has its final state, a newer request shows there, a newer
 * state is shown, or somebody else edits or edited less than a moment ago.
 * KEYS: turn, newest request, state shown, final. ARGV: token, lease ms, requestedAt, order, memory in ms.
 */
const TAKE = `if ARGV[4] ~= '' and redis.call('EXISTS', KEYS[4]) == 1 then return 'late' end
if tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[3]) then return 'late' end
if ARGV[4] ~= '' and tonumber(redis.call('GET', KEYS[3]) or '-1') >= tonumber(ARGV[4]) then return 'late' end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 'busy' end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[5])
if ARGV[4] ~= '' then redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5]) end
return 'taken'`;

/** Ends the turn: the next one may begin a moment later. */
const END = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;

const MEMORY_MS = 7 * 24 * 3600 * 1000;
/** Longer than an edit can take, so that a bot that died in the middle does not block the message for long. */
const TURN_MS = 20_000;
const POLL_MS = 250;

/** Which message is edited for which request. */
export interface EditedMessage {
  readonly channel: string;
  readonly ts: string;
  readonly requestId: string;
  readonly requestedAt: number;
}

/** Keeps edits of one message in order over all bots, and at most one a second. */
export interface EditTurns {
  /**
   * Runs `edit` unless a newer or the final state is shown already or the turn cannot be had within two seconds.
   * Throws what `edit` throws, and Redis's error when it is away.
   */
  readonly progress: (message: EditedMessage, order: number, edit: () => Promise<void>) => Promise<void>;
  /**
   * From now on no progress of this request is shown; waits for an edit that is being made, then runs `edit`, unless
   * the message shows a newer request. Throws what `edit` throws, and Redis's error when it is away.
   */
  readonly final: (message: EditedMessage, edit: () => Promise<void>) => Promise<void>;
  /**
   * Runs an edit that belongs to no look (a line that is added to what is shown), while nobody else edits the message. What it
   * changes has to be read inside of it. Throws what `edit` throws, and Redis's error when it is away.
   */
  readonly other: (message: Pick<EditedMessage, 'channel' | 'ts'>, edit: () => Promise<void>) => Promise<void>;
}

/** Makes the turns on a connection; `everyMs` is the least time between two edits of a message. */
export const editTurns = (redis: RedisClient, everyMs = 1_000): EditTurns => {
  const run = async (message: EditedMessage, order: string, waitMs: number, edit: () => Promise<void>) => {
    const turn = key('turn', message.channel, message.ts);
    const newest = key('newest', message.channel, message.ts);
    const keys = [turn, newest, key('shown', message.requestId), key('final', message.requestId)];
    const token = randomUUID();
    const until = Date.now() + waitMs;
    for (;;) {
      const got = await redis.eval(TAKE, 4, ...keys, token, TURN_MS, message.requestedAt, order, MEMORY_MS);
      if (got === 'taken') break;
      if (got !== 'busy' || Date.now() >= until) return;
      await sleep(POLL_MS);
    }
    try {
      await edit();
    } finally {
      await redis.eval(END, 1, turn, token, everyMs).catch(() => undefined);
    }
  };
  const other: EditTurns['other'] = async ({ channel, ts }, edit) => {
    const turn = key('turn', channel, ts);
    const token = randomUUID();
    // A turn ends by itself, so this wait has an end.
    while ((await redis.set(turn, token, 'PX', TURN_MS, 'NX')) === null) await sleep(POLL_MS);
    try {
      await edit();
    } finally {
      await redis.eval(END, 1, turn, token, everyMs).catch(() => undefined);
    }
  };
  return {
    other,
    progress: (message, order, edit) => run(message, String(order), 2_000, edit),
    final: async (message, edit) => {
      await redis.set(key('final', message.requestId), '1', 'PX', MEMORY_MS);
      // A turn ends by itself in TURN_MS, so this wait has an end and the edit is made.
      await run(message, '', TURN_MS + 5_000, edit);
    },
  };
};
