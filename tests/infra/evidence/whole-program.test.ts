import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { finishedThread, slackForTest } from '../../support/bot.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { redisForTest } from '../../support/queue.ts';
import { s3ForTest } from '../../support/s3-server.ts';
import { upForTest } from '../../support/up.ts';

afterEach(endProcesses);

const SPINS = `
import threading
def settle(password='local-Mm1Jj8Uu3Yy9'):
    while True: pass
threading.Thread(target=settle, name='settle', daemon=True).start()
print('ready', flush=True)
threading.Event().wait()
`;

/** The files in an object: each is deflated, and they stand one after the other. */
const partsOf = (object: Buffer): string[] => {
  const parts: string[] = [];
  for (let at = 0; at < object.length; ) {
    const inflated: unknown = inflateSync(object.subarray(at), { info: true });
    const { buffer, engine } = inflated as { buffer: Buffer; engine: { bytesWritten: number } };
    parts.push(buffer.toString());
    at += engine.bytesWritten;
  }
  return parts;
};

test('the program itself, with a bucket in its configuration: what it puts there is redacted, and its key is nowhere', async () => {
  const [slack, redis, server] = await Promise.all([slackForTest(), redisForTest(), s3ForTest()]);
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-s3-whole-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { bucket, region, endpoint, key } = server;
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(
    file,
    stringify({
      hosts: [{ name: 'local', transport: 'local' }],
      dataFolder: path.join(folder, 'data'),
      history: { keep: false },
      evidence: { s3: { bucket, region, endpoint, prefix: 'of/this-site/' } },
    }),
  );
  const program = await upForTest(file, {
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_APP_TOKEN: slack.appToken,
    SLACK_API_URL: slack.apiUrl,
    REDIS_URL: redis.url,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  });

  const sick = path.join(folder, 'shop.py');
  await writeFile(sick, SPINS);
  const { pid, line } = await startProcess('/usr/bin/python3', ['-u', sick, '--token', 'argv-Hh3Tn8Rc5Yd1Xw']);
  await line(/^ready/);
  await slack.user('bob').slash('/diagnose', `local ${pid}`, 'ops');
  await finishedThread(slack, 'ops');

  await program.end();
  const objects = [...server.objects].filter(([, { bytes }]) => bytes.toString() !== 'probe');
  expect(objects.map(([name]) => name)).toEqual([expect.stringMatching(/^of\/this-site\/\d{8}T\d\d-[0-9a-f-]{36}$/)]);
  const texts = partsOf(objects[0]?.[1].bytes ?? Buffer.alloc(0));
  expect(texts.length).toBeGreaterThan(5);
  expect(texts[0]).toContain(`${pid}`);
  for (const secret of ['argv-Hh3Tn8Rc5Yd1Xw', 'local-Mm1Jj8Uu3Yy9']) expect(texts.join('\n')).not.toContain(secret);
  expect(program.log()).not.toContain(key.secretAccessKey);
  expect(program.log()).toContain('look done');
});
