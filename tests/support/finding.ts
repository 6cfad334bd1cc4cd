import type { FindHandler } from '../../infra/queue/finds.ts';
import type { LocalSlackOptions } from '../../infra/sandbox/slack/options.ts';
import { type Candidate, type Found, type Request, selectorText } from '../../playbooks/model/index.ts';
import { botForTest, reportFor, slackForTest } from './bot.ts';
import { redisForTest, workerQueueForTest } from './queue.ts';

/** A worker of a shop, as a find tells of it. */
export const candidate = (pid: number, change: Partial<Candidate> = {}): Candidate => ({
  pid,
  startTime: String(pid * 10),
  parent: 1,
  name: 'gunicorn',
  command: `gunicorn: worker [shop ${pid}]`,
  ageSeconds: 4_000,
  cpuPercent: 12.5,
  rssKib: 204_800,
  fds: 20,
  user: 'www',
  unit: 'shop.service',
  container: null,
  ports: [8080],
  ...change,
});

type Answer = Extract<Found, { kind: 'found' }>;

/** What a worker answers when these match. */
export const found = (
  find: Parameters<FindHandler>[0],
  candidates: Candidate[],
  change: Partial<Answer> = {},
): Found => ({
  kind: 'found',
  host: find.host,
  selector: find.selector,
  candidates,
  total: candidates.length,
  pick: candidates.length === 1 ? (candidates[0] ?? null) : null,
  likely: candidates[0] ?? null,
  how: 'It is the only process that listens on port 8080.',
  near: '',
  partly: [],
  ...change,
});

/** A bot, and a worker that finds what the test says. */
export const site = async (find: FindHandler, options: LocalSlackOptions = {}) => {
  const slack = await slackForTest(options);
  const redis = await redisForTest();
  const { queue, close } = await botForTest(slack, redis.url);
  const asked: Request[] = [];
  const worker = workerQueueForTest(redis.url);
  worker.work(async (request) => {
    asked.push(request);
    return {
      outcome: { kind: 'report', report: reportFor(request) },
      files: [{ name: 'E1.txt', evidenceId: 'E1', content: Buffer.from('x'), truncated: false }],
    };
  });
  const sought: string[] = [];
  worker.find(async (question, signal) => {
    sought.push(selectorText(question.selector));
    return await find(question, signal);
  });
  return { slack, redis, queue, close, asked, sought };
};
