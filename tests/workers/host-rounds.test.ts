import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { hostLookup } from '../../infra/hosts.ts';
import { silentLog } from '../../infra/log.ts';
import { hostRecord } from '../../infra/queue/lately.ts';
import { LookFailed } from '../../playbooks/model/index.ts';
import { hostRounds, inOneLine } from '../../workers/host-rounds.ts';
import { shellOpener } from '../../workers/reach.ts';
import { redisForTest } from '../support/queue.ts';

const setUp = async () => {
  const redis = await redisForTest();
  const client = new Redis(redis.url);
  const opener = shellOpener(hostLookup([]));
  onTestFinished(async () => {
    await opener.close();
    await client.quit();
  });
  const record = hostRecord(client);
  const opened: string[] = [];
  let time = 1_000;
  /** The rounds of one worker, ended after the round. */
  const look = async (host: string, failed: LookFailed | null = null) => {
    time += 1;
    const openShell = (name: string) => {
      opened.push(name);
      return opener.openShell(name);
    };
    const rounds = hostRounds({ openShell, record, log: silentLog, now: () => time });
    rounds.after(host, failed);
    await rounds.close();
    rounds.after(host, failed);
  };
  return { record, opened, look };
};

test('a host that a look reached is examined once an hour over all workers, and told in one line', async () => {
  const { record, opened, look } = await setUp();
  await look('local');
  const state = await record.last('local');
  expect(state).toMatchObject({ host: 'local', at: 1_001, reachable: true });
  expect(state?.words).toMatch(/, kernel \d+\..*(?:nothing is missing|missing: )/);
  await look('local');
  await look('local', new LookFailed('no-such-process', 'There is no process 1 on local.'));
  expect(opened).toEqual(['local']);
  expect((await record.last('local'))?.at).toBe(1_001);
});

test('one that cannot be reached is told with the reason, and examined as soon as it can be', async () => {
  const { record, opened, look } = await setUp();
  await look('local');
  await look('local', new LookFailed('unreachable', 'local does not answer.'));
  expect(await record.last('local')).toMatchObject({ reachable: false, words: 'local does not answer.' });
  await look('local');
  expect((await record.last('local'))?.reachable).toBe(true);
  expect(opened).toEqual(['local', 'local']);
});

test('a host that cannot be examined changes nothing', async () => {
  const { record, look } = await setUp();
  await look('nowhere');
  expect(await record.last('nowhere')).toBeNull();
});

test('what is missing is said with the command that installs it', () => {
  const found = {
    host: 'h',
    kernel: '6.1.0',
    distribution: 'Debian GNU/Linux 12',
    ptraceScope: 1,
    python: null,
    runner: null,
    tools: {},
  };
  const missing = [{ tool: 'gdb', package: 'gdb', why: 'no cores' }];
  expect(inOneLine({ ...found, root: false, missing, install: 'sudo apt-get install -y gdb' })).toBe(
    'Debian GNU/Linux 12, kernel 6.1.0, not root: only own processes can be looked at; missing: gdb (sudo apt-get install -y gdb)',
  );
  expect(inOneLine({ ...found, root: true, missing: [], install: null })).toContain('root; nothing is missing');
});
