import { describe, expect, it } from 'vitest';
import { loadFollowUps } from '../../../bot/registry.ts';
import type { Finding } from '../../../playbooks/model/index.ts';
import { type ModelReply, modelServerForTest } from '../../support/model-server.ts';
import { answerOf, idOf, itemsShown } from '../../support/questions.ts';
import { sickReport } from '../../support/reports.ts';
import { BAD, GOOD } from '../prose/answers.ts';
import { questionFor, round, toolsWith } from './rounds.ts';

const WHY = questionFor('why is thread 25 stuck?');

const said = async (
  reply: (input: string) => ModelReply,
  kept: Parameters<typeof toolsWith>[0] = {},
  question = WHY,
) => {
  const server = await modelServerForTest((request) => reply(request.input));
  const { reply: answer, file } = await round(server, question, toolsWith(kept));
  return { answer, text: Buffer.from(file?.content ?? []).toString(), requests: server.requests };
};

describe('an answer', () => {
  it('rests on looks at this process alone, not at one that had its pid before', async () => {
    const server = await modelServerForTest(() => answerOf([]));
    const tools = toolsWith({ text: 'thread 25 holds now_held' });
    const older = toolsWith({
      report: { ...sickReport, target: { ...sickReport.target, startTime: '1' } },
      text: 'thread 25 holds then_held',
    });
    const { file } = await round(server, questionFor('what does thread 25 hold?', { looks: ['look-1', 'look-2'] }), {
      ...tools,
      answerTo: (id) => (id === 'look-2' ? older.answerTo('look-1') : tools.answerTo(id)),
      readFile: async (kept) => Buffer.from(kept.stored === 'older' ? 'then_held' : 'thread 25 holds now_held'),
    });
    const text = Buffer.from(file?.content ?? []).toString();
    expect(text).toContain('now_held');
    expect(text).not.toMatch(/"id":"[A-Z]\d+-2"/);
  });

  it('keeps what its items cover', async () => {
    for (const claim of GOOD) {
      const { answer } = await said((input) =>
        // Items that this question does not ask for are not there to be cited.
        answerOf([
          { ...claim, rests_on: claim.rests_on.filter((id) => itemsShown({ input }).some((i) => i.id === id)) },
        ]),
      );
      const cited = answer.said.kind === 'answer' ? answer.said.sentences : [];
      if (claim.rests_on.every((id) => /^[FXC]/.test(id))) expect(cited.map(({ text }) => text)).toEqual([claim.text]);
    }
  });

  it.each(BAD)('without $wrong', async (claim) => {
    const { answer, text } = await said(() => answerOf([{ text: claim.text, rests_on: claim.rests_on }]));
    expect(answer.said).toMatchObject({ kind: 'answer', sentences: [], dropped: 1 });
    expect(text).toContain(JSON.stringify(claim.text));
  });

  it.each([
    'It is safe to restart the process.',
    'Restarting is harmless here.',
    'It is not safe to restart: the lock would be lost.',
    'You can restart it without any loss.',
    'Go ahead with the handler.',
    '重启是安全的。',
  ])('says what is safe only in the rules’ words: %s', async (text) => {
    const { answer } = await said(() => answerOf([{ text, rests_on: ['F1', 'X1', 'X2'] }]));
    expect(answer.said).toMatchObject({ sentences: [] });
    const fix = { title: 'Restart it', detail: 'It is safe to restart the process: it holds no state. 重启是安全的。' };
    const report = { ...sickReport, findings: sickReport.findings.map((one) => ({ ...one, fixes: [fix] })) };
    if (!text.startsWith('It is safe')) return;
    const covered = await said(() => answerOf([{ text, rests_on: ['X1'] }]), { report });
    expect(covered.answer.said).toMatchObject({ sentences: [{ text }] });
  });

  it('whose greater part is not covered falls as a whole', async () => {
    const good = { text: GOOD[0]?.text ?? '', rests_on: ['F1'] };
    const bad = { text: 'The disk is full.', rests_on: ['F1'] };
    const { answer } = await said(() => answerOf([good, bad]));
    expect(answer.said).toMatchObject({ sentences: [], dropped: 1 });
    expect((await said(() => answerOf([good, bad, good]))).answer.said).toMatchObject({ sentences: [good, good] });
  });

  it('has literal lines of what it rests on', async () => {
    const text = 'Thread 25 waiting\n  File "/srv/app/queue.py", line 12, in take\n';
    const { answer } = await said(
      (input) =>
        answerOf([
          {
            text: 'Thread 25 waits in `take`.',
            rests_on: [itemsShown({ input }).find((i) => i.text.startsWith('Thread 25'))?.id ?? ''],
          },
        ]),
      { text },
    );
    expect(answer.said).toMatchObject({ sentences: [{ text: 'Thread 25 waits in `take`.' }] });
    for (const line of answer.said.kind === 'answer' ? answer.said.lines : []) expect(text).toContain(line.text);
  });

  it('offers only what can be offered, and something when nothing can be told', async () => {
    const offer = async (named: string | null, question = WHY) =>
      (await said(() => answerOf([], named), {}, question)).answer.said;
    expect(await offer('gcore')).toMatchObject({ offer: 'gcore' });
    expect(await offer('reboot')).toMatchObject({ offer: 'stacks' });
    expect(await offer(null, questionFor('what has the process open?'))).toMatchObject({ offer: 'lsof' });
    expect(await offer(null, questionFor('how is the weather?'))).toMatchObject({ offer: null });
  });
});

