import { describe, expect, it } from 'vitest';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import { proseAfterwards } from '../../workers/prose/afterwards.ts';
import { botForTest, quiet, reportFor, shown, slackForTest, threadsIn, workerForTest } from '../support/bot.ts';
import { type ModelReply, type ModelServer, modelServerForTest } from '../support/model-server.ts';
import { redisForTest } from '../support/queue.ts';
import { GOOD } from '../workers/prose/answers.ts';

const claim = (index: number) => ({ text: GOOD[index]?.text ?? '', rests_on: [...(GOOD[index]?.rests_on ?? [])] });
const PROSE = {
  headline: claim(0),
  sentences: [claim(1), claim(2), { text: 'Approve everything at once.', rests_on: ['F1'] }],
  fix: { fix: 'X1', text: 'Let the handler only set a flag.', code: null, rests_on: ['F1'] },
  next: [],
};

/** A worker whose looks give the sick report, which a model then puts into words. */
const workerWithModel = (redisUrl: string, server: ModelServer, budget: { perDay?: number } = {}) => {
  const afterwards = proseAfterwards({
    name: 'stand-in',
    apiKey: server.apiKey,
    baseUrl: server.baseUrl,
    timeoutSeconds: 20,
    maxOutputTokens: 900,
    language: 'reader',
    budget: { perLook: 20_000, perDay: budget.perDay ?? 100_000, perChannelPerDay: 100_000 },
    price: { input: 1, output: 10 },
  });
  const handler: LookHandler = async (request) => {
    const report = reportFor(request);
    const later = afterwards(request, report);
    return { outcome: { kind: 'report', report }, files: [], ...(later === undefined ? {} : { afterwards: later }) };
  };
  return workerForTest(redisUrl, handler);
};

const world = async (answer: () => ModelReply, budget: { perDay?: number } = {}) => {
  const [slack, redis, server] = await Promise.all([slackForTest(), redisForTest(), modelServerForTest(answer)]);
  workerWithModel(redis.url, server, budget);
  const { queue } = await botForTest(slack, redis.url);
  const firstWith = (words: RegExp): Promise<SlackMessage> =>
    slack.waitFor(() => threadsIn(slack, 'ops').find((message) => words.test(shown(message))), {
      timeoutMs: 60_000,
      what: `a first message with ${words}`,
    });
  const ask = () => slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  return { slack, server, queue, firstWith, ask };
};

describe('a model’s words', () => {
  it('come into the first message after the report, without what is not covered, with what they cost', async () => {
    const { slack, firstWith, ask, server, queue } = await world(() => ({ kind: 'prose', prose: PROSE }));
    await ask();
    const first = await firstWith(/Summary by stand-in/);
    expect(shown(first)).toContain('🔴 Main thread waits in its own SIGTERM handler');
    expect(shown(first)).toContain(PROSE.headline.text);
    expect(shown(first)).toContain('stopping.set()');
    expect(shown(first)).not.toContain('Approve everything');
    expect(shown(first)).toMatch(/\(\d[\d,]* tokens, \$0\.\d{4}\).*1 sentence left out/);
    await quiet(queue);
    expect(server.requests).toHaveLength(1);
    // Nothing of it is posted apart.
    expect(
      slack.thread('ops', first.ts).filter((message) => shown(message).includes(PROSE.headline.text)),
    ).toHaveLength(1);
  });

  it('are asked for in the language of who asked', async () => {
    const { ask, server, slack, queue } = await world(() => ({ kind: 'prose', prose: PROSE }));
    const bob = slack.world.users.find(({ name }) => name === 'bob');
    if (bob === undefined) throw new Error('there is no bob');
    bob.locale = 'zh-CN';
    await ask();
    await slack.waitFor(() => server.requests[0], { timeoutMs: 60_000, what: 'a question to the model' });
    expect(server.requests[0]?.instructions).toContain('Write Simplified Chinese');
    await quiet(queue);
  });

  it('that cannot be had leave the report alone, with one line why', async () => {
    const { firstWith, ask } = await world(() => ({ kind: 'error', status: 503, code: 'overloaded' }));
    await ask();
    const first = await firstWith(/No summary by stand-in: the model’s server answers 503/);
    expect(shown(first)).toContain('sure (97 %)');
  });

  it('are not asked for when the budget of the day is used up', async () => {
    const { firstWith, ask, server } = await world(() => ({ kind: 'prose', prose: PROSE }), { perDay: 0 });
    await ask();
    await firstWith(/No summary by stand-in: the budget of tokens for today is used up/);
    expect(server.requests).toEqual([]);
  });

  it('are had once for the same report', async () => {
    const { firstWith, ask, server, slack, queue } = await world(() => ({ kind: 'prose', prose: PROSE }));
    await ask();
    const first = await firstWith(/Summary by stand-in/);
    slack.user('bob').say('@straceback again', { channel: 'ops', threadTs: first.ts });
    await slack.waitFor(
      () => /Summary by stand-in from the report/.test(shown(threadsIn(slack, 'ops')[0])) || undefined,
      {
        timeoutMs: 60_000,
        what: 'a summary that cost nothing',
      },
    );
    await quiet(queue);
    expect(server.requests).toHaveLength(1);
  });

  it('and what led to them are shown to who asks for it', async () => {
    const { slack, firstWith, ask, server } = await world(() => ({ kind: 'prose', prose: PROSE }));
    await ask();
    const first = await firstWith(/Summary by stand-in/);
    slack.user('bob').say('@straceback model', { channel: 'ops', threadTs: first.ts });
    const file = await slack.waitFor(() => slack.files().find(({ name }) => name.startsWith('model-')), {
      timeoutMs: 60_000,
      what: 'the file of what the model saw',
    });
    const text = slack.fileBytes(file.id)?.toString() ?? '';
    expect(text).toContain(server.requests[0]?.input);
    expect(text).toContain('"Approve everything at once."');
  });
});
