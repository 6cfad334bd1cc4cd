import { describe, expect, it } from 'vitest';
import { openModel, type Usage } from '../../../workers/prose/client.ts';
import type { ModelProse } from '../../../workers/prose/schema.ts';
import { type AnswerCache, type Spending, writeProse } from '../../../workers/prose/write.ts';
import { type ModelReply, type ModelServer, modelServerForTest } from '../../support/model-server.ts';
import { sickReport } from '../../support/reports.ts';
import { BAD, GOOD } from './answers.ts';

const claim = (index: number) => {
  const said = GOOD[index];
  if (said === undefined) throw new Error('no such sentence');
  return { text: said.text, rests_on: [...said.rests_on] };
};

const PROSE: ModelProse = {
  headline: claim(0),
  sentences: [claim(1), claim(2), claim(6)],
  fix: { fix: 'X1', text: 'Let the handler only set a flag.', code: null, rests_on: ['F1'] },
  next: [claim(12)],
};

const HERE = { channel: 'C1', language: 'en' } as const;

const noSpending = (): Spending & { readonly all: Usage[] } => {
  const all: Usage[] = [];
  return {
    all,
    refusal: async () => null,
    spent: async (_channel, usage) => {
      all.push(usage);
    },
  };
};

const noCache: AnswerCache = { get: async () => null, set: async () => {} };

const write = (
  server: ModelServer,
  change: { spending?: Spending; cache?: AnswerCache; timeoutMs?: number; signal?: AbortSignal } = {},
) =>
  writeProse(
    sickReport,
    {
      ask: openModel({
        apiKey: server.apiKey,
        baseUrl: server.baseUrl,
        model: 'stand-in',
        timeoutMs: change.timeoutMs ?? 20_000,
        maxOutputTokens: 900,
      }),
      model: 'stand-in',
      spending: change.spending ?? noSpending(),
      cache: change.cache ?? noCache,
    },
    HERE,
    change.signal ?? new AbortController().signal,
  );

describe('a report is put into words', () => {
  it('by the Responses API, with a schema, kept nowhere', async () => {
    const server = await modelServerForTest(() => ({ kind: 'prose', prose: PROSE }));
    const spending = noSpending();
    const written = await write(server, { spending });
    expect(written).toMatchObject({ note: null, dropped: [], cached: false });
    expect(written.prose?.headline.text).toBe(PROSE.headline.text);
    expect(written.prose?.fix?.code).toContain('stopping.set()');
    expect(server.requests).toMatchObject([{ api: 'responses', model: 'stand-in', maxTokens: 900 }]);
    expect(spending.all).toEqual([written.usage]);
    expect(written.usage.input).toBeLessThan(3_000);
  });

  it('by chat completions where a server lacks the other, and then at once', async () => {
    const server = await modelServerForTest(() => ({ kind: 'prose', prose: PROSE }), { chatOnly: true });
    expect((await write(server)).prose?.headline.text).toBe(PROSE.headline.text);
    expect(server.requests).toMatchObject([{ api: 'chat', maxTokens: 900 }]);
  });

  it('with instructions that hold nothing of the host', async () => {
    const server = await modelServerForTest(() => ({ kind: 'prose', prose: PROSE }));
    await write(server);
    expect(server.requests[0]?.instructions).not.toMatch(/web-7|6325|pool/);
    expect(server.requests[0]?.input).toContain('web-7');
  });

  it('without the sentences that are not covered, which the transcript has with the reason', async () => {
    const bad = BAD[0];
    if (bad === undefined) throw new Error('no bad sentence');
    const sentences = [...PROSE.sentences, { text: bad.text, rests_on: [...bad.rests_on] }];
    const server = await modelServerForTest(() => ({ kind: 'prose', prose: { ...PROSE, sentences } }));
    const { prose, dropped, transcript } = await write(server);
    expect(prose?.sentences).toHaveLength(3);
    expect(dropped).toHaveLength(1);
    expect(transcript).toContain(dropped[0]?.why);
    expect(transcript).toContain(server.requests[0]?.input);
  });

  it('from the cache, for nothing, and through the gate again', async () => {
    const kept = new Map<string, unknown>();
    const cache: AnswerCache = {
      get: async (key) => kept.get(key) ?? null,
      set: async (key, answer) => void kept.set(key, answer),
    };
    const server = await modelServerForTest(() => ({ kind: 'prose', prose: PROSE }));
    await write(server, { cache });
    expect(await write(server, { cache })).toMatchObject({ cached: true, usage: { input: 0, output: 0 } });
    expect(server.requests).toHaveLength(1);
    for (const key of kept.keys()) kept.set(key, { ...PROSE, headline: { text: 'All is healthy.', rests_on: ['F1'] } });
    expect((await write(server, { cache })).prose).toBeNull();
  });
});

