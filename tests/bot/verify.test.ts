import { expect, test } from 'vitest';
import type { FindHandler } from '../../infra/queue/finds.ts';
import type { Candidate, Report, Request } from '../../playbooks/model/index.ts';
import { botForTest, finishedThread, quiet, reportFor, shown, slackForTest, threadsIn } from '../support/bot.ts';
import { redisForTest, workerQueueForTest } from '../support/queue.ts';
import { healthyReport, sickReport } from '../support/reports.ts';

const SUCCESSOR: Candidate = {
  pid: 7001,
  startTime: '999999',
  parent: 1,
  name: 'python3',
  command: sickReport.target.command,
  ageSeconds: 900,
  cpuPercent: 1,
  rssKib: 100_000,
  fds: 9,
  user: 'www',
  unit: 'pool.service',
  container: null,
  ports: [8080],
};

const [deadlock] = sickReport.findings;

/** A thread whose look found a fault, and a worker that finds what the test says. */
const thread = async (pick: Candidate | null, after: Partial<Report>) => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  const { queue } = await botForTest(slack, redis.url);
  const asked: Request[] = [];
  const worker = workerQueueForTest(redis.url);
  worker.work(async (request) => {
    asked.push(request);
    const sick = reportFor(request);
    const report = {
      ...(asked.length === 1 ? sick : { ...reportFor(request, healthyReport), ...after }),
      startedAt: new Date(1_714_564_803_000 + asked.length * 60_000).toISOString(),
      target: { ...sick.target, unit: 'pool.service', ports: [8080] },
      figures: { rssKib: 300_000 / asked.length, threads: 22 },
    };
    const files = [{ name: 'E1.txt', evidenceId: 'E1', content: Buffer.from('x'), truncated: false }];
    return { outcome: { kind: 'report', report }, files };
  });
  const finds: Parameters<FindHandler>[0][] = [];
  worker.find(async (find) => {
    finds.push(find);
    const candidates = pick === null ? [] : [pick];
    const how = 'Process 6325 has gone; this one is of the unit pool.service and has the same command line.';
    const { host, selector } = find;
    return {
      kind: 'found',
      host,
      selector,
      candidates,
      total: candidates.length,
      pick,
      likely: pick,
      how,
      near: '',
      partly: [],
    };
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325 triage 4s', 'ops');
  await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops')[0]?.ts ?? '';
  const says = (words: string) =>
    slack.waitFor(() => slack.thread('ops', ts).find((message) => shown(message).includes(words)), {
      timeoutMs: 60_000,
      what: `the thread says ${words}`,
    });
  return { slack, queue, asked, finds, ts, says };
};

test('verify finds the successor, looks in the same way and posts before and after once', async () => {
  const ruledOut = sickReport.findings.map(({ cause }) => ({ cause, why: 'no thread waits for a lock' }));
  const gone = { ruledOut };
  const { slack, queue, asked, finds, ts, says } = await thread(SUCCESSOR, gone);
  slack.user('bob').say('verify', { channel: 'ops', threadTs: ts });
  const said = await says('Gone: signal-handler-deadlock');
  expect(shown(said)).toContain('Looked at process 7001, which took the place of 6325.');
  expect(shown(said)).toMatch(/resident memory +293 MiB +146 MiB/);
  await quiet(queue);
  expect(finds.map(({ selector }) => selector)).toEqual([
    {
      kind: 'successor',
      pid: 6325,
      startTime: sickReport.target.startTime,
      command: sickReport.target.command,
      unit: 'pool.service',
      ports: [8080],
    },
  ]);
  expect(asked[1]).toMatchObject({
    host: 'web-7',
    pid: 7001,
    startTime: '999999',
    playbook: 'triage',
    windowSeconds: 4,
  });
  const all = slack.thread('ops', ts).map(shown);
  expect(all.filter((text) => text.includes('Gone: signal-handler-deadlock'))).toHaveLength(1);
  expect(all.some((text) => text.includes('Process 7001'))).toBe(true);
});

test('verify says that it cannot be told, and that nothing took the place', async () => {
  const unknown = { findings: [], cannotTell: [{ cause: deadlock?.cause ?? '', why: 'py-stacks: no permission' }] };
  const { slack, queue, ts, says } = await thread(SUCCESSOR, unknown);
  slack.user('bob').say('verify', { channel: 'ops', threadTs: ts });
  await says('It cannot be told whether');
  await quiet(queue);
  const none = await thread(null, {});
  none.slack.user('bob').say('verify', { channel: 'ops', threadTs: none.ts });
  const said = await none.says('so there is nothing to verify');
  expect(shown(said)).toContain('has gone, and there is no process of the unit');
  await quiet(none.queue);
  expect(none.asked).toHaveLength(1);
});
