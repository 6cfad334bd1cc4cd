import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { groupIdOf } from '../../../bot/alerts/group.ts';
import { readGroup } from '../../../bot/alerts/group-notes.ts';
import { startBenchProgram } from '../../bench/program.ts';
import { post, proof } from '../../support/alert-intake.ts';
import { slackForTest } from '../../support/bot.ts';
import { redisForTest } from '../../support/queue.ts';

const root = path.resolve(import.meta.dirname, '../../..');

test('straceback bot listens for alerts where its configuration says, and ends in an orderly way', async () => {
  const program = await startBenchProgram();
  onTestFinished(program.close);
  const body = JSON.stringify({ group: 'disk', status: 'firing', title: 'The disk is full' });
  const url = `http://127.0.0.1:${program.alertsPort}/alerts/generic`;
  const answer = await post(url, body, proof('generic', 'hmac', body, program.secret, Date.now()));
  expect(answer.status).toBe(202);
  const told = async () => (await readGroup(program, groupIdOf({ source: 'generic', group: 'disk' })))?.told;
  await expect.poll(told, { timeout: 30_000 }).toBe(1);
  expect(await program.end()).toBe(0);
  await expect(fetch(url, { method: 'POST' })).rejects.toThrow();
});

test('a secret that is not there is told with file and line, and nothing starts', async () => {
  const [slack, redis] = [await slackForTest(), await redisForTest()];
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-alerts-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'straceback.yaml');
  writeFileSync(
    file,
    `dataFolder: ${folder}\nalerts:\n  port: 1\n  sources:\n    generic: {secrets: STRACEBACK_NO_SUCH_VARIABLE}\n`,
  );
  const argv = ['--import', path.join(root, 'tests/support/typescript-loader.mjs'), path.join(root, 'straceback.ts')];
  const env = {
    ...process.env,
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_APP_TOKEN: slack.appToken,
    SLACK_API_URL: slack.apiUrl,
    REDIS_URL: redis.url,
  };
  const ended = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile(process.execPath, [...argv, 'bot', '--config', file], { env }, (error, _stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    );
  });
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain(
    `${file}:5: alerts.sources.generic: the environment has no STRACEBACK_NO_SUCH_VARIABLE`,
  );
});
