import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../infra/sandbox/sshd.ts';

/** A throw-away PostgreSQL server, on a unix socket and a free port of the loopback. */
export interface Postgres {
  /** By its unix socket, and by TCP. */
  readonly local: string;
  readonly tcp: string;
  readonly pid: number;
  /** Ends it at once, whoever is connected, and starts it again on its data. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const idOf = (flag: string): number => {
  try {
    return Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString());
  } catch {
    return -1;
  }
};

const binaries = (): string | null => {
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base)
    ? readdirSync(base).filter((name) => existsSync(`${base}/${name}/bin/postgres`))
    : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? null : `${base}/${newest}/bin`;
};

/** Whether a server can be started here: Debian's packages, as root, with their user; and psycopg2 for its clients. */
export const canPostgres = (): boolean => {
  if (process.getuid?.() !== 0 || binaries() === null || idOf('-u') < 0) return false;
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import psycopg2'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const ready = async (server: ChildProcess): Promise<void> => {
  const said: string[] = [];
  if (server.stderr === null) throw new Error('the server has no output');
  for await (const line of createInterface({ input: server.stderr })) {
    said.push(line);
    if (line.includes('ready to accept connections')) {
      server.stderr.resume();
      return;
    }
  }
  throw new Error(`PostgreSQL did not start: ${said.slice(-5).join('\n')}`);
};

/** Makes a cluster in a temporary folder and starts it. The caller stops it. */
export const startPostgres = async (): Promise<Postgres> => {
  const bin = binaries();
  if (bin === null) throw new Error('PostgreSQL is not installed');
  const [uid, gid] = [idOf('-u'), idOf('-g')];
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-pg-'));
  const data = path.join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  for (const each of [folder, data]) chownSync(each, uid, gid);
  const options = { uid, gid, cwd: folder, env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' } };
  execFileSync(`${bin}/initdb`, ['-D', data, '-A', 'trust', '-U', 'shop', '-N', '--no-instructions'], {
    ...options,
    stdio: 'ignore',
  });
  const port = await freePort();
  const settings = ['fsync=off', 'autovacuum=off', 'max_connections=40', 'shared_buffers=4MB', 'cluster_name=15/main'];
  const start = () => {
    const server = spawn(
      `${bin}/postgres`,
      ['-D', data, '-k', folder, '-h', '127.0.0.1', '-p', String(port), ...settings.flatMap((each) => ['-c', each])],
      { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    return { server, exited: once(server, 'exit') };
  };
  let running = start();
  const halt = async () => {
    // SIGQUIT: at once, whoever is connected (postgres(1)).
    running.server.kill('SIGQUIT');
    await running.exited;
  };
  const stop = async () => {
    await halt();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready(running.server);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    local: `host=${folder} port=${port} user=shop dbname=postgres`,
    tcp: `host=127.0.0.1 port=${port} user=shop dbname=postgres`,
    pid: running.server.pid ?? 0,
    restart: async () => {
      await halt();
      running = start();
      await ready(running.server);
    },
    stop,
  };
};
