import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../infra/config.ts';
import { silentLog } from '../../infra/log.ts';
import { summaryOf } from '../../playbooks/harm.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { startWorker } from '../../workers/worker.ts';
import { botForTest, finishedThread, quiet, shown, slackForTest, threadsIn } from '../support/bot.ts';
import { endProcesses, startProcess } from '../support/live-process.ts';
import { type ModelRequest, modelServerForTest } from '../support/model-server.ts';
import { answerOf, idOf, itemsShown } from '../support/questions.ts';
import { redisForTest } from '../support/queue.ts';
import { expectUnhurt, processState } from '../support/unhurt.ts';

afterEach(endProcesses);

const SERVICE = `
import sys, threading
log = open(sys.argv[1], 'a', buffering=1)
log.write('ERROR payment refused, api_key="k-83hf7shf83hs"\\n')
def orders(wait):
    wait.wait()
threading.Thread(target=orders, args=(threading.Event(),), name='orders', daemon=True).start()
print('ready')
sys.stdin.read()
`;

test('a question about a real process is answered from a look that the model asked for, and hurts nothing', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-questions-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'straceback.yaml');
  const model = 'model:\n  name: stand-in\n  questions: {steps: 1}\n';
  await writeFile(file, `hosts:\n  - {name: local, transport: local}\ndataFolder: data\n${model}`);
  const step = ({ input }: ModelRequest) => /question: 0\./.test(input);
  const server = await modelServerForTest((request) => {
    // A budget of one step: then there is nothing to call.
    if (step(request)) return { kind: 'call', name: 'log', args: '{"pattern":"payment"}' };
    const id = idOf(request, 'ERROR payment');
    const line = itemsShown(request).find((item) => item.id === id)?.text ?? '';
    const name = /\S+\/shop\.log/.exec(line)?.[0] ?? 'shop.log';
    return answerOf([{ text: `The log line says \`ERROR payment refused\`.`, rests_on: [id] }], name);
  });
  const config = readConfig(file, { OPENAI_API_KEY: server.apiKey, OPENAI_BASE_URL: server.baseUrl, HOME: folder });
  const [slack, redis, knowledge] = await Promise.all([slackForTest(), redisForTest(), loadKnowledge()]);
  const worker = startWorker({ config, redisUrl: redis.url, knowledge, log: silentLog });
  onTestFinished(() => worker.close());
  const { queue } = await botForTest(slack, redis.url, {
    hosts: { names: ['local'], known: (name) => config.hosts(name) !== undefined },
    playbooks: [...knowledge.playbooks.values()].map((playbook) => summaryOf(playbook, knowledge.probes)),
    policy: config.policy,
  });
  const program = path.join(folder, 'shop.py');
  await writeFile(program, SERVICE);
  const { pid, line, child } = await startProcess('/usr/bin/python3', ['-u', program, path.join(folder, 'shop.log')]);
  await line(/^ready/);
  await slack.user('bob').slash('/diagnose', `local ${pid} stacks 1`, 'ops');
  await finishedThread(slack, 'ops', 1, /^(?:🔴|🟢|🟡|🔵)/u);
  await quiet(queue);
  const before = server.requests.length;
  const threadTs = threadsIn(slack, 'ops')[0]?.ts ?? '';
  const state = await processState(pid);
  const ask = (text: string) => slack.user('bob').say(`@straceback ${text}`, { channel: 'ops', threadTs });
  const answer = (words: RegExp) =>
    slack.waitFor(() => slack.thread('ops', threadTs).find((message) => words.test(shown(message))), {
      timeoutMs: 90_000,
      what: `a message with ${words}`,
    });
  ask('why was a payment refused?');
  const message = await answer(/By stand-in[\s\S]*after log “payment”/);
  expect(shown(message)).toContain('ERROR payment refused');
  await quiet(queue);
  await expectUnhurt(pid, state);
  const requests = server.requests.slice(before);
  expect(requests.map(({ tools }) => tools.includes('log'))).toEqual([true, false]);
  expect(requests[0]?.tools).toEqual(expect.arrayContaining(['lsof', 'stacks', 'sockets', 'locals', 'malloc']));
  // Nothing that the process would notice is there to be called.
  for (const verb of ['strace', 'gcore', 'py-bt', 'bt', 'ltrace', 'pyrasite', 'tcpdump'])
    expect(requests[0]?.tools).not.toContain(verb);
  expect(JSON.stringify(server.requests)).not.toContain('k-83hf7shf83hs');
  // The process has gone: the step cannot be made, and the question is answered without it.
  child.kill('SIGKILL');
  ask('which payment came next?');
  await answer(/which payment came next[\s\S]*By stand-in/);
  await quiet(queue);
});
