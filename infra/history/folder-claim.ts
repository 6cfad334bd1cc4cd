import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { mkdir, open, readlink, rename, symlink, unlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { HistoryUnavailable } from './trouble.ts';

const NAME = 'in-use-by';
const TRIES = 10;

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;

/** Whether somebody listens: the kernel says, whichever container they are in. */
const listens = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT'].includes(String(codeOf(error)))));
  });

const unlessGone = async <T>(work: Promise<T>): Promise<T | null> => {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
};

/**
 * Makes a folder this process's own until it ends: a socket in it that this process listens on, and a link that names the socket.
 * One whose process has died refuses connections and is taken over. Throws HistoryUnavailable while somebody else has it.
 */
export const claimFolder = async (folder: string): Promise<{ readonly release: () => Promise<void> }> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const opened = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  // A socket's name has at most 107 bytes (unix(7)); this way the folder's own length does not count.
  const at = (name: string) => `/proc/self/fd/${opened.fd}/${name}`;
  const own = `${process.pid}-${randomUUID().slice(0, 8)}.sock`;
  const server = createServer((socket) => socket.destroy());
  const release = async () => {
    if ((await unlessGone(readlink(at(NAME)))) === own) await unlessGone(unlink(at(NAME)));
    await new Promise((resolve) => server.close(resolve));
    await opened.close();
  };
  server.listen(at(own));
  try {
    await once(server, 'listening');
  } catch (error) {
    await opened.close();
    throw error;
  }
  server.unref();
  try {
    for (let tries = 0; tries < TRIES; tries += 1) {
      try {
        await symlink(own, at(NAME));
        return { release };
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      const holder = await unlessGone(readlink(at(NAME)));
      if (holder === null) continue;
      if (await listens(at(holder))) {
        throw new HistoryUnavailable(
          `The history in ${folder} is open in another process (pid ${holder.split('-')[0]}). One process can have it at a time: end that one, or give all of them a PostgreSQL with DATABASE_URL.`,
        );
      }
      const old = `${own}.old`;
      if ((await unlessGone(rename(at(NAME), at(old)).then(() => true))) === null) continue;
      const moved = await readlink(at(old));
      await unlink(at(old));
      // Somebody else was faster: what was moved away is theirs, and goes back.
      if (moved !== holder) await symlink(moved, at(NAME)).catch(() => undefined);
      else await unlessGone(unlink(at(holder)));
    }
    throw new HistoryUnavailable(`The history in ${folder} is being opened by other processes at the same time.`);
  } catch (error) {
    await release();
    throw error;
  }
};
