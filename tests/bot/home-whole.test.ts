import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../infra/config.ts';
import { silentLog } from '../../infra/log.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { startWorker } from '../../workers/worker.ts';
import { botForTest, finishedThread, slackForTest } from '../support/bot.ts';
import { endProcesses, startPython } from '../support/live-process.ts';
import { redisForTest } from '../support/queue.ts';

afterEach(endProcesses);

const SERVICE = `import sys
print('ready', flush=True)
sys.stdin.read()
`;

test('after a real look the home tab tells what was found, and what the host has', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-home-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(file, `dataFolder: ${folder}\n`);
  const config = readConfig(file);
  const [slack, redis, knowledge] = await Promise.all([slackForTest(), redisForTest(), loadKnowledge()]);
  const worker = startWorker({ config, redisUrl: redis.url, knowledge, log: silentLog });
  onTestFinished(() => worker.close());
  const { queue } = await botForTest(slack, redis.url, {
    hosts: { names: config.hostNames, known: (name) => config.hosts(name) !== undefined },
    playbooks: [...knowledge.playbooks.values()].map(({ id, title, description }) => ({
      id,
      title,
      description,
      impacts: ['none'],
    })),
    causes: [...knowledge.causes.values()].map(({ id, title }) => ({ id, title })),
  });
  const { pid } = await startPython(SERVICE);
  await slack.user('bob').slash('/diagnose', `local ${pid} stacks 1`, 'ops');
  await finishedThread(slack, 'ops', 1, /^(?:🔴|🟢|🟡)/u);
  await expect.poll(() => queue.hostStates.newest(1), { timeout: 60_000 }).toHaveLength(1);
  slack.user('bob').openHome();
  const shown = await slack.waitFor(
    () => {
      const text = JSON.stringify(slack.home('bob')?.blocks ?? []);
      return text.includes('*local*') && text;
    },
    { timeoutMs: 60_000, what: 'the home tab' },
  );
  expect(shown).toMatch(/(?:🔴|🟢|🟡) \*process \d+ on local\* \(stacks\): /u);
  expect(shown).toMatch(/🟢 \*local\*: [^"]+, kernel \d[^"]*(?:nothing is missing|missing: )/u);
});
