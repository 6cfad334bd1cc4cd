import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { sleeper, stepsOf } from '../../support/attacker.ts';
import { ask, asking, canInstall, type InstalledHost, installedHost } from '../../support/installed-host.ts';
import { endProcesses } from '../../support/live-process.ts';
import { endSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';

const RUN = '/run/straceback';
const sessions = (): string[] => readdirSync(RUN).filter((name) => name.startsWith('session.'));

describe.skipIf(!canInstall)('whoever keeps a session in a state of their own', () => {
  let host: InstalledHost;

  beforeAll(async () => {
    host = await installedHost();
  });
  afterEach(endProcesses);
  afterAll(endSshd);

  /** A session whose answers nobody reads. */
  const deaf = (requests: string) => {
    const nonce = randomBytes(16).toString('hex');
    const [command = '', ...rest] = asking(host);
    const child = spawn(command, rest, { stdio: 'pipe', cwd: '/' });
    const ended = once(child, 'exit');
    onTestFinished(async () => {
      child.stdin.destroy();
      child.stdout.destroy();
      await ended;
    });
    child.stdin.on('error', () => {});
    child.stdin.write(requests.replace('NONCE', nonce));
    return { nonce, ended };
  };
  const longAgo = (file: string): void => utimesSync(file, Date.now() / 1_000 - 3_600, Date.now() / 1_000 - 3_600);

  it('gives a process back though nobody takes its answers', async () => {
    const target = await sleeper();
    // More than a pipe holds, several times.
    const steps = stepsOf(host, 'list', { pid: 0, startTime: '0' }, Array(30).fill(['x']), {
      bytes: 1_000_000,
      first: 2,
    });
    const held = stepsOf(host, 'last-check', target, [[]], { bytes: 16 });
    const { nonce } = deaf(`N=NONCE W= B=\nsb_start\n${held}${steps}`);
    const folder = `${RUN}/straceback.${nonce}`;
    await until(
      'all steps have ended',
      () => existsSync(folder) && readdirSync(folder).filter((name) => name.endsWith('.end')).length >= 31,
      120,
    );
    const look = `${RUN}/look.${target.pid}`;
    longAgo(`${RUN}/session.${readFileSync(look, 'utf8').trim()}`);
    await until('the process is free', () => !existsSync(look) && !existsSync(folder), 120);
  });

  it('is counted and ended though it says nothing', async () => {
    const before = new Set(sessions());
    const { ended } = deaf('');
    const mine = await until('it is counted', () => sessions().find((name) => !before.has(name)) ?? null);
    longAgo(`${RUN}/${mine}`);
    await ended;
    await until('nothing is left', () => !existsSync(`${RUN}/${mine}`));
  });

  it('does not make a look fail by limits and signals of their own', async () => {
    const target = await sleeper();
    const hostile = 'trap "" TERM ALRM CHLD PIPE HUP INT QUIT; ulimit -S -f 1; ulimit -S -t 3600; exec "$@"';
    const requests = stepsOf(host, 'lsof', target, [[]]);
    const said = await ask(host, requests, { answers: 1, before: ['/bin/bash', '-c', hostile, 'bash'] });
    expect(said.stdout).toMatch(/ step 1 exited 0 /);
    expect(said.status).toBe(0);
  });

  it('asks for no more at once than there is room for', async () => {
    const list = (count: number, bytes: number) =>
      stepsOf(host, 'list', { pid: 0, startTime: '0' }, Array(count).fill(['x']), { bytes });
    const said = await ask(host, list(12, 16_000_000), { answers: 12 });
    expect(said.stdout).toMatch(/ step 1 exited 0 /);
    expect(said.stdout).toMatch(/ exited 126 [\s\S]*too much is asked for at once/);
  });
});