describe('what a model is shown', () => {
  it('has no secret of the question, and none of its words in the instructions', async () => {
    const { requests, text } = await said(() => answerOf([]), {}, questionFor('is password=hunter2secret in use?'));
    expect(JSON.stringify(requests)).not.toContain('hunter2secret');
    expect(text).not.toContain('hunter2secret');
    expect(requests[0]?.instructions).not.toContain('in use');
  });

  it('is of this thread’s process alone', async () => {
    const server = await modelServerForTest(() => answerOf([]));
    const other = { ...sickReport, target: { ...sickReport.target, pid: 1 } };
    const { reply } = await round(server, WHY, toolsWith({ report: other, text: 'Thread 25' }));
    expect(reply.said).toMatchObject({
      kind: 'nothing',
      note: expect.stringMatching(/no look at this process has ended/),
    });
    expect(server.requests).toEqual([]);
  });

  it('is bounded: few tokens for a look with much evidence', async () => {
    const text = Array.from({ length: 30_000 }, (_, n) => `Thread ${n} waiting in take`).join('\n');
    const { requests, answer } = await said(() => answerOf([]), { text });
    expect(answer.usage.input).toBeLessThan(5_000);
    expect(idOf({ ...requests[0] } as never, 'Thread 25 ')).toMatch(/^E\d/);
  });
});

describe('what is asked', () => {
  it('fits the budget of a look as it is by default, with every tool that there is', async () => {
    const text = Array.from({ length: 30_000 }, (_, n) => `Thread ${n} waiting in take ${'x'.repeat(90)}`).join('\n');
    const steps = [...(await loadFollowUps()).values()].map(({ verb, summary, takes }) => ({
      verb,
      playbook: 'stacks',
      summary,
      ...(takes === undefined ? {} : { takes }),
    }));
    const server = await modelServerForTest(() => answerOf([]));
    const question = questionFor(`why is thread 25 stuck? ${'why '.repeat(110)}`, { may: steps, offers: steps });
    const report = {
      ...sickReport,
      findings: Array.from(
        { length: 4 },
        () => ({ ...sickReport.findings[0], summary: 'lock '.repeat(400) }) as Finding,
      ),
    };
    const { reply } = await round(server, question, toolsWith({ text, report }), {
      maxOutputTokens: 2_000,
      budget: { perLook: 10_000, perDay: 1_000_000, perChannelPerDay: 1_000_000 },
    });
    expect(reply.said.kind).toBe('answer');
  });
});

