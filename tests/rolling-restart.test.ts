import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../infra/log.ts';
import { openBotQueue } from '../infra/queue/bot-side.ts';
import type { LocalSlack } from '../infra/sandbox/slack/server.ts';
import { quiet, shown, slackForTest, threadsIn } from './support/bot.ts';
import { endProcesses, startProcess } from './support/live-process.ts';
import { redisForTest } from './support/queue.ts';
import { until } from './support/until.ts';

afterEach(endProcesses);

const ENTRY = fileURLToPath(new URL('../straceback.ts', import.meta.url));
const LOADER = fileURLToPath(new URL('./support/typescript-loader.mjs', import.meta.url));

/** The program as people start it, in a process of its own; killed after the test if it still lives. */
const startStraceback = (words: readonly string[], env: NodeJS.ProcessEnv) => {
  const child = spawn(process.execPath, ['--import', LOADER, ENTRY, ...words], {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const health = () =>
    until(
      `${words[0]} listens: ${lines.join('\n')}`,
      () =>
        lines.map((line) => /"port":(\d+),"msg":"listening for health checks"/.exec(line)?.[1]).find(Boolean) ?? null,
      60,
    );
  const readyz = async () => await fetch(`http://127.0.0.1:${await health()}/readyz`);
  return {
    lines,
    readyz,
    ready: () => until(`${words[0]} is ready`, async () => (await readyz()).status === 200, 60),
    /** Ends it as an orchestrator does, and gives its exit code. */
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = await ended;
      return code;
    },
  };
};

/** A site of this test's own with Slack and Redis; `host` is this machine. */
const siteForTest = async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-rolling-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [slack, redis] = await Promise.all([slackForTest({ ackTimeoutMs: 30_000 }), redisForTest()]);
  const config = path.join(folder, 'straceback.yaml');
  await writeFile(
    config,
    `hosts:\n  - {name: local, transport: local}\ndataFolder: data\nhealth: {port: 0}\nhistory: {keep: false}\n`,
  );
  const env = {
    SLACK_API_URL: slack.apiUrl,
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_APP_TOKEN: slack.appToken,
    REDIS_URL: redis.url,
  };
  return { slack, redis, env, start: (side: string) => startStraceback([side, '--config', config], env) };
};

/** What stands in a look's thread beside its first message: reports are what is neither files nor buttons. */
const reportsIn = (slack: LocalSlack, ts: string): number =>
  slack
    .thread('ops', ts)
    .slice(1)
    .filter((message) => message.files === undefined && message.blocks?.[0]?.type !== 'actions').length;

test('bots and workers are restarted one after the other while looks run: each command has one answer', async () => {
  const { slack, redis, start } = await siteForTest();
  const pids: number[] = [];
  const ask = async () => {
    const { pid } = await startProcess('/usr/bin/python3', ['-c', 'import sys; sys.stdin.read()']);
    pids.push(pid);
    const { ack, responses } = await slack.user('bob').slash('/diagnose', `local ${pid} glance 1`, 'ops');
    expect({ ack: ack.acked || ack.reason, said: responses.map(({ text }) => text) }).toEqual({ ack: true, said: [] });
  };
  const sides = ['worker', 'bot', 'worker', 'bot'];
  const old = sides.map(start);
  await Promise.all(old.map(({ ready }) => ready()));
  await ask();
  for (const [index, side] of sides.entries()) {
    const next = start(side);
    await next.ready();
    await ask();
    const stopped = old[index]?.stop();
    await ask();
    expect(await stopped).toBe(0);
  }
  await ask();
  const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
  onTestFinished(() => queue.close());
  await slack.waitFor(
    () => threadsIn(slack, 'ops').filter(({ ts }) => reportsIn(slack, ts) > 0).length >= pids.length,
    {
      timeoutMs: 90_000,
      what: 'an answer to each',
    },
  );
  await quiet(queue);
  const threads = threadsIn(slack, 'ops');
  const seen = pids.map((pid) => threads.filter((first) => new RegExp(`\\b${pid}\\b`).test(shown(first))));
  expect(seen.map((own) => own.map(({ ts }) => reportsIn(slack, ts)))).toEqual(pids.map(() => [1]));
  expect(threads).toHaveLength(pids.length);
});

test('without Redis and Slack at the start it says so, waits, and works when they are there', async () => {
  const { slack, redis, start } = await siteForTest();
  await redis.close();
  slack.faults.add({ kind: '500', method: 'auth.test', times: Number.POSITIVE_INFINITY });
  const up = start('up');
  const parts = await until('it says what is missing', async () => {
    const answer = await up.readyz();
    const { parts: found } = (await answer.json()) as { parts: Record<string, { ok: boolean; why: string }> };
    return answer.status === 503 && found.redis?.ok === false && found.slack?.ok === false ? found : null;
  });
  expect(parts.redis?.why).toContain(`127.0.0.1:${redis.port}`);
  await until('it said so', () => up.lines.some((line) => line.includes('Slack does not answer')), 60);
  await redis.restart();
  slack.faults.clear();
  await up.ready();
  const { pid } = await startProcess('/usr/bin/python3', ['-c', 'import sys; sys.stdin.read()']);
  await slack.user('bob').slash('/diagnose', `local ${pid} glance 1`, 'ops');
  await slack.waitFor(() => threadsIn(slack, 'ops').some(({ ts }) => reportsIn(slack, ts) > 0), {
    timeoutMs: 60_000,
    what: 'the answer',
  });
  expect(up.lines.filter((line) => line.includes('Redis cannot be reached'))).toHaveLength(1);
  expect(up.lines.filter((line) => line.includes('Slack does not answer'))).toHaveLength(1);
  expect(up.lines.join('\n')).not.toContain(new URL(redis.url).password);
  expect(await up.stop()).toBe(0);
});

test('a polite kill ends a bot that still waits for Slack', async () => {
  const { slack, start } = await siteForTest();
  slack.faults.add({ kind: '500', method: 'auth.test', times: Number.POSITIVE_INFINITY });
  const bot = start('bot');
  await until('it waits', () => bot.lines.some((line) => line.includes('Slack does not answer')), 60);
  expect(await bot.stop()).toBe(0);
});
