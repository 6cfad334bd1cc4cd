import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import { claimFolder } from './folder-claim.ts';
import { openPgliteThread, type PgliteThreadOptions } from './pglite-link.ts';

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

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );

/**
 * Makes the files of a database that is not there yet. In a thread of its own: making one takes several times the memory that it needs
 * afterwards, and only a thread that ends gives it back. Under another name until it is whole, so that one whose making was
 * ended in the middle is never taken for a database.
 */
const make = async (options: PgliteThreadOptions): Promise<void> => {
  const unfinished = `${options.files}-unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  const thread = await openPgliteThread({ ...options, files: unfinished });
  await thread.close();
  await rename(unfinished, options.files);
};

/**
 * The embedded PostgreSQL in a folder, as the pool that Kysely's dialect for PostgreSQL works on. It has one connection: who has it,
 * has it until they release it, so that transactions follow each other. Throws HistoryUnavailable when another process has the
 * folder. A thread that has ended fails all that wait; the pool has to be made anew then. `signal` ends the opening, which
 * takes seconds the first time; a thread that does not answer for `answerMs` is ended (a full disk can bring it there).
 */
export const openPglitePool = async (folder: string, signal: AbortSignal, answerMs: number): Promise<PostgresPool> => {
  const claim = await claimFolder(folder);
  const options = { files: path.join(folder, 'pglite'), folder, signal, answerMs };
  const open = async () => {
    if (!(await isThere(options.files))) await make(options);
    return await openPgliteThread(options);
  };
  const thread = await open().catch(async (error: unknown) => {
    await claim.release();
    throw error;
  });
  const turn = turns();
  const query = async (sql: string, parameters: readonly unknown[]) => {
    const result = await thread.ask({ sql, parameters });
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
      await thread.close();
      await claim.release();
    },
  };
};
