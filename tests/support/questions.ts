import type { BotOptions } from '../../bot/bot.ts';
import type { ModelConfig } from '../../infra/config.ts';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import { NO_SITE_RULES } from '../../infra/redact/redactor.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Report, Request } from '../../playbooks/model/index.ts';
import { loadProbes } from '../../playbooks/registry.ts';
import { questionHandler } from '../../workers/questions/take.ts';
import { botForTest, PLAYBOOKS, reportFor, shown, slackForTest, threadsIn, workerForTest } from './bot.ts';
import { type ModelReply, type ModelRequest, type ModelServer, modelServerForTest } from './model-server.ts';
import { redisForTest } from './queue.ts';

/** The site's playbooks, with two that harm nothing. */
export const WITH_HARMLESS: BotOptions['playbooks'] = [
  ...PLAYBOOKS,
  { id: 'lsof', title: 'Open files', description: 'Open files.', impacts: ['none'] },
  { id: 'stacks', title: 'Stacks', description: 'Python stacks.', impacts: ['none'] },
];

/** Evidence that only the files have: no finding quotes it. */
export const STACKS = [
  'Thread 25 "mail-worker" waiting',
  '  File "/srv/app/queue.py", line 12, in take',
  '  File "/srv/app/mail.py", line 77, in run_mail',
  '',
].join('\n');

/** A configuration whose model is the server of the test. */
export const modelConfig = (server: ModelServer, change: Partial<ModelConfig> = {}): ModelConfig => ({
  name: 'stand-in',
  apiKey: server.apiKey,
  baseUrl: server.baseUrl,
  timeoutSeconds: 20,
  maxOutputTokens: 900,
  language: 'reader',
  budget: { perLook: 20_000, perDay: 1_000_000, perChannelPerDay: 1_000_000 },
  questions: { steps: 2, seconds: 600, tokens: 60_000 },
  price: { input: 1, output: 10 },
  ...change,
});

/** What a model answers. */
export const answerOf = (
  answer: readonly { readonly text: string; readonly rests_on: readonly string[] }[],
  couldRun: string | null = null,
): ModelReply => ({ kind: 'text', text: JSON.stringify({ answer, could_run: couldRun }) });

/** The items that a model is shown. */
export const itemsShown = ({ input }: Pick<ModelRequest, 'input'>): { id: string; kind: string; text: string }[] =>
  input
    .split('\n')
    .filter((line) => line.startsWith('{"id"'))
    .map((line) => JSON.parse(line));

/** The id of the item that has a text. */
export const idOf = (request: ModelRequest, text: string): string =>
  itemsShown(request).find((item) => item.text.includes(text))?.id ?? '?';

export interface QuestionWorld {
  readonly replies?: (request: ModelRequest) => ModelReply;
  readonly model?: Partial<ModelConfig>;
  readonly withoutModel?: boolean;
  readonly policy?: BotOptions['policy'];
  readonly playbooks?: BotOptions['playbooks'];
  readonly chatOnly?: boolean;
  /** Bots at once. Default 1. */
  readonly bots?: number;
  /** What the looks see, by playbook. */
  readonly report?: (report: Report, request: Request) => Report;
  readonly file?: (request: Request) => { readonly probe: string; readonly text: string };
}

/** A bot, a worker whose looks the test gives, a model, and a thread in which a look has ended. */
export const questionWorld = async (options: QuestionWorld = {}) => {
  const { replies = () => answerOf([]), withoutModel = false, policy, chatOnly = false } = options;
  const [slack, redis, server, probes] = await Promise.all([
    slackForTest(),
    redisForTest(),
    modelServerForTest(replies, { chatOnly }),
    loadProbes(),
  ]);
  const asked: Request[] = [];
  const handler: LookHandler = async (request) => {
    asked.push(request);
    const report = options.report?.(reportFor(request), request) ?? reportFor(request);
    const { probe, text } = options.file?.(request) ?? { probe: 'py-stacks', text: STACKS };
    const entry = { id: 'E9', probe, command: probe, exit: 0, seconds: 3, bytes: text.length, truncated: false };
    return {
      outcome: { kind: 'report', report: { ...report, evidence: [...report.evidence, entry] } },
      files: [{ name: `E9-${probe}.txt`, evidenceId: 'E9', content: Buffer.from(text), truncated: false }],
    };
  };
  const worker = workerForTest(redis.url, handler);
  const model = withoutModel ? undefined : modelConfig(server, options.model);
  worker.question(questionHandler(model, { probes, redaction: NO_SITE_RULES }));
  const botOptions = { playbooks: options.playbooks ?? WITH_HARMLESS, ...(policy === undefined ? {} : { policy }) };
  const { queue } = await botForTest(slack, redis.url, botOptions);
  for (let more = 1; more < (options.bots ?? 1); more += 1) await botForTest(slack, redis.url, botOptions);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  const first = await slack.waitFor(() => threadsIn(slack, 'ops')[0], { timeoutMs: 60_000, what: 'a thread' });
  const threadTs = first.ts;
  await slack.waitFor(() => slack.thread('ops', threadTs).some(({ text }) => text === 'What next?') || undefined, {
    timeoutMs: 60_000,
    what: 'the end of the look',
  });
  return {
    slack,
    redis,
    queue,
    server,
    asked,
    place: { channel: 'ops', threadTs },
    ask: (text: string, who = 'bob') => slack.user(who).say(`@straceback ${text}`, { channel: 'ops', threadTs }),
    all: (): SlackMessage[] => slack.thread('ops', threadTs),
    reply: (words: RegExp): Promise<SlackMessage> =>
      slack.waitFor(
        () => slack.thread('ops', threadTs).find((each) => each.bot_id !== undefined && words.test(shown(each))),
        { timeoutMs: 60_000, what: `a message with ${words}` },
      ),
  };
};
