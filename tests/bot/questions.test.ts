import { describe, expect, it } from 'vitest';
import type { BotOptions } from '../../bot/bot.ts';
import type { ModelConfig } from '../../infra/config.ts';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import { NO_SITE_RULES } from '../../infra/redact/redactor.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Request } from '../../playbooks/model/index.ts';
import { loadProbes } from '../../playbooks/registry.ts';
import { questionHandler } from '../../workers/questions/take.ts';
import {
  botForTest,
  PLAYBOOKS,
  quiet,
  reportFor,
  shown,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { type ModelReply, type ModelRequest, type ModelServer, modelServerForTest } from '../support/model-server.ts';
import { redisForTest } from '../support/queue.ts';

const WITH_LSOF: BotOptions['playbooks'] = [
  ...PLAYBOOKS,
  { id: 'lsof', title: 'Open files', description: 'Open files.', impacts: ['none'] },
  { id: 'stacks', title: 'Stacks', description: 'Python stacks.', impacts: ['none'] },
];

/** Evidence that only the files have: no finding quotes it. */
const STACKS = [
  'Thread 25 "mail-worker" waiting',
  '  File "/srv/app/queue.py", line 12, in take',
  '  File "/srv/app/mail.py", line 77, in run_mail',
  '',
].join('\n');

const modelConfig = (server: ModelServer, change: Partial<ModelConfig> = {}): ModelConfig => ({
  name: 'stand-in',
  apiKey: server.apiKey,
  baseUrl: server.baseUrl,
  timeoutSeconds: 20,
  maxOutputTokens: 900,
  language: 'reader',
  budget: { perLook: 20_000, perDay: 100_000, perChannelPerDay: 100_000 },
  questions: { steps: 2, seconds: 600, tokens: 40_000 },
  price: { input: 1, output: 10 },
  ...change,
});

const answer = (
  answers: readonly { text: string; rests_on: string[] }[],
  couldRun: string | null = null,
): ModelReply => ({
  kind: 'text',
  text: JSON.stringify({ answer: answers, could_run: couldRun }),
});

/** The id of the item that has a text, as the model is shown it. */
const idOf = ({ input }: ModelRequest, text: string): string => {
  const line = input.split('\n').find((each) => each.startsWith('{"id"') && each.includes(text));
  return line === undefined ? '?' : String((JSON.parse(line) as { id: unknown }).id);
};

interface World {
  readonly replies?: (request: ModelRequest) => ModelReply;
  readonly change?: Partial<ModelConfig>;
  readonly without?: boolean;
  readonly policy?: BotOptions['policy'];
  readonly chatOnly?: boolean;
}

/** A bot, a worker whose looks the test gives, a model, and a thread in which a look has ended. */
const world = async ({ replies = () => answer([]), change = {}, without = false, policy, chatOnly }: World) => {
  const [slack, redis, server, probes] = await Promise.all([
    slackForTest(),
    redisForTest(),
    modelServerForTest(replies, { chatOnly: chatOnly ?? false }),
    loadProbes(),
  ]);
  const asked: Request[] = [];
  const handler: LookHandler = async (request) => {
    asked.push(request);
    const report = reportFor(request);
    const entry = {
      id: 'E9',
      probe: 'py-stacks',
      command: 'py-stacks',
      exit: 0,
      seconds: 3,
      bytes: 99,
      truncated: false,
    };
    return {
      outcome: { kind: 'report', report: { ...report, evidence: [...report.evidence, entry] } },
      files: [{ name: 'E9-py-stacks.txt', evidenceId: 'E9', content: Buffer.from(STACKS), truncated: false }],
    };
  };
  const worker = workerForTest(redis.url, handler);
  const model = without ? undefined : modelConfig(server, change);
  worker.question(questionHandler(model, { probes, redaction: NO_SITE_RULES }));
  const { queue } = await botForTest(slack, redis.url, {
    playbooks: WITH_LSOF,
    ...(policy === undefined ? {} : { policy }),
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  const first = await slack.waitFor(() => threadsIn(slack, 'ops')[0], { timeoutMs: 60_000, what: 'a thread' });
  await slack.waitFor(() => slack.thread('ops', first.ts).some((each) => /What next/.test(each.text)) || undefined, {
    timeoutMs: 60_000,
    what: 'the end of the look',
  });
  const place = { channel: 'ops', threadTs: first.ts };
  return {
    slack,
    redis,
    queue,
    server,
    asked,
    place,
    ask: (text: string, who = 'bob') => slack.user(who).say(`@straceback ${text}`, place),
    reply: (words: RegExp): Promise<SlackMessage> =>
      slack.waitFor(
        () => slack.thread('ops', first.ts).find((each) => each.bot_id !== undefined && words.test(shown(each))),
        {
          timeoutMs: 60_000,
          what: `a message with ${words}`,
        },
      ),
    all: () => slack.thread('ops', first.ts),
  };
};

describe('a question in a thread', () => {
  it('is answered from the thread’s evidence, with the lines that the answer rests on and what it cost', async () => {
    const { ask, reply, server, queue, all } = await world({
      replies: (request) =>
        answer([
          { text: 'Thread 25 waits in `take`, line 12 of `/srv/app/queue.py`.', rests_on: [idOf(request, 'run_mail')] },
          { text: 'The process is healthy.', rests_on: ['F1'] },
          { text: 'The main thread waits in its own SIGTERM handler.', rests_on: ['F1'] },
        ]),
    });
    ask('why is thread 25 stuck?');
    const message = await reply(/By stand-in/);
    expect(shown(message)).toContain('“why is thread 25 stuck?”');
    expect(shown(message)).toContain('Thread 25 waits in');
    expect(shown(message)).toContain('E9 py-stacks: Thread 25 "mail-worker" waiting');
    expect(shown(message)).not.toContain('healthy');
    expect(shown(message)).toMatch(/\(\d[\d,]* tokens, \$0\.\d{4}\).*1 sentence left out/);
    await quiet(queue);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]?.input).toContain('{"question":"why is thread 25 stuck?"}');
    expect(server.requests[0]?.instructions).not.toMatch(/thread 25|web-7|6325|pool/);
    expect(all().filter((each) => /By stand-in/.test(shown(each)))).toHaveLength(1);
  });
});
