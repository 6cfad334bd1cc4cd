import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { slackForTest } from './support/bot.ts';
import { redisForTest } from './support/queue.ts';

const PROGRAM = [
  '--import',
  fileURLToPath(new URL('./support/typescript-loader.mjs', import.meta.url)),
  fileURLToPath(new URL('../straceback.ts', import.meta.url)),
];

/** How the program ends that cannot do what it is asked for, and what it says last. */
const refused = async (
  words: readonly string[],
  env: Record<string, string>,
  file = '',
): Promise<[unknown, string]> => {
  const folder = await mkdtemp(join(tmpdir(), 'straceback-refused-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'straceback.yaml');
  await writeFile(config, `log: {level: silent}\n${file}`);
  const all = { PATH: process.env.PATH ?? '', HOME: folder, ...env };
  return await new Promise((resolve) => {
    execFile(process.execPath, [...PROGRAM, ...words, '--config', config], { env: all }, (error, _, stderr) =>
      resolve([error?.code, stderr.replace(/^\(node:.*\n?|^\(Use `node.*\n?/gm, '')]),
    );
  });
};

test('what the program lacks at its start is one sentence, and none of it a stack', async () => {
  const [slack, redis] = await Promise.all([slackForTest(), redisForTest()]);
  const taken = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void taken.close());
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const env = { REDIS_URL: redis.url, SLACK_API_URL: slack.apiUrl, SLACK_BOT_TOKEN: slack.botToken };
  const said = await Promise.all([
    refused(['bot'], { REDIS_URL: redis.url }, 'history: {keep: false}\n'),
    refused(['bot'], { ...env, SLACK_BOT_TOKEN: 'xoxb-1-wrong' }, 'history: {keep: false}\n'),
    refused(['worker'], env, `health: {port: ${port}}\n`),
  ]);
  expect(said).toEqual([
    [2, expect.stringMatching(/^straceback: SLACK_[A-Z_]+ is not set: [^\n]+\n$/)],
    [2, expect.stringMatching(/^straceback: [^\n]*SLACK_[A-Z_]+[^\n]*\n$/)],
    [2, expect.stringMatching(/^straceback: Cannot listen for health checks at 127\.0\.0\.1, port \d+: [^\n]+\n$/)],
  ]);
}, 300_000);
