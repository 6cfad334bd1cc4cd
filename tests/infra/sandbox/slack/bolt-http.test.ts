import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { App, HTTPReceiver } from '@slack/bolt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signedHeaders } from '../../../../infra/sandbox/slack/http-transport.ts';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import { silentLogger } from './support.ts';

let slack: LocalSlack;
let app: App;
let url: string;

beforeEach(async () => {
  slack = await startLocalSlack({ ackTimeoutMs: 30_000 });
  const logger = silentLogger();
  const receiver = new HTTPReceiver({ signingSecret: slack.signingSecret, logger });
  app = new App({ token: slack.botToken, receiver, logger, clientOptions: { slackApiUrl: slack.apiUrl } });
  const server = await app.start({ port: 0, host: '127.0.0.1' });
  url = `http://127.0.0.1:${((server as Server).address() as AddressInfo).port}/slack/events`;
  await slack.useRequestUrl(url);
});

afterEach(async () => {
  await app.stop();
  await slack.close();
});

describe('a Bolt app behind a request URL', () => {
  it('gets signed commands, events and interactions', async () => {
    app.command('/diagnose', async ({ ack, command, client }) => {
      await ack('on it');
      await client.chat.postMessage({
        channel: command.channel_id,
        text: command.text,
        blocks: [
          {
            type: 'actions',
            elements: [{ type: 'button', action_id: 'again', text: { type: 'plain_text', text: 'Again' } }],
          },
        ],
      });
    });
    app.event('app_mention', async ({ event, client }) => {
      await client.chat.postMessage({ channel: event.channel, thread_ts: event.ts, text: 'heard' });
    });
    app.action('again', async ({ ack, respond }) => {
      await ack();
      await respond({ text: 'pressed' });
    });
    const alice = slack.user('alice');
    const { responses } = await alice.slash('/diagnose', 'ünïcode & =signs', 'ops');
    expect(responses).toMatchObject([{ text: 'on it', ephemeral_to: alice.id }]);
    const posted = await slack.waitFor(() => slack.messages('ops')[0]);
    expect(posted.text).toBe('ünïcode & =signs');
    await alice.press(posted, 'again');
    await slack.waitFor(() => slack.ephemerals('alice').some((message) => message.text === 'pressed'));
    const said = alice.say('@straceback hi', { channel: 'ops' });
    await slack.waitFor(() => slack.thread('ops', said.ts)[1]?.text === 'heard');
  });

  it('refuses what is not signed with its secret', async () => {
    const body = new URLSearchParams({ command: '/diagnose' }).toString();
    const type = 'application/x-www-form-urlencoded';
    const seconds = Math.floor(Date.now() / 1000);
    const send = (headers: Record<string, string>) => fetch(url, { method: 'POST', headers, body });
    expect((await send(signedHeaders('wrong', body, type, seconds))).status).toBe(401);
    expect((await send(signedHeaders(slack.signingSecret, body, type, seconds - 600))).status).toBe(401);
  });
});

describe('a request URL that fails', () => {
  let failing: Server;

  afterEach(() => {
    failing.close();
    failing.closeAllConnections();
  });

  it('gets events again with retry headers, and people are told of commands', async () => {
    const retries: (string | undefined)[] = [];
    failing = createServer((request, response) => {
      const header = (name: string) => request.headers[name]?.toString();
      retries.push(`${header('x-slack-retry-num')} ${header('x-slack-retry-reason')}`);
      request.resume();
      request.on('end', () => response.writeHead(500).end());
    });
    await new Promise<void>((resolve) => failing.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(failing.address() as AddressInfo).port}/`;
    await expect(slack.useRequestUrl(address)).rejects.toThrow('did not answer Slack');
    retries.length = 0;
    const other = await startLocalSlack({ requestUrl: address, ackTimeoutMs: 30_000, retryDelaysMs: [0, 5, 10] });
    try {
      other.user('bob').say('hello', { channel: 'ops' });
      await other.waitFor(() => retries.length === 4);
      expect(retries).toEqual(['undefined undefined', '1 http_error', '2 http_error', '3 http_error']);
      const result = await other.user('bob').slash('/diagnose', '', 'ops');
      expect(result.ack).toEqual({ acked: false, reason: 'http_error' });
      expect(other.ephemerals('bob')[0]?.text).toContain('http_service_error');
    } finally {
      await other.close();
    }
  });
});
