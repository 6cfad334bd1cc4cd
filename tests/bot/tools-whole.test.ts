import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../infra/config.ts';
import { silentLog } from '../../infra/log.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import { summaryOf } from '../../playbooks/harm.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { startWorker } from '../../workers/worker.ts';
import { botForTest, finishedThread, quiet, shown, slackForTest, threadsIn } from '../support/bot.ts';
import { endProcesses, startProcess } from '../support/live-process.ts';
import { redisForTest } from '../support/queue.ts';
import { expectUnhurt, processState } from '../support/unhurt.ts';

afterEach(endProcesses);

/** A small service with a log, a connection to itself and a thread that waits for orders. */
const SERVICE = `
import queue, socket, sys, threading
log = open(sys.argv[1], 'a', buffering=1)
for number in range(400):
    log.write('INFO order %d accepted\\n' % number)
log.write('ERROR payment refused: gateway timeout, api_key="k-83hf7shf83hs"\\n')
listening = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listening.getsockname())
server = listening.accept()[0]
def echo():
    while True:
        server.sendall(server.recv(100))
def orders(desk, password):
    jobs, handled = queue.Queue(), 7
    jobs.get()
threading.Thread(target=echo, daemon=True).start()
threading.Thread(target=orders, args=('north', 'swordfish'), name='orders', daemon=True).start()
def chat():
    while True:
        client.sendall(b'x')
        client.recv(100)
        wait.wait(0.05)
wait = threading.Event()
threading.Thread(target=chat, daemon=True).start()
print('ready')
sys.stdin.read()
`;

/** The whole program on this machine, and a thread about a real process. */
const threadAboutService = async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-tools-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'straceback.yaml');
  const allow = 'policy:\n  allow: [none, slows, stops, risks-death]\n';
  await writeFile(file, `hosts:\n  - {name: local, transport: local}\ndataFolder: data\n${allow}`);
  const config = readConfig(file);
  const [slack, redis, knowledge] = await Promise.all([slackForTest(), redisForTest(), loadKnowledge()]);
  const worker = startWorker({ config, redisUrl: redis.url, knowledge, log: silentLog });
  onTestFinished(() => worker.close());
  const { queue } = await botForTest(slack, redis.url, {
    hosts: { names: ['local'], known: (name) => config.hosts(name) !== undefined },
    playbooks: [...knowledge.playbooks.values()].map((playbook) => summaryOf(playbook, knowledge.probes)),
    policy: config.policy,
  });
  const log = path.join(folder, 'shop.log');
  const program = path.join(folder, 'shop.py');
  await writeFile(program, SERVICE);
  const { pid, line } = await startProcess('/usr/bin/python3', ['-u', program, log]);
  await line(/^ready/);
  await slack.user('bob').slash('/diagnose', `local ${pid} stacks 1`, 'ops');
  await finishedThread(slack, 'ops', 1, /^(?:🔴|🟢|🟡|🔵)/u);
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  const messages = () => slack.thread('ops', ts);
  const withFiles = () => messages().filter((message) => (message.files?.length ?? 0) > 0);
  /** Says something, and gives all that was posted until its files are there. */
  const tool = async (words: string): Promise<{ text: string; files: string[] }> => {
    const [before, files] = [messages().length, withFiles().length];
    slack.user('alice').say(`@straceback ${words}`, { channel: 'ops', threadTs: ts });
    await slack.waitFor(() => withFiles().length > files, { timeoutMs: 60_000, what: `the files of ${words}` });
    await quiet(queue);
    const posted: SlackMessage[] = messages().slice(before);
    return {
      text: posted.map(shown).join('\n'),
      files: posted.flatMap((message) => message.files ?? []).map(({ name }) => name ?? ''),
    };
  };
  const say = (words: string) => slack.user('bob').say(`@straceback ${words}`, { channel: 'ops', threadTs: ts });
  const answer = (words: RegExp) =>
    slack.waitFor(
      () =>
        messages()
          .map(shown)
          .find((text) => words.test(text)),
      {
        timeoutMs: 30_000,
        what: `an answer with ${words}`,
      },
    );
  return { pid, log, tool, say, answer };
};

const has = (...tools: readonly string[]) => tools.every((tool) => existsSync(`/usr/bin/${tool}`));

test.skipIf(!has('lsof', 'strace', 'tcpdump', 'ltrace'))(
  'each tool answers in the thread with what it saw, in short, and the whole as a file; the process goes on',
  async () => {
    const { pid, log, tool, say, answer } = await threadAboutService();
    const before = await processState(pid);

    const files = await tool('lsof shop.log');
    expect(files.text).toMatch(/🔵 lsof: \d+ lines/u);
    expect(files.text).toContain(log);
    expect(files.text).not.toMatch(/Could not be checked|libc\.so|No cause could be shown/);
    expect(files.files).toContain('E2-lsof.txt');

    const trace = await tool('strace 1');
    expect(trace.text).toMatch(/threads traced, calls within/);
    expect(trace.text).toMatch(/ \d+ {2}(?:sendto|recvfrom|futex) /);
    expect(trace.files.join()).toMatch(/E2-strace\.txt/);

    const packets = await tool('tcpdump 1');
    expect(packets.text).toMatch(/127\.0\.0\.1\.\d+ > 127\.0\.0\.1\.\d+: Flags/);
    expect(packets.files.join()).toContain('tcpdump');

    const lines = await tool('log payment REFUSED');
    expect(lines.text).toContain(`${log}: 1 of 401 lines`);
    expect(lines.text).toContain('ERROR payment refused: gateway timeout');
    expect(lines.text).not.toContain('k-83hf7shf83hs');

    const variables = await tool('locals orders');
    expect(variables.text).toContain('desk = "north"');
    expect(variables.text).toContain('handled = 7');
    expect(variables.text).not.toContain('swordfish');
    const none = await tool('locals nobody');
    expect(none.text).toContain('the process has no such thread');

    const library = await tool('ltrace 1');
    expect(library.text).toMatch(/it has \d+ threads, and ltrace ends a process with more than one/);

    const figures = await tool('pyrasite');
    expect(figures.text).toMatch(/nothing was run in process \d+: it is blocked or idle/);

    say('thread orders');
    const known = await answer(/^Thread \d+ of process/);
    expect(known).toMatch(/threading.*calls it.*orders.*Queue\.get/s);
    await tool('stacks 1');
    say('compare');
    expect(await answer(/^Compared: /)).toMatch(/In figures.*CPU.*resident memory.*threads/s);
    say('history');
    expect(await answer(/^\d+ looks in this thread/)).toMatch(/lsof.*strace.*locals.*ltrace/s);

    await expectUnhurt(pid, before);
  },
);
