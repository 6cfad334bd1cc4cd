import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { silentLog } from '../../infra/log.ts';
import { type BotQueue, openBotQueue } from '../../infra/queue/bot-side.ts';
import { startRedis } from '../../infra/queue/redis-server.ts';
import { type LocalSlack, startLocalSlack } from '../../infra/sandbox/slack/server.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type ProcessFigures, processFigures } from './process-figures.ts';

/** `straceback bot` as its own process, with a real Redis and a local Slack that reaches it by HTTP. */
export interface BenchProgram {
  readonly slack: LocalSlack;
  /** The queue seen from outside; nothing of it is worked on here. */
  readonly queue: BotQueue;
  readonly alertsPort: number;
  readonly secret: string;
  /** Resident memory of the program now and at its highest, MiB, and its processor time, s. */
  readonly figures: () => Promise<ProcessFigures>;
  /** Asks the program to end; its exit code. */
  readonly end: () => Promise<number | null>;
  readonly close: () => Promise<void>;
}

/** Where the program keeps its history: nowhere, embedded in its own process, or in a PostgreSQL started for it. */
export type HistoryKind = 'none' | 'embedded' | 'postgresql';

const SECRET = 'bench-secret-0123456789';

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(address)));
    });
  });

/** What node is given to run a file of the repository (without its extension): compiled, or by the loader for .ts. */
export const nodeArguments = (file: string): string[] => {
  const root = path.resolve(import.meta.dirname, '../..');
  return import.meta.filename.endsWith('.ts')
    ? ['--import', path.join(root, 'tests/support/typescript-loader.mjs'), path.join(root, `${file}.ts`)]
    : [path.join(root, `${file}.js`)];
};

const addressOf = ({ tcp }: Postgres): string => `postgresql://shop@127.0.0.1:${/port=(\d+)/.exec(tcp)?.[1]}/postgres`;

/** Starts it, and waits until its history can be used; all that it started ends with `close`. */
export const startBenchProgram = async (history: HistoryKind = 'none'): Promise<BenchProgram> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-bench-'));
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    const redis = await startRedis({ folder });
    closers.push(redis.close);
    const postgres = history === 'postgresql' ? await startPostgres() : null;
    if (postgres !== null) closers.push(postgres.stop);
    const slack = await startLocalSlack();
    closers.push(async () => slack.close());
    const [slackPort, alertsPort] = [await freePort(), await freePort()];
    const file = path.join(folder, 'straceback.yaml');
    const settings = {
      slack: { mode: 'http', port: slackPort },
      dataFolder: folder,
      alerts: {
        port: alertsPort,
        sources: { generic: { secrets: 'BENCH_SECRET' } },
        defaultChannel: slack.world.channels[0]?.id,
      },
      history: { keep: history !== 'none' },
      log: { level: 'info' },
    };
    await writeFile(file, stringify(settings));
    // For those who want to know where the time goes: --cpu-prof writes a profile there when the program ends.
    const profile = process.env.STRACEBACK_BENCH_PROFILE;
    const profiled = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    const argv = [...profiled, ...nodeArguments('straceback'), 'bot', '--config', file];
    const child = spawn(process.execPath, argv, {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: {
        ...process.env,
        SLACK_BOT_TOKEN: slack.botToken,
        SLACK_SIGNING_SECRET: slack.signingSecret,
        SLACK_API_URL: slack.apiUrl,
        REDIS_URL: redis.url,
        BENCH_SECRET: SECRET,
        DATABASE_URL: postgres === null ? '' : addressOf(postgres),
      },
    });
    const ended = once(child, 'exit');
    const end = async (): Promise<number | null> => {
      child.kill('SIGTERM');
      await ended;
      return child.exitCode;
    };
    closers.push(end);
    const lines = createInterface({ input: child.stderr });
    await new Promise<void>((resolve, reject) => {
      const said: string[] = [];
      const awaited = new Set(['straceback is up', ...(history === 'none' ? [] : ['history is open'])]);
      lines.on('line', (line) => {
        if (said.length < 20) said.push(line);
        for (const each of awaited) if (line.includes(each)) awaited.delete(each);
        if (awaited.size === 0) resolve();
      });
      void ended.then(() => reject(new Error(`the program ended:\n${said.join('\n')}`)));
    });
    await slack.useRequestUrl(`http://127.0.0.1:${slackPort}/slack/events`);
    const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
    closers.push(queue.close);
    const figures = () => processFigures(child.pid ?? 0);
    return { slack, queue, alertsPort, secret: SECRET, figures, end, close };
  } catch (error) {
    await close();
    throw error;
  }
};
