import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { silentLog } from '../../infra/log.ts';
import { type BotQueue, openBotQueue } from '../../infra/queue/bot-side.ts';
import { startRedis } from '../../infra/queue/redis-server.ts';
import { type LocalSlack, startLocalSlack } from '../../infra/sandbox/slack/server.ts';

/** `straceback bot` as its own process, with a real Redis and a local Slack that reaches it by HTTP. */
export interface BenchProgram {
  readonly slack: LocalSlack;
  /** The queue seen from outside; nothing of it is worked on here. */
  readonly queue: BotQueue;
  readonly alertsPort: number;
  readonly secret: string;
  /** Resident memory of the program now and at its highest, MiB (VmRSS and VmHWM in proc(5)). */
  readonly memory: () => Promise<{ now: number; peak: number }>;
  /** Asks the program to end; its exit code. */
  readonly end: () => Promise<number | null>;
  readonly close: () => Promise<void>;
}

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

/** Starts it; all that it started ends with `close`. */
export const startBenchProgram = async (): Promise<BenchProgram> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-bench-'));
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    const redis = await startRedis({ folder });
    closers.push(redis.close);
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
      log: { level: 'info' },
    };
    await writeFile(file, stringify(settings));
    const child = spawn(process.execPath, [...nodeArguments('straceback'), 'bot', '--config', file], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: {
        ...process.env,
        SLACK_BOT_TOKEN: slack.botToken,
        SLACK_SIGNING_SECRET: slack.signingSecret,
        SLACK_API_URL: slack.apiUrl,
        REDIS_URL: redis.url,
        BENCH_SECRET: SECRET,
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
      lines.on('line', (line) => {
        if (said.length < 20) said.push(line);
        if (line.includes('straceback is up')) resolve();
      });
      void ended.then(() => reject(new Error(`the program ended:\n${said.join('\n')}`)));
    });
    await slack.useRequestUrl(`http://127.0.0.1:${slackPort}/slack/events`);
    const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
    closers.push(queue.close);
    const memory = async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      const mebibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
      return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
    };
    return { slack, queue, alertsPort, secret: SECRET, memory, end, close };
  } catch (error) {
    await close();
    throw error;
  }
};
