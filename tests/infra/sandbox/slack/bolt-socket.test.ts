import { App, LogLevel, SocketModeReceiver } from '@slack/bolt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';

let slack: LocalSlack;
let app: App;

beforeEach(async () => {
  slack = await startLocalSlack({ ackTimeoutMs: 500, retryDelaysMs: [0, 20, 40] });
  const receiver = new SocketModeReceiver({
    appToken: slack.appToken,
    logLevel: LogLevel.ERROR,
    clientPingTimeout: 100,
    installerOptions: { clientOptions: { slackApiUrl: slack.apiUrl } },
  });
  app = new App({
    token: slack.botToken,
    receiver,
    logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: slack.apiUrl },
  });
});

afterEach(async () => {
  await app.stop();
  await slack.close();
});

describe('a Bolt app in Socket Mode', () => {
  it('acknowledges a slash command, posts, and answers through the response URL', async () => {
    app.command('/diagnose', async ({ ack, command, client, respond }) => {
      await ack();
      await client.chat.postMessage({ channel: command.channel_id, text: `looking at ${command.text}` });
      await respond({ text: 'private word' });
    });
    await app.start();
    const result = await slack.user('alice').slash('/diagnose', 'local 123', 'ops');
    expect(result.ack).toEqual({ acked: true, payload: {} });
    const posted = await slack.waitFor(() => slack.messages('ops')[0]);
    expect(posted).toMatchObject({ text: 'looking at local 123', bot_id: slack.world.app.botId });
    const word = await slack.waitFor(() => slack.ephemerals('alice')[0]);
    expect(word.text).toBe('private word');
    expect(slack.ephemerals('bob')).toEqual([]);
  });
});
