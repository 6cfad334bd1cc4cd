import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { type OwnRedis, startRedis } from '../../infra/queue/redis-server.ts';
import { type LocalSlack, startLocalSlack } from '../../infra/sandbox/slack/server.ts';
import { freePort } from '../../infra/sandbox/sshd.ts';
import { canPostgres, type Postgres, startPostgres } from '../support/postgres.ts';
import { type Host, startHost } from './hosts.ts';
import { type Side, startSide } from './processes.ts';

export interface PartsOptions {
  readonly hosts: number;
  readonly targets: number;
  readonly bots: number;
  readonly workers: number;
}

/** Everything that a run is made of, all of it real. */
export interface Parts {
  /** Logs of bots and workers are here; removed by `close`. */
  readonly folder: string;
  readonly slack: LocalSlack;
  readonly hosts: readonly Host[];
  readonly bots: readonly Side[];
  readonly workers: readonly Side[];
  /** Where each bot takes alerts in. */
  readonly alertPorts: readonly number[];
  readonly alertSecret: string;
  readonly redis: {
    readonly url: string;
    /** Kills the server and starts it again on its append-only file. */
    readonly killed: () => Promise<void>;
  };
  /** Null where PostgreSQL cannot be started. */
  readonly postgres: { readonly url: string; readonly restart: () => Promise<void> } | null;
  /** Fills the data folder of a bot or worker (audit log); a second call of what is returned does nothing. */
  readonly fillData: (which: number) => () => void;
  readonly close: () => Promise<void>;
}

const SECRET = 'what-alerts-are-signed-with';
const DATA_SIZE = '8m';

const portIn = (text: string): number => Number(/port=(\d+)/.exec(text)?.[1]);

/** A data folder that is a small tmpfs. */
const smallFolder = (at: string): (() => Promise<void>) => {
  mkdirSync(at);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DATA_SIZE},mode=700`, 'tmpfs', at]);
  return async () => void execFileSync('umount', ['-l', at]);
};

/** Starts all parts; what was started is ended when one fails. Needs root. */
export const startParts = async (options: PartsOptions): Promise<Parts> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-faults-'));
  const closers: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    // Slack tries a failed delivery again after a minute and after five; nobody waits for that here.
    const slack = await startLocalSlack({ ackTimeoutMs: 10_000, retryDelaysMs: [0, 2_000, 10_000] });
    closers.push(() => slack.close());
    const redisFolder = path.join(folder, 'redis');
    let redis: OwnRedis = await startRedis({ folder: redisFolder });
    closers.push(() => redis.close());
    const postgres: Postgres | null = canPostgres() ? await startPostgres() : null;
    if (postgres !== null) closers.push(postgres.stop);
    const hosts: Host[] = [];
    for (let index = 0; index < options.hosts; index += 1) {
      const host = await startHost(`web-${index + 1}`, folder, options.targets, index * options.targets);
      hosts.push(host);
      closers.push(host.close);
    }
    const databaseUrl = postgres === null ? null : `postgresql://shop@127.0.0.1:${portIn(postgres.tcp)}/postgres`;
    const env = {
      SLACK_API_URL: slack.apiUrl,
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_APP_TOKEN: slack.appToken,
      REDIS_URL: redis.url,
      FAULTS_ALERTS: SECRET,
      ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
    };
    const dataFolders: string[] = [];
    const side = async (name: string, words: readonly string[], more: object): Promise<Side> => {
      const data = path.join(folder, `data-${name}`);
      closers.push(smallFolder(data));
      dataFolders.push(data);
      const file = path.join(folder, `${name}.yaml`);
      const settings = {
        hosts: hosts.map((host) => {
          const { name: called, address, port, user, identityFile, knownHostsFile } = host.sshd.host(host.name);
          return { name: called, address, port, user, identityFile, knownHostsFile };
        }),
        // Everything may be done without asking, so that cores are written, too.
        policy: { allow: ['none', 'slows', 'stops', 'writes-disk'] },
        dataFolder: data,
        history: { keep: databaseUrl !== null },
        health: { port: 0 },
        ...more,
      };
      writeFileSync(file, stringify(settings));
      const started = await startSide(name, [...words, '--config', file], env, folder);
      closers.push(started.kill);
      return started;
    };
    const alertPorts: number[] = [];
    const bots: Side[] = [];
    for (let index = 0; index < options.bots; index += 1) {
      const port = await freePort();
      alertPorts.push(port);
      const alerts = {
        port,
        sources: { generic: { secrets: 'FAULTS_ALERTS' } },
        inventory: Object.fromEntries(hosts.map(({ name }) => [name, name])),
        routes: [
          {
            name: 'all',
            channel: slack.channel('alerts'),
            hostFrom: 'host',
            selector: '{pid}',
            playbook: 'glance',
            cooldownMinutes: 0,
          },
        ],
        // A storm is another subject: here each alert has a thread.
        limits: { looksPerHost: 3, looks: 8, groupsPerMinute: 1_000 },
      };
      bots.push(await side(`bot-${index + 1}`, ['bot'], { alerts }));
    }
    const workers: Side[] = [];
    for (let index = 0; index < options.workers; index += 1) {
      workers.push(await side(`worker-${index + 1}`, ['worker'], { worker: { concurrency: 6 } }));
    }
    return {
      folder,
      slack,
      hosts,
      bots,
      workers,
      alertPorts,
      alertSecret: SECRET,
      redis: {
        url: redis.url,
        killed: async () => {
          process.kill(redis.pid, 'SIGKILL');
          await redis.close();
          redis = await startRedis({ folder: redisFolder, port: redis.port });
        },
      },
      postgres: postgres === null || databaseUrl === null ? null : { url: databaseUrl, restart: postgres.restart },
      fillData: (which) => {
        const at = dataFolders[which % dataFolders.length] ?? folder;
        const full = path.join(at, 'filled');
        const { bsize, bavail } = statfsSync(at);
        try {
          writeFileSync(full, Buffer.alloc(bsize * bavail));
        } catch {
          // Its owner took the last page.
        }
        return () => rmSync(full, { force: true });
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
