import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { authority, CLIENT, certificate, LOOPBACK } from './certificates.ts';

const run = promisify(execFile);

/** A folder of this test's own, removed after it. */
export const folderForTest = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'straceback-kinds-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

/** So many different ports that nobody listened at a moment ago. */
export const freePorts = async (count: number): Promise<number[]> => {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
};

export interface Started {
  readonly child: ChildProcess;
  readonly kill: () => Promise<void>;
}

/** A redis-server with these settings, ended after the test. `ready` is in the line that says that it serves. */
export const serverForTest = async (
  folder: string,
  name: string,
  settings: readonly string[],
  { sentinel = false, ready = 'Ready to accept connections' } = {},
): Promise<Started> => {
  const file = join(folder, `${name}.conf`);
  await writeFile(file, `${['bind 127.0.0.1', `dir ${folder}`, 'save ""', ...settings].join('\n')}\n`);
  const child = spawn('redis-server', [file, ...(sentinel ? ['--sentinel'] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(kill);
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      if (line.includes(ready)) resolve();
    });
    void ended.then(() => reject(new Error(`redis-server ended: ${lines.slice(-5).join('\n')}`)));
  });
  return { child, kill };
};

/** A certificate authority, and certificates by it for a server on 127.0.0.1 and for a client. */
export const certificatesForTest = async (folder: string) => {
  await authority(folder, 'ca');
  await certificate(folder, 'server', { by: 'ca', extension: LOOPBACK });
  await certificate(folder, 'client', { by: 'ca', extension: CLIENT });
  const text = (name: string) => readFile(join(folder, name), 'utf8');
  return { ca: await text('ca.crt'), cert: await text('client.crt'), key: await text('client.key') };
};

/** What redis-cli says to a command. */
export const redisCli = async (port: number, ...words: string[]): Promise<string> =>
  (await run('redis-cli', ['-p', String(port), ...words])).stdout;
