import { describe, expect, it } from 'vitest';
import type { BotOptions } from '../../bot/bot.ts';
import { quiet, shown } from '../support/bot.ts';
import { buttonsOf, pressButton } from '../support/buttons.ts';
import type { ModelReply, ModelRequest } from '../support/model-server.ts';
import { answerOf, idOf, questionWorld, WITH_HARMLESS } from '../support/questions.ts';

const STUCK = 'why is thread 25 stuck?';
const END = /By stand-in/;

/** Asks for a step first, then answers from what it saw. */
const afterStep =
  (call: { name: string; args: string }, answer: (request: ModelRequest) => ModelReply) =>
  (request: ModelRequest): ModelReply =>
    /Further looks made for this question: 0\./.test(request.input) ? { kind: 'call', ...call } : answer(request);

describe('a question in a thread', () => {
  it('is answered from the thread’s evidence, with the lines that the answer rests on and what it cost', async () => {
    const { ask, reply, server, queue, all, slack, place } = await questionWorld({
      replies: (request) =>
        answerOf([
          { text: 'Thread 25 waits in `take`, line 12 of `/srv/app/queue.py`.', rests_on: [idOf(request, 'run_mail')] },
          { text: 'The process is healthy.', rests_on: ['F1'] },
          { text: 'The main thread waits in its own SIGTERM handler.', rests_on: ['F1'] },
        ]),
    });
    // Slack may deliver an event twice.
    slack.events.repeat(1);
    ask(STUCK);
    const message = await reply(END);
    expect(shown(message)).toContain(`“${STUCK}”`);
    expect(shown(message)).toContain('Thread 25 waits in');
    expect(shown(message)).toContain('E9 py-stacks: Thread 25 "mail-worker" waiting');
    expect(shown(message)).not.toContain('healthy');
    expect(shown(message)).toMatch(/\(\d[\d,]* tokens, \$0\.\d{4}\).*1 sentence left out/);
    await quiet(queue);
    expect(server.requests).toHaveLength(1);
    const [request] = server.requests;
    expect(request?.input).toContain(`{"question":"${STUCK}"}`);
    expect(request?.instructions).not.toMatch(/thread 25|web-7|6325|pool/);
    expect(all().filter((each) => END.test(shown(each)))).toHaveLength(1);
    // What the model saw and said of it, exactly.
    ask('model');
    const file = await slack.waitFor(() => slack.files().find(({ name }) => name.startsWith('model-')), {
      timeoutMs: 60_000,
      what: 'the file of what the model saw',
    });
    const text = slack.fileBytes(file.id)?.toString() ?? '';
    expect(text).toContain(request?.input);
    expect(text).toContain('it calls something right (“is healthy”) that no rule does: "The process is healthy."');
    // People who talk to each other are not answered.
    const before = all().length;
    slack.user('alice').say('why is thread 25 stuck? any idea, bob?', place);
    ask('strcae 10');
    await reply(/Did you mean `strace`|strace/);
    await quiet(queue);
    expect(all()).toHaveLength(before + 3);
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['the Responses API', false],
    ['chat completions', true],
  ])('for which the model asks for a harmless step is answered from what that saw, by %s', async (_api, chatOnly) => {
    const { ask, reply, asked, server, queue, slack } = await questionWorld({
      chatOnly,
      replies: afterStep({ name: 'lsof', args: '{"pattern":"pool.lock"}' }, (request) =>
        answerOf([
          { text: 'The open file `/run/pool.lock` is seen in line 7.', rests_on: [idOf(request, 'REG /run')] },
        ]),
      ),
      file: ({ playbook }) =>
        playbook === 'lsof'
          ? { probe: 'lsof', text: 'python3 6325 7uW REG /run/pool.lock\n' }
          : { probe: 'py-stacks', text: 'nothing\n' },
    });
    ask('which file is the pool lock?');
    expect(shown(await reply(END))).toMatch(/\/run\/pool\.lock[\s\S]*after lsof “pool\.lock”/);
    await quiet(queue);
    expect(asked.map(({ playbook }) => playbook)).toEqual(['triage', 'lsof']);
    expect(asked[1]).toMatchObject({
      host: 'web-7',
      pid: 6325,
      startTime: '123456',
      allow: ['none'],
      options: { lsof: { pattern: 'pool.lock' } },
      origin: { user: slack.user('bob').id, via: 'follow-up' },
    });
    expect(server.requests.map(({ api }) => api)).toEqual(Array(2).fill(chatOnly ? 'chat' : 'responses'));
    // The step is a look of the thread like any other.
    await reply(/pid 6325 on web-7|process 6325 on web-7/i);
  });

  it('gets no more steps than its budget has', async () => {
    const { ask, reply, asked, server, queue } = await questionWorld({
      replies: ({ tools, input }) => {
        const steps = /Further looks made for this question: (\d+)/.exec(input)?.[1];
        return tools.includes('lsof')
          ? { kind: 'call', name: 'lsof', args: JSON.stringify({ pattern: `lock ${steps}` }) }
          : answerOf([]);
      },
    });
    ask('what holds the lock?');
    expect(shown(await reply(END))).toContain('I cannot tell from what was seen.');
    await quiet(queue);
    expect(asked.map(({ playbook }) => playbook)).toEqual(['triage', 'lsof', 'lsof']);
    expect(server.requests.map(({ tools }) => tools.length > 0)).toEqual([true, true, false]);
  });

  it('is answered once by several bots, however often Slack delivers it', async () => {
    const { ask, reply, asked, server, queue, all, slack } = await questionWorld({
      bots: 3,
      replies: afterStep({ name: 'stacks', args: '{}' }, () => answerOf([], 'strace')),
    });
    slack.events.repeat(2);
    slack.sockets.loseAcks(1);
    ask(STUCK);
    const message = await reply(END);
    await quiet(queue);
    expect(all().filter((each) => shown(each).includes(`“${STUCK}”`))).toHaveLength(1);
    expect(buttonsOf(message)).toHaveLength(1);
    expect(asked.map(({ playbook }) => playbook)).toEqual(['triage', 'stacks']);
    expect(server.requests).toHaveLength(2);
  });

  it('has the same step made once', async () => {
    const { ask, reply, asked, server, queue } = await questionWorld({
      replies: ({ tools }) =>
        tools.includes('lsof') ? { kind: 'call', name: 'lsof', args: '{"pattern":null}' } : answerOf([]),
    });
    ask('what holds the lock?');
    await reply(END);
    await quiet(queue);
    expect(asked.map(({ playbook }) => playbook)).toEqual(['triage', 'lsof']);
    expect(server.requests).toHaveLength(3);
  });

  it('whose model calls what it was not offered is answered without', async () => {
    const calls: { name: string; args: string }[] = [
      { name: 'gcore', args: '{}' },
      { name: 'lsof', args: '{"pattern":null,"pid":1}' },
    ];
    const { ask, reply, asked, server, queue } = await questionWorld({
      replies: ({ tools, input }) => {
        if (tools.length === 0) return answerOf([]);
        const [first, second] = calls;
        return { kind: 'call', name: '', args: '', ...(input.includes('"question":"one') ? first : second) };
      },
    });
    ask('one: what holds the lock?');
    await reply(/one: what[\s\S]*By stand-in/);
    ask('two: what holds the lock?');
    await reply(/two: what[\s\S]*By stand-in/);
    await quiet(queue);
    expect(asked).toHaveLength(1);
    expect(server.requests.map(({ tools }) => tools.includes('gcore'))).toEqual([false, false, false, false]);
  });

  it('that cannot be answered comes with a button for what could tell, which does what the typed verb does', async () => {
    const { ask, reply, asked, slack, queue } = await questionWorld({ replies: () => answerOf([], 'strace') });
    ask('is it safe to restart?');
    const message = await reply(END);
    expect(shown(message)).toMatch(/I cannot tell from what was seen\.[\s\S]*I could run[\s\S]*strace/);
    expect(buttonsOf(message).map(({ label }) => label)).toEqual(['Run strace']);
    await pressButton(slack, 'alice', message, 'Run strace');
    await slack.waitFor(() => asked[1], { timeoutMs: 60_000, what: 'a second look' });
    expect(asked[1]).toMatchObject({ playbook: 'strace', host: 'web-7', pid: 6325, startTime: '123456' });
    expect(asked[1]?.origin).toMatchObject({ user: slack.user('alice').id });
    await quiet(queue);
  });

  it('is offered what needs a yes only where somebody could say it, and then the yes is asked for', async () => {
    const core: BotOptions['policy'] = { allow: ['none'], rules: [{ allow: [], approve: ['stops', 'writes-disk'] }] };
    const { ask, reply, asked, slack, server } = await questionWorld({
      replies: () => answerOf([], 'gcore'),
      policy: core,
      playbooks: WITH_HARMLESS,
    });
    ask('what is in the heap of the process?');
    const message = await reply(END);
    // Nobody could allow strace here.
    expect(server.requests[0]?.input).toContain('"could_run":"gcore"');
    expect(server.requests[0]?.input).not.toContain('"could_run":"strace"');
    await pressButton(slack, 'bob', message, 'Run gcore');
    await slack.waitFor(
      () => buttonsOf(slack.thread('ops', message.thread_ts ?? '').at(-1)).length === 2 || undefined,
      {
        timeoutMs: 60_000,
        what: 'a question for approval',
      },
    );
    expect(asked).toHaveLength(1);
  });

  it('is answered in a sentence where there is no model, and no budget, and where the model fails', async () => {
    const without = await questionWorld({ withoutModel: true });
    without.ask(STUCK);
    expect(shown(await without.reply(/no model is configured/))).toMatch(/ask with a verb instead:\s*why/);
    const faulty = await questionWorld({
      replies: () => ({ kind: 'error', status: 429, code: 'rate_limit_exceeded' }),
    });
    faulty.ask(STUCK);
    expect(shown(await faulty.reply(/I have no answer to that, because the model’s server asks to slow down/))).toMatch(
      /why[\s\S]*raw PROBE/,
    );
    const spent = await questionWorld({ model: { budget: { perLook: 20_000, perDay: 0, perChannelPerDay: 0 } } });
    spent.ask(STUCK);
    await spent.reply(/because the budget of tokens for today is used up/);
    expect(spent.server.requests).toEqual([]);
  });

  it('is answered in the language of the thread', async () => {
    const { ask, reply, server } = await questionWorld({
      replies: (request) =>
        answerOf([
          { text: '主线程在 `on_terminate` 里等待一把已由自己持有的锁。', rests_on: [idOf(request, 'on_terminate')] },
        ]),
      model: { language: 'zh' },
    });
    ask('线程25为什么卡住了');
    expect(shown(await reply(/stand-in/))).toContain('主线程在');
    expect(server.requests[0]?.instructions).toContain('Write Simplified Chinese');
  });
});
