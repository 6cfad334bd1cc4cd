import type { App } from '@slack/bolt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../../../infra/sandbox/slack/types.ts';
import { socketApp } from './support.ts';

let slack: LocalSlack;
let app: App;

beforeEach(async () => {
  slack = await startLocalSlack({ ackTimeoutMs: 30_000, triggerLifetimeMs: 60_000 });
  app = socketApp(slack);
  await app.start();
});

afterEach(async () => {
  await app.stop();
  await slack.close();
});

async function postButtons(): Promise<SlackMessage> {
  const { ts } = await app.client.chat.postMessage({
    channel: slack.channel('ops'),
    text: 'report',
    blocks: [
      {
        type: 'actions',
        block_id: 'row',
        elements: [
          { type: 'button', action_id: 'again', text: { type: 'plain_text', text: 'Look again' }, value: 'id-1' },
          {
            type: 'static_select',
            action_id: 'pick',
            options: [
              { text: { type: 'plain_text', text: 'One' }, value: '1' },
              { text: { type: 'plain_text', text: 'Two' }, value: '2' },
            ],
          },
        ],
      },
    ],
  });
  const message = slack.messages('ops').find((each) => each.ts === ts);
  if (message === undefined) throw new Error('not posted');
  return message;
}

describe('buttons and menus of a message', () => {
  it('tell who pressed what where, and the message can be replaced', async () => {
    const seen: unknown[] = [];
    app.action('again', async ({ ack, action, body, respond }) => {
      await ack();
      seen.push({ action, user: body.user.id, channel: body.channel?.id });
      await respond({ replace_original: true, text: `pressed by <@${body.user.id}>`, blocks: [] });
    });
    const message = await postButtons();
    const bob = slack.user('bob');
    expect((await bob.press(message, 'again')).ack).toMatchObject({ acked: true });
    expect(seen).toMatchObject([
      { action: { type: 'button', value: 'id-1', block_id: 'row' }, user: bob.id, channel: message.channel },
    ]);
    const replaced = await slack.waitFor((change) => change?.kind === 'update' && change.message);
    expect(replaced).toMatchObject({ ts: message.ts, text: `pressed by <@${bob.id}>`, blocks: [] });
  });

  it('tell the chosen option', async () => {
    const chosen: unknown[] = [];
    app.action('pick', async ({ ack, action }) => {
      await ack();
      chosen.push(action);
    });
    const message = await postButtons();
    await slack.user('alice').choose(message, 'pick', '2');
    expect(chosen).toMatchObject([{ type: 'static_select', selected_option: { value: '2' } }]);
    await expect(slack.user('alice').choose(message, 'pick', '3')).rejects.toThrow('there is no option 3');
  });

  it('cannot be pressed by those who do not see them', async () => {
    const message = await postButtons();
    await expect(slack.user('dana').press(message, 'again')).rejects.toThrow('dana is not in #ops');
    await expect(slack.user('bob').press(message, 'gone')).rejects.toThrow('there are: again, pick');
  });

  it('work in a private message, which can be deleted by its response URL', async () => {
    app.action('pick-pid', async ({ ack, respond }) => {
      await ack();
      await respond({ delete_original: true });
    });
    const bob = slack.user('bob');
    await app.client.chat.postEphemeral({
      channel: slack.channel('ops'),
      user: bob.id,
      text: 'which?',
      blocks: [
        {
          type: 'section',
          text: { type: 'mrkdwn', text: 'worker' },
          accessory: { type: 'button', action_id: 'pick-pid', text: { type: 'plain_text', text: 'This' } },
        },
      ],
    });
    const [message] = slack.ephemerals('bob');
    if (message === undefined) throw new Error('nothing was shown');
    await expect(slack.user('alice').press(message, 'pick-pid')).rejects.toThrow('sees no message');
    await bob.press(message, 'pick-pid');
    await slack.waitFor((change) => change?.kind === 'ephemeral-delete');
    expect(slack.ephemerals('bob')).toEqual([]);
  });
});
