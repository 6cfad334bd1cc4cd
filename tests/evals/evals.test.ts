import { expect, it } from 'vitest';
import { openModel } from '../../workers/prose/client.ts';
import { modelServerForTest } from '../support/model-server.ts';
import { recordedNames, recordedReport } from '../support/recorded-reports.ts';
import { scoreOf, scoresText } from './score.ts';
import { scribe } from './scribe.ts';

const KINDS = ['busy-loop', 'signal-handler-deadlock', 'fd-leak', 'healthy'];
const names = KINDS.map((kind) => recordedNames().find((name) => name.startsWith(`${kind}/`)) ?? '');

const modelOf = (server: { apiKey: string; baseUrl: string }) =>
  openModel({ ...server, model: 'stand-in', timeoutMs: 20_000, maxOutputTokens: 900 });

it('a model that says what the rules say is scored as covered, with cause and fix, over the real protocol', async () => {
  const server = await modelServerForTest(({ input }) => ({ kind: 'prose', prose: scribe(input) }));
  const about = { ask: modelOf(server), model: 'stand-in', language: 'en' } as const;
  const scores = await Promise.all(names.map((name) => scoreOf(name, recordedReport(name), about)));
  for (const score of scores) {
    expect(score, score.name).toMatchObject({ answered: true, causeKept: true, overclaimed: false });
    expect(score.traced / score.said).toBeGreaterThan(0.7);
    expect(score.fixKept).not.toBe(false);
    expect(score.tokensIn).toBeLessThan(3_000);
    expect(score.tokensOut).toBeLessThan(900);
  }
  expect(scoresText(scores, 'stand-in', 'en', '2024-05-01')).toContain('| put into words | 100 % |');
});

it('a model that calls everything sick is scored so, and stopped', async () => {
  const sick = { text: 'The process is stuck in a deadlock and leaks memory.', rests_on: ['F1'] };
  const server = await modelServerForTest(() => ({
    kind: 'prose',
    prose: { headline: sick, sentences: [sick], fix: null, next: [] },
  }));
  const name = names.at(-1) ?? '';
  const score = await scoreOf(name, recordedReport(name), { ask: modelOf(server), model: 'stand-in', language: 'en' });
  expect(score).toMatchObject({ expected: 'healthy', answered: false, traced: 0, causeKept: false });
});
