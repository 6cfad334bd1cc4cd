import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { type AuditEntry, openAudit } from '../../infra/audit.ts';
import { readAudit } from '../../infra/audit-read.ts';
import { readConfig } from '../../infra/config.ts';
import { silentLog } from '../../infra/log.ts';
import { summaryOf } from '../../playbooks/harm.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { startWorker } from '../../workers/worker.ts';
import { botForTest, finishedThread, shown, slackForTest, threadsIn } from '../support/bot.ts';
import { browserForFile, hasBrowser } from '../support/browser.ts';
import { endProcesses, startPython } from '../support/live-process.ts';
import { redisForTest } from '../support/queue.ts';
import { expectUnhurt, processState } from '../support/unhurt.ts';

const browser = browserForFile();

/** A small service: a pool of threads that wait for work, and the main thread that waits for its clients. */
const SERVICE = `
import queue, sys, threading
jobs = queue.Queue()
def work():
    while True:
        jobs.get()
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
cache = [bytes(1024) for _ in range(20000)]
print('ready')
sys.stdin.read()
`;

afterEach(endProcesses);

/** The whole program on this machine: bot, worker and Redis, by a configuration file. */
const program = async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-approved-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'straceback.yaml');
  const keep = path.join(folder, 'keep');
  const rules = '    - groups: [S0ONCALL1]\n      hosts: [local]\n      approve: [stops, writes-disk]\n';
  await writeFile(
    file,
    `hosts:\n  - {name: local, transport: local, keepFolder: ${keep}}\ndataFolder: data\npolicy:\n  rules:\n${rules}`,
  );
  const config = readConfig(file);
  const [slack, redis, knowledge] = await Promise.all([slackForTest(), redisForTest(), loadKnowledge()]);
  const worker = startWorker({ config, redisUrl: redis.url, knowledge, log: silentLog });
  onTestFinished(() => worker.close());
  await botForTest(slack, redis.url, {
    hosts: { names: ['local'], known: (name) => config.hosts(name) !== undefined },
    playbooks: [...knowledge.playbooks.values()].map((playbook) => summaryOf(playbook, knowledge.probes)),
    policy: config.policy,
    audit: openAudit({ folder: config.audit.folder, side: 'bot' }),
  });
  const written = async (): Promise<AuditEntry[]> => {
    const entries: AuditEntry[] = [];
    for await (const line of readAudit(config.audit.folder)) if (line.ok) entries.push(line.entry);
    return entries;
  };
  return { slack, keep, written };
};

const coresIn = async (folder: string): Promise<string[]> => {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => ({ name, info: await stat(path.join(folder, name)) })));
  return sizes.filter(({ info }) => info.isFile() && info.size > 1_000_000).map(({ name }) => name);
};

test.skipIf(!existsSync('/usr/bin/gdb') || !hasBrowser)(
  'somebody on call clicks Approve on the page; a core of a real process is taken, and the process goes on',
  async () => {
    const { slack, keep, written } = await program();
    const { pid } = await startPython(SERVICE);
    const before = await processState(pid);
    await slack.user('bob').slash('/diagnose', `local ${pid} stacks`, 'ops');
    await finishedThread(slack, 'ops');
    const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
    slack.user('bob').say('gcore', { channel: 'ops', threadTs: ts });

    const page = await browser.open(`${slack.pageUrl}?user=${slack.user('alice').id}#${slack.channel('ops')}/${ts}`);
    const question = page
      .getByRole('log', { name: 'Replies' })
      .getByRole('article')
      .filter({ hasText: `Approval wanted for process ${pid} on local` });
    await question.getByText(/expected to be stopped for/).waitFor();
    await question.getByText('stops,writes-disk').first().waitFor();
    expect(await coresIn(keep)).toEqual([]);
    await question.getByRole('button', { name: 'Approve' }).click();
    await question.getByText(/Approved by/).waitFor();
    expect(
      await question
        .getByRole('button')
        .filter({ hasText: /Approve|Refuse/ })
        .count(),
    ).toBe(0);

    await expect
      .poll(
        async () =>
          (await written()).filter(({ playbook, event }) => playbook === 'gcore' && event === 'look-ended').length,
        { timeout: 60_000 },
      )
      .toBe(1);
    const [core = '', ...more] = await coresIn(keep);
    expect(core).not.toBe('');
    expect(more).toEqual([]);
    await expectUnhurt(pid, before);
    const shows = (message: Parameters<typeof shown>[0]) => shown(message).includes(path.basename(core));
    await slack.waitFor(() => slack.thread('ops', ts).some(shows), { timeoutMs: 60_000, what: 'where the core is' });

    const lines = (await written()).filter(({ playbook }) => playbook === 'gcore');
    expect(lines.map(({ event, side }) => `${side} ${event}`)).toEqual([
      'bot approval-asked',
      'bot approved',
      'bot requested',
      'worker look-began',
      'worker step-began',
      'worker step-ended',
      'worker look-ended',
    ]);
    expect(new Set(lines.map(({ request }) => request)).size).toBe(1);
    expect(lines[1]).toMatchObject({ user: slack.user('alice').id, outcome: `asked by ${slack.user('bob').id}` });
    expect(lines[4]).toMatchObject({ probe: 'gcore', impacts: ['stops', 'writes-disk'], startTime: before.startTime });
    expect(lines[5]?.outcome).toMatch(/^exit 0 after/);
  },
  180_000,
);
