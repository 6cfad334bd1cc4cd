import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { RedisNotStarted } from './redis-not-started.ts';

/** A Redis of our own on the loopback interface. */
export interface OwnRedis {
  /** With its password: keep it out of logs. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it and waits for its end; its data stays in the folder. */
  readonly close: () => Promise<void>;
}

const CONFIG = 'redis.conf';
const START_MS = 20_000;
const STOP_MS = 10_000;

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(address)));
    });
  });

const setting = (config: string, name: string): string | null =>
  new RegExp(`^${name} (\\S+)$`, 'm').exec(config)?.[1] ?? null;

const urlOf = (port: number, password: string) => `redis://:${password}@127.0.0.1:${port}`;

/**
 * Ends a server that an earlier run left behind in the same folder (that run was killed): two servers must not write
 * one append-only file. The password, known only to this folder, makes sure that it is ours.
 */
const endLeftover = async (port: number, password: string): Promise<void> => {
  const redis = new Redis(urlOf(port, password), {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    commandTimeout: 5_000,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const ended = new Promise((resolve) => redis.once('end', resolve));
    await redis.call('SHUTDOWN', 'SAVE').catch(() => undefined);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
  } catch {
    // Nobody is there, or somebody else: not ours to end.
  } finally {
    redis.disconnect();
  }
};

const configText = (folder: string, port: number, password: string): string =>
  [
    'bind 127.0.0.1',
    `port ${port}`,
    'protected-mode yes',
    `requirepass ${password}`,
    `dir "${folder.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
    'daemonize no',
    // Every write is in the operating system's hands before it is answered, on the disk within a second.
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    // Losing queued work to make room would be worse than refusing new work.
    'maxmemory-policy noeviction',
    'loglevel notice',
    'logfile ""',
    '',
  ].join('\n');

/** Resolves when the server accepts connections; rejects with its last words when it ends before. */
const untilReady = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    const last: string[] = [];
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new RedisNotStarted(`redis-server did not get ready in ${START_MS / 1000} s: ${last.at(-1) ?? ''}`));
    }, START_MS);
    const hear = (line: string) => {
      last.push(line);
      if (last.length > 20) last.shift();
      if (line.includes('Ready to accept connections')) {
        clearTimeout(timer);
        resolve();
      }
    };
    for (const stream of [child.stdout, child.stderr]) if (stream) createInterface({ input: stream }).on('line', hear);
    child.once('error', (error) => {
      clearTimeout(timer);
      const missing = 'code' in error && error.code === 'ENOENT';
      reject(
        new RedisNotStarted(
          missing
            ? 'redis-server is not on the PATH. Install it (Debian, Ubuntu: apt-get install redis-server) or set REDIS_URL.'
            : `redis-server cannot be started: ${error.message}`,
          error,
        ),
      );
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      reject(new RedisNotStarted(`redis-server ended at once (${code}): ${last.slice(-3).join(' ')}`));
    });
  });

/**
 * Starts `redis-server` from the PATH, reachable from this machine only and with a password, which survives in the
 * folder together with the data: starting again in the same folder finds both. `port` 0 or absent: a free one.
 * Throws RedisNotStarted.
 */
export const startRedis = async (options: { folder: string; port?: number }): Promise<OwnRedis> => {
  const { folder } = options;
  const file = join(folder, CONFIG);
  const write = async (work: () => Promise<unknown>): Promise<void> => {
    await work().catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      const what = `${folder}, where Redis is to keep its data, cannot be written (${code})`;
      throw new RedisNotStarted(`${what}: give another dataFolder in the configuration, or set REDIS_URL.`, error);
    });
  };
  await write(() => mkdir(folder, { recursive: true, mode: 0o700 }));
  const earlier = await readFile(file, 'utf8').catch(() => '');
  const password = setting(earlier, 'requirepass') ?? randomBytes(24).toString('hex');
  const earlierPort = setting(earlier, 'port');
  if (earlierPort !== null) await endLeftover(Number(earlierPort), password);
  // A port that was free a moment ago may be taken when the server binds it; then another one is tried.
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port || (await freePort());
    await write(() => writeFile(file, configText(folder, port, password), { mode: 0o600 }));
    await write(() => chmod(file, 0o600));
    // In its own process group: Ctrl-C in a terminal reaches us alone, and we end it after our own work.
    const child = spawn('redis-server', [file], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    try {
      await untilReady(child);
      return { url: urlOf(port, password), port, pid: child.pid ?? 0, close: () => end(child) };
    } catch (error) {
      const taken = error instanceof Error && /in use/i.test(error.message);
      if (!taken || options.port || attempt >= 5) throw error;
    }
  }
};

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
};
