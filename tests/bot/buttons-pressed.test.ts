import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { botForTest, finishedThread, quiet, shown, threadsIn } from '../support/bot.ts';
import { buttonsOf, messageNow, messageWithButton, pressButton } from '../support/buttons.ts';
import { inThread, looksAsked, siteForTest, toldTo } from '../support/site.ts';
import { ALL_BUTTONS, buttonsUnder, CAUSES, messagesWithButtons } from './buttons.parts.ts';

test('presses at once by several people, over two bots: each is shown, none is lost, each works once', async () => {
  const { slack, redis, queue, ts, asked, buttons } = await buttonsUnder();
  await botForTest(slack, redis.url, { causes: CAUSES });
  await Promise.all([
    pressButton(slack, 'alice', buttons, 'Look again'),
    pressButton(slack, 'bob', buttons, 'Look again'),
    pressButton(slack, 'bob', buttons, 'Trace 10 s'),
    pressButton(slack, 'alice', buttons, 'Evidence'),
    pressButton(slack, 'bob', buttons, 'Why'),
  ]);
  await looksAsked(slack, asked, 3);
  await quiet(queue);
  const after = messageNow(slack, buttons);
  expect(buttonsOf(after).map(({ label }) => label)).toEqual(['Take a core…', 'Resolve', 'Wrong diagnosis']);
  expect(shown(after).match(/pressed \*/g)).toHaveLength(4);
  expect(asked).toHaveLength(3);
  const told = [...slack.ephemerals('alice'), ...slack.ephemerals('bob')].map(({ text }) => text);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/“Look again” was pressed already by <@U0(?:ALICE01|BOB0001)>/);
  expect(messagesWithButtons(slack, ts)).toBe(3);
});

test('a press whose edit Slack fails to answer is done once all the same', async () => {
  const { slack, queue, ts, asked, buttons } = await buttonsUnder();
  slack.faults.add({ method: 'chat.update', kind: 'after-effect-500', times: 3 });
  slack.faults.add({ method: 'conversations.replies', kind: '500', times: 4 });
  await pressButton(slack, 'bob', buttons, 'Trace 10 s');
  await looksAsked(slack, asked, 2);
  await quiet(queue);
  expect(asked).toHaveLength(2);
  expect(shown(messageNow(slack, buttons)).match(/pressed \*/g)).toHaveLength(1);
  expect(messagesWithButtons(slack, ts)).toBe(2);
});

test('a press that is delivered twice is one; a later one from an old page is told who was first', async () => {
  const { slack, redis, queue, ts, asked, buttons } = await buttonsUnder();
  const other = await botForTest(slack, redis.url, { causes: CAUSES });
  const token = buttonsOf(buttons)[0]?.value ?? '';
  const { id: user } = slack.user('bob');
  const place = { team: slack.world.team.id, channel: slack.channel('ops'), messageTs: buttons.ts, threadTs: ts };
  const press = { kind: 'press', id: 'one-press', ...place, user, token, at: Date.now() } as const;
  expect((await Promise.all([queue.accept(press), other.queue.accept(press)])).sort()).toContain('queued');
  await looksAsked(slack, asked, 2);
  await queue.accept({ ...press, id: 'another-press' });
  await toldTo(slack, 'bob', `“Look again” was pressed already by <@${user}>.`);
  await quiet(queue);
  expect(asked).toHaveLength(2);
  expect(slack.ephemerals('bob')).toHaveLength(1);
});

test('after a restart of the bot old buttons still work', async () => {
  const { slack, redis, close, asked, buttons } = await buttonsUnder();
  await close();
  const { queue } = await botForTest(slack, redis.url, { causes: CAUSES });
  await pressButton(slack, 'bob', buttons, 'Look again');
  await looksAsked(slack, asked, 2);
  await quiet(queue);
  expect(buttonsOf(messageNow(slack, buttons)).map(({ label }) => label)).toEqual(ALL_BUTTONS.slice(1));
});

test('guests may press nothing, and the button stays for others', async () => {
  const { slack, asked, buttons } = await buttonsUnder();
  await pressButton(slack, 'carol', buttons, 'Look again');
  await toldTo(slack, 'carol', 'I take no requests from guests');
  await pressButton(slack, 'carol', buttons, 'Wrong diagnosis');
  await slack.waitFor(() => slack.ephemerals('carol').length === 2, { timeoutMs: 60_000, what: 'told twice' });
  expect(slack.modal('carol')).toBeUndefined();
  expect(buttonsOf(messageNow(slack, buttons)).map(({ label }) => label)).toEqual(ALL_BUTTONS);
  expect(asked).toHaveLength(1);
});