describe('a question without an answer has one clause why', () => {
  const faults: readonly (readonly [string, ModelReply, RegExp])[] = [
    ['429', { kind: 'error', status: 429, code: 'rate_limit_exceeded' }, /slow down.*429/],
    ['500', { kind: 'error', status: 500, code: 'server_error' }, /answers 500/],
    ['a refusal', { kind: 'refusal', text: 'I cannot help with that.' }, /refused/],
    ['an answer cut off', { kind: 'incomplete', text: '{"answer":' }, /cut off/],
    ['text that is no JSON', { kind: 'text', text: 'It is deadlocked.' }, /no JSON/],
    ['JSON of another form', { kind: 'text', text: '{"answer":"x"}' }, /not the form/],
    ['an answer that is none', { kind: 'garbage', body: '<html>' }, /cannot be read/],
    ['an answer without an end', { kind: 'endless' }, /cannot be read/],
    ['a connection that ends', { kind: 'hang-up' }, /cannot be read/],
    ['calls without an end', { kind: 'call', name: 'reboot', args: '{}' }, /only asks for what it may not have/],
  ];

  it.each(faults)('%s', async (_what, reply, why) => {
    const { answer, text } = await said(() => reply);
    expect(answer.said).toMatchObject({ kind: 'nothing', note: expect.stringMatching(why) });
    expect(text).toMatch(/No answer is shown|What it said/);
  });

  it('a server that never answers', async () => {
    const server = await modelServerForTest(() => ({ kind: 'silence' }));
    const { reply } = await round(server, WHY, toolsWith({}), { timeoutSeconds: 0.3 });
    expect(reply.said).toMatchObject({ note: expect.stringMatching(/did not answer within/) });
  });

  it('budgets of the day, of a look and of the question, before anything is sent', async () => {
    const server = await modelServerForTest(() => answerOf([]));
    const budget = { perLook: 20_000, perDay: 1_000_000, perChannelPerDay: 1_000_000 };
    const note = async (change: Parameters<typeof round>[3], question = WHY) =>
      (await round(server, question, toolsWith({}), change)).reply.said;
    expect(await note({ budget: { ...budget, perDay: 0 } })).toMatchObject({
      note: expect.stringMatching(/for today/),
    });
    expect(await note({ budget: { ...budget, perLook: 100 } })).toMatchObject({
      note: expect.stringMatching(/one look/),
    });
    expect(await note({ questions: { steps: 1, seconds: 9, tokens: 100 } })).toMatchObject({
      note: expect.stringMatching(/one question/),
    });
    const spent = { steps: 1, input: 59_000, output: 900, since: Date.now() };
    expect(await note({}, { ...WHY, spent })).toMatchObject({ note: expect.stringMatching(/one question/) });
    expect(server.requests).toEqual([]);
  });
});

describe('the budget of a question', () => {
  it('counts what it took, over all its rounds, for the day and the channel', async () => {
    const server = await modelServerForTest(() => answerOf([]));
    const tools = toolsWith({});
    const spent = { steps: 1, input: 1_000, output: 100, since: Date.now() };
    const { reply } = await round(server, { ...WHY, spent }, tools);
    const today = new Date().toISOString().slice(0, 10);
    const took = reply.usage.input + reply.usage.output - 1_100;
    expect(took).toBeGreaterThan(100);
    expect(await tools.notes.get('tokens', today)).toBe(took);
    expect(await tools.notes.get('tokens', `${today}-C1`)).toBe(took);
    expect(reply.price).toBeCloseTo((reply.usage.input + reply.usage.output * 10) / 1e6, 9);
    // The same question of the same evidence costs nothing.
    await round(server, WHY, tools);
    const again = await round(server, WHY, tools);
    expect(again.reply.usage).toEqual({ input: 0, output: 0 });
  });

  it('ends the steps: none are offered when their number or their time is over', async () => {
    const tools = async (spent: Partial<typeof WHY.spent>) => {
      const server = await modelServerForTest(() => answerOf([]));
      await round(server, { ...WHY, spent: { ...WHY.spent, ...spent } }, toolsWith({}));
      return server.requests[0]?.tools;
    };
    expect(await tools({})).toEqual(['lsof', 'stacks']);
    expect(await tools({ steps: 2 })).toEqual([]);
    expect(await tools({ since: Date.now() - 601_000 })).toEqual([]);
  });
});
