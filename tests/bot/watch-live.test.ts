import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, onTestFinished, test } from 'vitest';
import { readConfig } from '../../infra/config.ts';
import { hostLookup } from '../../infra/hosts.ts';
import { silentLog } from '../../infra/log.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { summaryOf } from '../../playbooks/harm.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { startWorker } from '../../workers/worker.ts';
import { botForTest, shown, slackForTest, threadsIn } from '../support/bot.ts';
import { endProcesses, startPython } from '../support/live-process.ts';
import { redisForTest } from '../support/queue.ts';
import { endSshd, testSshd } from '../support/sshd.ts';
import { expectUnhurt, processState } from '../support/unhurt.ts';
import { until } from '../support/until.ts';

/** A service that opens one more descriptor for each line that it reads, and keeps it; after `trade` two of its threads wait for each other. */
const SERVICE = `
import os, sys, threading
ledger, stock, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
def trade(first, second):
    with first:
        both.wait()
        with second:
            pass
held = []
print('ready', flush=True)
for line in sys.stdin:
    if line.strip() == 'trade':
        for locks in ((ledger, stock), (stock, ledger)):
            threading.Thread(target=trade, args=locks, daemon=True).start()
    held.append(os.open('/dev/null', os.O_RDONLY))
    print('held', len(held), flush=True)
`;

afterEach(endProcesses);
afterEach(endSshd);

/** The whole program, its worker reaching this machine through a real sshd. */
const program = async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-watch-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(file, 'dataFolder: data\n');
  const sshd = await testSshd();
  const hosts = hostLookup([sshd.host('far')]);
  const config = { ...readConfig(file), hosts };
  const [slack, redis, knowledge] = await Promise.all([slackForTest(), redisForTest(), loadKnowledge()]);
  const worker = startWorker({ config, redisUrl: redis.url, knowledge, log: silentLog });
  onTestFinished(() => worker.close());
  await botForTest(slack, redis.url, {
    hosts: { names: ['far'], known: (name) => hosts(name) !== undefined },
    playbooks: [...knowledge.playbooks.values()].map((playbook) => summaryOf(playbook, knowledge.probes)),
    watchEveryMs: 500,
  });
  return slack;
};

const reply = (slack: LocalSlack, ts: string, words: string | RegExp) =>
  slack.waitFor(() => slack.thread('ops', ts).find((message) => shown(message).match(words) !== null), {
    timeoutMs: 60_000,
    what: `a message with ${words}`,
  });

test('a trace that is cancelled ends, leaves the process as it was, and shows what it had traced', async () => {
  const slack = await program();
  const { pid } = await startPython(SERVICE);
  const before = await processState(pid);
  await slack.user('bob').slash('/diagnose', `far ${pid} strace 50`, 'ops');
  await until('strace is on the process', async () =>
    [...(await processState(pid)).threads.values()].every(({ tracer }) => tracer !== 0),
  );
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  slack.user('alice').say('cancel', { channel: 'ops', threadTs: ts });
  await reply(slack, ts, 'is being ended; its answer says what was learnt');
  await until('nobody traces the process', async () =>
    [...(await processState(pid)).threads.values()].every(({ tracer }) => tracer === 0),
  );
  await expectUnhurt(pid, before);
  await reply(slack, ts, /The look was cancelled by .* after .*\n?strace\n? was ended before the time\./);
});

test('a watch shows what a real process does, says that it gets stuck, and that it ends', async () => {
  const slack = await program();
  const { pid, say, line, child } = await startPython(SERVICE);
  const { ts } = slack.user('bob').say(`@straceback watch 5 on far ${pid}`, { channel: 'ops' });
  await reply(slack, ts, /descriptors +[▁▂▃▄▅▆▇█]{2,}/u);
  for (let held = 0; held < 20; held += 1) say('open');
  await line(/^held 20$/);
  const fewer = /descriptors +\S+ +(\d+) → (\d+)/;
  await slack.waitFor(
    () => {
      const figures = fewer.exec(slack.thread('ops', ts).map(shown).join('\n'));
      return figures !== null && Number(figures[2]) === Number(figures[1]) + 20;
    },
    { timeoutMs: 60_000, what: 'a curve of descriptors that rises by 20' },
  );
  say('trade');
  await reply(slack, ts, new RegExp(`🔴 While watching process ${pid} on far: .*Cause: \n?thread-deadlock`, 's'));
  child.kill('SIGKILL');
  await reply(slack, ts, `I no longer watch process ${pid} on far: The process is gone.`);
  await reply(slack, ts, `Watched process ${pid} on far for`);
});
