import { expect, test } from 'vitest';
import { shown, threadsIn } from '../support/bot.ts';
import { buttonsOf, messageNow, pressButton } from '../support/buttons.ts';
import { looksAsked, replyWith, toldTo } from '../support/site.ts';
import {
  askedForCore,
  becomes,
  firstBecomes,
  lookAt,
  ONCALL,
  questionIn,
  type Rule,
  workspace,
} from './approvals.parts.ts';

test('who asked, who is not on call, a guest and a stranger may not approve, and leave the button to others', async () => {
  const { slack, asked, question, written } = await askedForCore();
  await pressButton(slack, 'bob', question, 'Approve');
  await toldTo(
    slack,
    'bob',
    `You asked for this yourself, so somebody else has to approve it: <@${slack.user('alice').id}>.`,
  );
  await pressButton(slack, 'eve', question, 'Approve');
  await toldTo(slack, 'eve', 'You may not approve `stops` and `writes-disk` on `web-7`.');
  await pressButton(slack, 'eve', question, 'Refuse');
  await pressButton(slack, 'carol', question, 'Approve');
  await toldTo(slack, 'carol', 'I take no requests from guests.');
  // In a channel that is shared with another company.
  slack.world.channels.find(({ name }) => name === 'ops')?.members.push(slack.user('dana').id);
  await pressButton(slack, 'dana', question, 'Approve');
  await toldTo(slack, 'dana', 'I only take requests from members of this workspace.');
  expect(buttonsOf(messageNow(slack, question))).toHaveLength(2);
  expect(asked).toHaveLength(1);
  const denied = (await written()).filter(({ event }) => event === 'denied').map(({ user }) => user);
  for (const who of ['bob', 'eve', 'carol', 'dana']) expect(denied).toContain(slack.user(who).id);

  await pressButton(slack, 'alice', question, 'Approve');
  await becomes(slack, question, /Approved by/);
  await looksAsked(slack, asked, 2);
});

test('who has left the group since, or was made a guest, may no longer approve', async () => {
  const { slack, asked, question } = await askedForCore();
  const group = slack.world.usergroups.find(({ id }) => id === ONCALL);
  if (group === undefined) throw new Error('there is no such group');
  group.users = [slack.user('bob').id];
  await pressButton(slack, 'alice', question, 'Approve');
  await toldTo(slack, 'alice', 'Who may: nobody now, as the policy stands.');
  expect(asked).toHaveLength(1);
});

test('in a small team the requester approves, where the policy says so', async () => {
  const { slack, asked, question } = await askedForCore({ policy: { selfApproval: true } });
  await pressButton(slack, 'bob', question, 'Approve');
  await becomes(slack, question, /Approved by/);
  await looksAsked(slack, asked, 2);
});

test('where a rule allows it nobody is asked, and where no rule reaches it is said that nobody could approve', async () => {
  const rule: Rule = { people: ['U0BOB0001'], hosts: ['web-8'], allow: ['stops', 'writes-disk'], approve: [] };
  const { slack, asked } = await workspace({ policy: { rules: [rule] } });
  const ts = await lookAt(slack, 'web-8 77 gcore');
  await looksAsked(slack, asked, 1);
  expect(asked[0]?.allow).toEqual(['none', 'slows', 'stops', 'writes-disk']);
  slack.user('bob').say('gcore on web-7 6325', { channel: 'ops', threadTs: ts });
  await replyWith(slack, 'ops', ts, 'names nobody who could approve more');
  expect(asked).toHaveLength(1);
});

test('a playbook whose dear steps are only run when they are wanted asks nobody', async () => {
  const { slack, asked } = await workspace();
  await lookAt(slack, 'web-7 6325 hang');
  await looksAsked(slack, asked, 1);
  expect(asked[0]?.allow).toEqual(['none', 'slows']);
  expect(asked[0]?.approval).toBeUndefined();
  const opened = slack.requests('chat.postMessage').map(({ args }) => JSON.stringify(args));
  expect(opened.find((args) => args.includes('are left out'))).toMatch(/py-bt.* in the thread asks for an approval/);
});

test('/diagnose with such a playbook opens the thread, asks in it, and shows the look in the first message', async () => {
  const { slack, asked } = await workspace();
  const ts = await lookAt(slack, 'web-7 6325 gcore');
  const question = await questionIn(slack, ts);
  expect(shown(threadsIn(slack, 'ops')[0])).toContain('needs an approval');
  expect(shown(question)).toContain('unknown until the process has been identified');
  expect(asked).toEqual([]);
  await pressButton(slack, 'alice', question, 'Approve');
  await firstBecomes(slack, /^🔴/u);
  expect(asked[0]?.approval).toMatchObject({ by: slack.user('alice').id, pid: 6325 });
  expect(asked[0]?.approval?.startTime).toBeUndefined();
});

test('a refused /diagnose says so in the first message', async () => {
  const { slack, asked } = await workspace();
  const ts = await lookAt(slack, 'web-7 6325 gcore');
  await pressButton(slack, 'alice', await questionIn(slack, ts), 'Refuse');
  await firstBecomes(slack, /⚪ Could not look/u);
  expect(shown(threadsIn(slack, 'ops')[0])).toContain('The approval was refused.');
  expect(asked).toEqual([]);
});

test('again, after an approved look, asks for another approval', async () => {
  const { slack, asked } = await workspace();
  const ts = await lookAt(slack, 'web-7 6325 gcore');
  await pressButton(slack, 'alice', await questionIn(slack, ts), 'Approve');
  await firstBecomes(slack, /^🔴/u);
  slack.user('bob').say('again', { channel: 'ops', threadTs: ts });
  const second = await questionIn(slack, ts);
  expect(shown(second)).toContain('2.0 GiB resident');
  expect(asked).toHaveLength(1);
  await pressButton(slack, 'alice', second, 'Approve');
  await looksAsked(slack, asked, 2);
  expect(asked[1]?.origin).toHaveProperty('messageTs');
});
