import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../infra/config.ts';
import { hostLookup } from '../../infra/hosts.ts';
import { silentLog } from '../../infra/log.ts';
import { summaryOf } from '../../playbooks/harm.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { startWorker } from '../../workers/worker.ts';
import { botForTest, finishedThread, quiet, shown, slackForTest, threadsIn } from '../support/bot.ts';
import { messageWithButton, pressButton } from '../support/buttons.ts';
import { endProcesses, type LiveProcess, startProcess } from '../support/live-process.ts';
import { redisForTest } from '../support/queue.ts';
import { endSshd, testSshd } from '../support/sshd.ts';

afterEach(endProcesses);
afterAll(endSshd);

/** A stockroom whose two desks take the shelf and the ledger in different orders, until that is mended. */
const stockroom = (mended: boolean) => `
import socket, sys, threading
shelf, ledger = threading.Lock(), threading.Lock()
met = threading.Barrier(2)
def take(first, second):
    with first:
        ${mended ? 'pass' : 'met.wait()'}
        with second:
            pass
    threading.Event().wait()
server = socket.create_server(('127.0.0.1', 0))
desks = [threading.Thread(target=take, args=pair, daemon=True) for pair in ${mended ? '((shelf, ledger), (shelf, ledger))' : '((shelf, ledger), (ledger, shelf))'}]
for desk in desks:
    desk.start()
print('ready', flush=True)
print('port', server.getsockname()[1], flush=True)
server.accept()
`;

/** The whole program: bot, worker, a host over SSH, and a folder with the stockroom's program. */
const setUp = async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-successor-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(file, 'hosts: []\ndataFolder: data\n');
  const hosts = hostLookup([(await testSshd()).host('web-7')]);
  const config = { ...readConfig(file), hosts };
  const [slack, redis, knowledge] = await Promise.all([slackForTest(), redisForTest(), loadKnowledge()]);
  const worker = startWorker({ config, redisUrl: redis.url, knowledge, log: silentLog });
  onTestFinished(() => worker.close());
  const { queue } = await botForTest(slack, redis.url, {
    hosts: { names: ['web-7'], known: (name) => hosts(name) !== undefined },
    playbooks: [...knowledge.playbooks.values()].map((playbook) => summaryOf(playbook, knowledge.probes)),
  });
  const program = path.join(folder, 'stockroom.py');
  const start = async (mended: boolean): Promise<{ live: LiveProcess; port: number }> => {
    await writeFile(program, stockroom(mended));
    const live = await startProcess('/usr/bin/python3', ['-u', program, '--desks', '2']);
    await live.line(/^ready/);
    return { live, port: Number((await live.line(/^port/)).split(' ')[1]) };
  };
  const says = (ts: string, words: string | RegExp) =>
    slack.waitFor(
      () =>
        slack
          .thread('ops', ts)
          .find((message) => (typeof words === 'string' ? shown(message).includes(words) : words.test(shown(message)))),
      { timeoutMs: 90_000, what: `the thread says ${words}` },
    );
  return { slack, queue, start, says };
};

test('from a port to the fix: found, verified after a restart, and followed when it has gone', async () => {
  const { slack, queue, start, says } = await setUp();
  const bob = slack.user('bob');
  const sick = await start(false);
  await bob.slash('/diagnose', `web-7 port:${sick.port} triage 2s`, 'ops');
  const messages = await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  expect(shown(messages[0])).toContain(`Process ${sick.live.pid} on web-7 (found by`);
  await says(ts, 'thread-deadlock');
  await quiet(queue);

  await endProcesses();
  const mended = await start(true);
  bob.say('verify', { channel: 'ops', threadTs: ts });
  const verdict = shown(await says(ts, /(?:Gone|Still there|cannot be told)[^\n]*thread-deadlock/));
  expect(verdict).toContain('Gone: thread-deadlock');
  expect(verdict).toContain(
    `Looked at process ${mended.live.pid}, which took the place of ${sick.live.pid}. Process ${sick.live.pid} has gone; this one has the same command line.`,
  );
  expect(verdict).toMatch(/threads +3 +/);
  await quiet(queue);

  bob.say('again', { channel: 'ops', threadTs: ts });
  const told = await messageWithButton(slack, 'ops', ts, `Look at pid ${mended.live.pid} instead`);
  expect(shown(told)).toContain(
    `Process ${sick.live.pid} on web-7 has gone. In its place runs process ${mended.live.pid}`,
  );
  await pressButton(slack, 'bob', told, `Look at pid ${mended.live.pid} instead`);
  await says(ts, new RegExp(`Process ${mended.live.pid} on web-7, CPython`));
  await quiet(queue);

  await endProcesses();
  bob.say('verify', { channel: 'ops', threadTs: ts });
  await says(ts, 'so there is nothing to verify');
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
}, 240_000);