test('somebody of another workspace may press nothing', async () => {
  const { slack } = await siteForTest();
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'shared');
  await finishedThread(slack, 'shared');
  const ts = threadsIn(slack, 'shared')[0]?.ts ?? '';
  const buttons = await messageWithButton(slack, 'shared', ts, 'Look again');
  await pressButton(slack, 'dana', buttons, 'Look again');
  await toldTo(slack, 'dana', 'I only take requests from members of this workspace');
});

test('a button that was made for one person does nothing for another, and is left to them', async () => {
  const { slack, redis, queue, asked, buttons } = await buttonsUnder();
  await quiet(queue);
  const client = new Redis(redis.url);
  const [again] = buttonsOf(buttons);
  const name = (await client.keys(`*note:button:${again?.value}`))[0] ?? '';
  const kept = JSON.parse((await client.get(name)) ?? '{}');
  await client.set(name, JSON.stringify({ ...kept, only: [slack.user('alice').id] }));
  await client.quit();
  const before = asked.length;
  await pressButton(slack, 'bob', buttons, 'Look again');
  await toldTo(slack, 'bob', '“Look again” is not for you to press.');
  expect(asked).toHaveLength(before);
});

test('a button that nobody knows any more, or whose time is over, says so', async () => {
  const { slack, redis, queue, asked, buttons } = await buttonsUnder();
  await quiet(queue);
  const client = new Redis(redis.url);
  const [again, trace, core] = buttonsOf(buttons);
  const nameOf = async (token: string | undefined) => (await client.keys(`*note:button:${token}`))[0] ?? '';
  const kept = JSON.parse((await client.get(await nameOf(trace?.value))) ?? '{}');
  await client.del(await nameOf(again?.value));
  await client.set(await nameOf(trace?.value), JSON.stringify({ ...kept, until: Date.now() - 1 }));
  await client.set(await nameOf(core?.value), JSON.stringify({ ...kept, action: 'of-another-version' }));
  await pressButton(slack, 'bob', buttons, 'Look again');
  await toldTo(slack, 'bob', 'This button is too old');
  await pressButton(slack, 'bob', buttons, 'Trace 10 s');
  await toldTo(slack, 'bob', '“Trace 10 s” works no longer: its time is over.');
  await pressButton(slack, 'bob', buttons, 'Take a core…');
  await toldTo(slack, 'bob', 'This version of me can no longer do');
  await client.quit();
  expect(asked).toHaveLength(1);
});

test('why says that the look is kept no longer', async () => {
  const { slack, redis, queue, buttons } = await buttonsUnder();
  await quiet(queue);
  const client = new Redis(redis.url);
  for (const key of await client.keys('*answers:answer-*')) await client.del(key);
  await client.quit();
  await pressButton(slack, 'bob', buttons, 'Why');
  await toldTo(slack, 'bob', 'I no longer have that look');
});

test('when Slack opens no modal the presser is told, and the button stays', async () => {
  const { slack, queue, buttons } = await buttonsUnder();
  slack.faults.add({ method: 'views.open', kind: 'error', error: 'expired_trigger_id' });
  await pressButton(slack, 'bob', buttons, 'Wrong diagnosis');
  await toldTo(slack, 'bob', 'I could not open what “Wrong diagnosis” asks for. Press it again.');
  await quiet(queue);
  await pressButton(slack, 'bob', buttons, 'Wrong diagnosis');
  await slack.waitFor(() => slack.modal('bob') !== undefined, { timeoutMs: 30_000, what: 'the modal' });
});

test('of two people with the modal open, the second is told that it was answered', async () => {
  const { slack, queue, buttons, ts } = await buttonsUnder();
  await pressButton(slack, 'bob', buttons, 'Wrong diagnosis');
  await pressButton(slack, 'alice', buttons, 'Wrong diagnosis');
  for (const who of ['bob', 'alice'])
    await slack.waitFor(() => slack.modal(who) !== undefined, { timeoutMs: 30_000, what: 'the modal' });
  expect(await slack.user('alice').submitView({ cause: 'healthy' })).toEqual({ ok: true });
  await inThread(slack, ts, (message) => shown(message).includes('nothing was wrong with the process'), 'the line');
  await quiet(queue);
  expect(await slack.user('bob').submitView({ cause: 'healthy' })).toEqual({
    ok: false,
    errors: { cause: '“Wrong diagnosis” was pressed already.' },
  });
});
