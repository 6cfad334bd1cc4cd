import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import { z } from 'zod';
import { claimFolder } from './folder-claim.ts';
import { HistoryUnavailable } from './trouble.ts';

const Failed = z.object({ message: z.string(), code: z.string().optional() });
const Said = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ failed: Failed }),
  z.object({ id: z.number(), error: Failed }),
  z.object({
    id: z.number(),
    result: z.object({ rows: z.array(z.unknown()), affectedRows: z.number() }).optional(),
  }),
]);
type Result = { rows: unknown[]; affectedRows: number };

/** An error of the embedded database, with PostgreSQL's code. */
class PgliteError extends Error {
  readonly code: string | undefined;
  constructor({ message, code }: z.infer<typeof Failed>) {
    super(message);
    this.code = code;
  }
}

interface Waiter {
  readonly done: (result: Result | undefined) => void;
  readonly failed: (error: Error) => void;
}

/** The first word of a statement, as node-postgres calls it. */
const commandOf = (sql: string): PostgresQueryResult<unknown>['command'] => {
  const word = /^\s*(\w+)/.exec(sql)?.[1]?.toUpperCase();
  return word === 'INSERT' || word === 'UPDATE' || word === 'DELETE' || word === 'MERGE' ? word : 'SELECT';
};

/** One after the other, in the order in which they asked. */
const turns = () => {
  let last: Promise<void> = Promise.resolve();
  return async (): Promise<() => void> => {
    const before = last;
    let leave = () => {};
    last = new Promise((resolve) => {
      leave = resolve;
    });
    await before;
    return leave;
  };
};

/**
 * The embedded PostgreSQL in a folder, as the pool that Kysely's dialect for PostgreSQL works on. It has one connection: who has it,
 * has it until they release it, so that transactions follow each other. Throws HistoryUnavailable when another process has the
 * folder. A thread that has ended fails all that wait; the pool has to be made anew then. `signal` ends the opening, which
 * takes seconds the first time; a thread that does not answer for `answerMs` is ended (a full disk can bring it there).
 */
export const openPglitePool = async (folder: string, signal: AbortSignal, answerMs: number): Promise<PostgresPool> => {
  const claim = await claimFolder(folder);
  const thread = new Worker(new URL('./pglite-thread.js', import.meta.url), {
    workerData: { folder: path.join(folder, 'pglite') },
    execArgv: [],
  });
  const waiting = new Map<number, Waiter>();
  let last = 0;
  let gone: Error | null = null;
  const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  const fail = (error: Error) => {
    gone ??= error;
    for (const { failed } of waiting.values()) failed(gone);
    waiting.clear();
  };
  const ready = new Promise<void>((resolve, reject) => {
    thread.on('message', (message: unknown) => {
      const said = Said.parse(message);
      if ('ready' in said) return resolve();
      if ('failed' in said) return reject(new PgliteError(said.failed));
      const waiter = waiting.get(said.id);
      waiting.delete(said.id);
      if ('error' in said) waiter?.failed(new PgliteError(said.error));
      else waiter?.done(said.result);
    });
    const over = (why: string) => {
      const error = new HistoryUnavailable(`The embedded database in ${folder} has ended: ${why}.`);
      fail(error);
      reject(error);
    };
    thread.once('error', (error) => over(error instanceof Error ? error.message : String(error)));
    thread.once('exit', () => over('it was stopped'));
  });
  const ask = (message: object): Promise<Result | undefined> =>
    new Promise((done, failed) => {
      if (gone !== null) return failed(gone);
      last += 1;
      const timer = setTimeout(() => {
        const seconds = Math.round(answerMs / 1_000);
        fail(
          new HistoryUnavailable(
            `The embedded database in ${folder} did not answer for ${seconds} s (is its disk full?); it is opened anew.`,
          ),
        );
        void thread.terminate();
      }, answerMs);
      timer.unref();
      waiting.set(last, {
        done: (result) => {
          clearTimeout(timer);
          done(result);
        },
        failed: (error) => {
          clearTimeout(timer);
          failed(error);
        },
      });
      thread.postMessage({ id: last, ...message });
    });
  const end = async () => {
    await thread.terminate();
    await ended;
    await claim.release();
  };
  const giveUp = () => void thread.terminate();
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    await ready;
  } catch (error) {
    await end();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  const turn = turns();
  const query = async (sql: string, parameters: readonly unknown[]) => {
    const result = await ask({ sql, parameters });
    const { rows = [], affectedRows = 0 } = result ?? {};
    return { command: commandOf(sql), rowCount: affectedRows, rows };
  };
  return {
    connect: async () => {
      const leave = await turn();
      // The overload for cursors is not used: none is given to the dialect.
      return { query, release: leave } as unknown as PostgresPoolClient;
    },
    end: async () => {
      await ask({ close: true }).catch(() => undefined);
      await end();
    },
  };
};
