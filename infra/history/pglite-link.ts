import { Worker } from 'node:worker_threads';
import { z } from 'zod';
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
export type PgliteResult = { rows: unknown[]; affectedRows: number };

/** An error of the embedded database, with PostgreSQL's code. */
class PgliteError extends Error {
  readonly code: string | undefined;
  constructor({ message, code }: z.infer<typeof Failed>) {
    super(message);
    this.code = code;
  }
}

interface Waiter {
  readonly done: (result: PgliteResult | undefined) => void;
  readonly failed: (error: Error) => void;
}

/** A thread that has an embedded PostgreSQL open. */
export interface PgliteThread {
  /** Rejects with the database's error, or with HistoryUnavailable when the thread has ended or does not answer. */
  readonly ask: (message: object) => Promise<PgliteResult | undefined>;
  /** Closes the database and ends the thread, which gives all of its memory back. Never rejects. */
  readonly close: () => Promise<void>;
}

export interface PgliteThreadOptions {
  /** Where the files of the database are; they are made where there are none, which takes seconds. */
  readonly files: string;
  /** The folder by which people know it, for sentences. */
  readonly folder: string;
  /** Ends the opening. */
  readonly signal: AbortSignal;
  /** A thread that does not answer for so long is ended (a full disk can bring it there), ms. */
  readonly answerMs: number;
}

/** Opens a database in a thread of its own. Throws HistoryUnavailable when the thread ends over it, else the database's error. */
export const openPgliteThread = async (options: PgliteThreadOptions): Promise<PgliteThread> => {
  const { files, folder, signal, answerMs } = options;
  const thread = new Worker(new URL('./pglite-thread.js', import.meta.url), {
    workerData: { folder: files },
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
  const ask = (message: object): Promise<PgliteResult | undefined> =>
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
  return {
    ask,
    close: async () => {
      await ask({ close: true }).catch(() => undefined);
      await end();
    },
  };
};
