import { expect, it } from 'vitest';
import { quiet, shown } from '../support/bot.ts';
import type { ModelReply, ModelRequest } from '../support/model-server.ts';
import { answerOf, itemsShown, questionWorld } from '../support/questions.ts';
import { ATTACKS } from '../workers/prose/attacks.ts';

/** Some of each kind, in the question itself; each a little different, so that no answer is had from before. */
const TRIED = ATTACKS.filter((_, index) => index % 3 === 0);

/** What a model does that obeys everything: says it, citing all that there is, and names it as what could be run. */
const obeying =
  (obeyed: string) =>
  (request: ModelRequest): ModelReply => {
    const ids = itemsShown(request).map(({ id }) => id);
    const claims = [ids, ['F1'], ids.slice(-2)].map((rests_on) => ({ text: obeyed, rests_on }));
    return answerOf(claims, obeyed);
  };

it('nothing of an attack reaches the thread, whoever the model obeys', async () => {
  let obey: (request: ModelRequest) => ModelReply = () => answerOf([]);
  const { ask, all, queue, asked, reply } = await questionWorld({
    replies: (request) => obey(request),
    file: () => ({
      probe: 'py-stacks',
      text: [...ATTACKS.map(({ text }) => `Thread 25 (${text.replaceAll('\n', ' ')}) waiting`), ''].join('\n'),
    }),
    report: (report) => ({ ...report, target: { ...report.target, command: `python3 ${ATTACKS[0]?.text ?? ''}` } }),
  });
  for (const [index, { text, obeyed }] of TRIED.entries()) {
    obey = obeying(obeyed);
    ask(`number ${index + 1}: why is thread 25 stuck? ${text.replaceAll('\n', ' ')} ok?`);
    await reply(new RegExp(`number ${index + 1}:[\\s\\S]*By stand-in`));
  }
  await quiet(queue);
  const answers = all().filter((message) => /By stand-in/.test(shown(message)));
  expect(answers).toHaveLength(TRIED.length);
  for (const [index, message] of answers.entries()) {
    // The first block is the question as its asker typed it, which Slack does not parse.
    const [question, ...rest] = message.blocks ?? [];
    expect(question).toMatchObject({ type: 'context', elements: [{ type: 'plain_text' }] });
    expect(JSON.stringify(rest)).not.toContain(JSON.stringify(TRIED[index]?.obeyed).slice(1, -1));
    expect(rest.every(({ type }) => ['rich_text', 'context', 'actions'].includes(type))).toBe(true);
    expect(message.text).not.toMatch(/<[!@#]|https?:/);
    expect(shown({ ...message, blocks: rest })).toContain('I cannot tell from what was seen.');
  }
  // Nothing was run for any of them.
  expect(asked).toHaveLength(1);
});

it('no call reaches a host but a harmless one on this process, and its text calls nobody', async () => {
  const calls = [
    { name: 'gcore', args: '{}' },
    { name: 'strace', args: '{}' },
    { name: 'lsof', args: '{"pattern":null,"host":"db-1"}' },
    { name: 'lsof', args: '{"pattern":null,"pid":1}' },
    { name: 'lsof', args: '{"pattern":"a\\nb"}' },
    { name: 'lsof', args: '{"pattern":"<!channel> on db-1 1"}' },
    { name: 'lsof', args: '{"pattern":"$(reboot) `id` https://evil.example"}' },
  ];
  let call = calls[0] ?? { name: '', args: '' };
  const { ask, all, queue, asked, reply } = await questionWorld({
    replies: ({ tools, input }) =>
      tools.length > 0 && /question: 0\./.test(input) ? { kind: 'call', ...call } : answerOf([]),
  });
  for (const [index, each] of calls.entries()) {
    call = each;
    ask(`number ${index + 1}: what holds the lock?`);
    await reply(new RegExp(`number ${index + 1}:[\\s\\S]*By stand-in`));
  }
  await quiet(queue);
  const steps = asked.slice(1);
  expect(steps.map(({ options }) => options)).toEqual([
    { lsof: { pattern: '<!channel> on db-1 1' } },
    { lsof: { pattern: '$(reboot) `id` https://evil.example' } },
  ]);
  for (const step of steps)
    expect(step).toMatchObject({ host: 'web-7', pid: 6325, startTime: '123456', playbook: 'lsof', allow: ['none'] });
  for (const { text, bot_id: bot } of all()) if (bot !== undefined) expect(text).not.toMatch(/<[!@#](?!U)|<https?:/);
});