describe('the plain report stands alone, with one line why', () => {
  const faults: readonly (readonly [string, ModelReply, RegExp])[] = [
    ['429', { kind: 'error', status: 429, code: 'rate_limit_exceeded' }, /slow down.*429/],
    ['500', { kind: 'error', status: 500, code: 'server_error' }, /answers 500/],
    ['503', { kind: 'error', status: 503, code: 'overloaded' }, /answers 503/],
    ['a key that is refused', { kind: 'error', status: 401, code: 'invalid_api_key' }, /refuses the key/],
    ['a refusal', { kind: 'refusal', text: 'I cannot help with that.' }, /refused/],
    ['an answer cut off', { kind: 'incomplete', text: '{"headline":' }, /cut off/],
    ['text that is no JSON', { kind: 'text', text: 'The process is deadlocked.' }, /no JSON/],
    ['JSON of another form', { kind: 'text', text: '{"summary":"x"}' }, /not the form/],
    ['an answer that is no answer', { kind: 'garbage', body: '<html>' }, /cannot be read/],
    ['an answer without an end', { kind: 'endless' }, /cannot be read/],
    ['a connection that ends', { kind: 'hang-up' }, /cannot be read/],
    [
      'an answer of which nothing is covered',
      { kind: 'prose', prose: { ...PROSE, headline: { text: 'All is well.', rests_on: ['F1'] } } },
      /not covered/,
    ],
  ];

  it.each(faults)('%s', async (_what, answer, why) => {
    const server = await modelServerForTest(() => answer);
    const written = await write(server);
    expect(written.prose).toBeNull();
    expect(written.note).toMatch(why);
    expect(written.transcript).toContain(written.note);
    // A second try would only make a reader wait.
    expect(server.requests).toHaveLength(1);
  });

  it('a server that never answers', async () => {
    const server = await modelServerForTest(() => ({ kind: 'silence' }));
    expect((await write(server, { timeoutMs: 300 })).note).toMatch(/did not answer within/);
  });

  it('a server that is not there', async () => {
    const written = await write({ baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'k', requests: [] });
    expect(written.note).toMatch(/cannot be reached/);
  });

  it('a worker that ends', async () => {
    const ending = new AbortController();
    const server = await modelServerForTest(() => {
      ending.abort();
      return { kind: 'silence' };
    });
    expect((await write(server, { signal: ending.signal })).note).toMatch(/ended/);
  });

  it('a budget that is used up, without a request', async () => {
    const server = await modelServerForTest(() => ({ kind: 'prose', prose: PROSE }));
    const spending: Spending = { refusal: async () => 'the budget of today is used up', spent: async () => {} };
    expect((await write(server, { spending })).note).toBe('the budget of today is used up');
    expect(server.requests).toEqual([]);
  });

  it('a cache or a budget that cannot be asked', async () => {
    const server = await modelServerForTest(() => ({ kind: 'prose', prose: PROSE }));
    const cache: AnswerCache = { get: () => Promise.reject(new Error('Redis is away')), set: async () => {} };
    expect((await write(server, { cache })).note).toMatch(/error of Straceback/);
  });
});
