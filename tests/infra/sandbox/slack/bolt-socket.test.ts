import type { App } from '@slack/bolt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalSlackOptions } from '../../../../infra/sandbox/slack/options.ts';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import { heard, socketApp } from './support.ts';

let slack: LocalSlack;
let app: App;

beforeEach(async () => {
  slack = await startLocalSlack({ ackTimeoutMs: 30_000 });
  app = socketApp(slack);
});

afterEach(async () => {
  await app.stop();
  await slack.close();
});

/** Begins anew with another Slack. */
async function restart(options: LocalSlackOptions, pingTimeoutMs?: number): Promise<void> {
  await app.stop();
  await slack.close();
  slack = await startLocalSlack(options);
  app = socketApp(slack, {}, pingTimeoutMs);
}

describe('slash commands', () => {
  it('are acknowledged, and answered in the channel and in private', async () => {
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

  it('show the acknowledgement’s own text, in private or to all', async () => {
    app.command('/diagnose', async ({ ack, command }) => {
      if (command.text === 'all') await ack({ response_type: 'in_channel', text: 'to all' });
      else await ack('to you');
    });
    await app.start();
    const one = await slack.user('bob').slash('/diagnose', 'me', 'ops');
    expect(one.responses).toMatchObject([{ text: 'to you', ephemeral_to: slack.user('bob').id }]);
    await slack.user('bob').slash('/diagnose', 'all', 'ops');
    expect(slack.messages('ops').map((message) => message.text)).toEqual(['to all']);
  });

  it('tell the person when the app is silent or away', async () => {
    await restart({ ackTimeoutMs: 100 });
    app.command('/diagnose', async () => {});
    const away = await slack.user('alice').slash('/diagnose', 'x', 'ops');
    expect(away.ack).toEqual({ acked: false, reason: 'no_connection' });
    await app.start();
    const silent = await slack.user('alice').slash('/diagnose', 'x', 'ops');
    expect(silent.ack).toEqual({ acked: false, reason: 'timeout' });
    expect(slack.ephemerals('alice').map((message) => message.text)).toEqual([
      '/diagnose failed with the error "dispatch_failed"',
      '/diagnose failed with the error "operation_timeout"',
    ]);
  });

  it('are not known unless installed, nor where the person is not', async () => {
    await expect(slack.user('alice').slash('/other', '', 'ops')).rejects.toThrow('/other is not a valid command');
    await expect(slack.user('dana').slash('/diagnose', '', 'ops')).rejects.toThrow('dana is not in #ops');
  });

  it('give a response URL that works five times', async () => {
    app.command('/diagnose', async ({ ack }) => ack());
    await app.start();
    const { responseUrl, responses } = await slack.user('alice').slash('/diagnose', '', 'ops');
    const answer = () => fetch(responseUrl, { method: 'POST', body: JSON.stringify({ text: 'x' }) });
    for (let use = 0; use < 5; use += 1) expect((await answer()).status).toBe(200);
    const sixth = await answer();
    expect(sixth.status).toBe(404);
    expect(await sixth.json()).toMatchObject({ error: 'used_url' });
    expect(responses).toHaveLength(5);
  });
});

describe('events', () => {
  it('come once for a message and once more for a mention', async () => {
    const events = heard<string>();
    app.event('app_mention', async ({ event }) => events.add(`mention ${event.text}`));
    app.message(async ({ message }) => events.add(`message ${'text' in message ? message.text : ''}`));
    await app.start();
    const { botUserId } = slack.world.app;
    slack.user('bob').say('@straceback help & <thanks>', { channel: 'ops' });
    slack.user('bob').say('just talking', { channel: 'ops' });
    slack.user('bob').say('unheard', { channel: 'lounge' });
    expect((await events.until(3)).sort()).toEqual([
      `mention <@${botUserId}> help &amp; &lt;thanks&gt;`,
      `message <@${botUserId}> help &amp; &lt;thanks&gt;`,
      'message just talking',
    ]);
  });

  it('carry the thread, so that an answer can go there', async () => {
    app.event('app_mention', async ({ event, client }) => {
      await client.chat.postMessage({ channel: event.channel, thread_ts: event.thread_ts ?? event.ts, text: 'here' });
    });
    await app.start();
    const parent = slack.user('alice').say('incident', { channel: 'ops' });
    slack.user('bob').say('@straceback again', { channel: 'ops', threadTs: parent.ts });
    const answer = await slack.waitFor(() => slack.thread('ops', parent.ts)[2]);
    expect(answer).toMatchObject({ text: 'here', thread_ts: parent.ts });
  });

  it('name a stranger’s team', async () => {
    const teams = heard<unknown>();
    app.message(async ({ message }) => teams.add('user_team' in message ? message.user_team : undefined));
    await app.start();
    slack.user('dana').say('hello from outside', { channel: 'shared' });
    expect(await teams.until(1)).toEqual([slack.world.otherTeam.id]);
  });

  it('are delivered up to four times until acknowledged, with the same event id', async () => {
    await restart({ ackTimeoutMs: 1_000, retryDelaysMs: [0, 0, 0] });
    const attempts = heard<{ id: string; attempt: number | undefined }>();
    app.use(async ({ body, context, next }) => {
      if ('event_id' in body) attempts.add({ id: String(body.event_id), attempt: context.retryNum });
      await next();
    });
    await app.start();
    slack.sockets.loseAcks(2);
    const acknowledged = slack.waitFor((change) => change?.kind === 'delivered' && change.acked && change.attempt);
    slack.user('bob').say('hello', { channel: 'ops' });
    const list = (await attempts.until(3)).slice(0, 3);
    expect(new Set(list.map(({ id }) => id)).size).toBe(1);
    expect(list.map(({ attempt }) => attempt)).toEqual([0, 1, 2]);
    expect(await acknowledged).toBeGreaterThanOrEqual(2);
  });

  it('are repeated on request although acknowledged', async () => {
    const ids = heard<string>();
    app.message(async ({ body }) => ids.add(body.event_id));
    await app.start();
    slack.events.repeat(1);
    slack.user('bob').say('hello', { channel: 'ops' });
    const [first, second] = await ids.until(2);
    expect(first).toBe(second);
  });

  it('can arrive in another order than they were sent', async () => {
    const texts = heard<string>();
    app.message(async ({ message }) => texts.add('text' in message ? String(message.text) : ''));
    await app.start();
    slack.events.hold();
    for (const text of ['one', 'two', 'three']) slack.user('bob').say(text, { channel: 'ops' });
    await slack.events.release('reversed');
    expect(await texts.until(3)).toEqual(['three', 'two', 'one']);
  });

  it('tell of edits and of what the app itself posts', async () => {
    await app.stop();
    app = socketApp(slack, { ignoreSelf: false });
    const subtypes = heard<string | undefined>();
    app.use(async ({ body, next }) => {
      const { event } = body as { event?: { subtype?: string; bot_id?: string; type: string } };
      if (event !== undefined) subtypes.add(event.subtype ?? event.bot_id);
      await next();
    });
    await app.start();
    const { ts, channel } = await app.client.chat.postMessage({ channel: slack.channel('ops'), text: 'mine' });
    await app.client.chat.update({ channel: String(channel), ts: String(ts), text: 'edited' });
    expect(await subtypes.until(2)).toEqual([slack.world.app.botId, 'message_changed']);
  });

  it('include the opening of the home tab, which the app can fill', async () => {
    app.event('app_home_opened', async ({ event, client }) => {
      await client.views.publish({
        user_id: event.user,
        view: { type: 'home', blocks: [{ type: 'header', text: { type: 'plain_text', text: 'Looks' } }] },
      });
    });
    await app.start();
    slack.user('bob').openHome();
    const home = await slack.waitFor(() => slack.home('bob'));
    expect(home.blocks).toMatchObject([{ type: 'header' }]);
  });
});

describe('sockets', () => {
  it('are opened anew after a drop and after a disconnect, and events go on', async () => {
    await restart({}, 2_000);
    const texts = heard<string>();
    app.message(async ({ message }) => texts.add('text' in message ? String(message.text) : ''));
    await app.start();
    expect(slack.sockets.drop()).toBe(1);
    expect(slack.sockets.open).toBe(0);
    await slack.waitFor(() => slack.sockets.open === 1, { what: 'a new socket' });
    slack.user('bob').say('after the drop', { channel: 'ops' });
    await texts.until(1);
    const reopened = slack.waitFor((change) => change?.kind === 'sockets' && change.open === 1);
    slack.sockets.disconnect('refresh_requested');
    await reopened;
    slack.user('bob').say('after the disconnect', { channel: 'ops' });
    expect(await texts.until(2)).toEqual(['after the drop', 'after the disconnect']);
    expect(slack.requests('apps.connections.open').length).toBeGreaterThanOrEqual(3);
  });

  it('share the events: each goes to one of two apps', async () => {
    const who = heard<string>();
    const second = socketApp(slack);
    app.message(async () => who.add('first'));
    second.message(async () => who.add('second'));
    try {
      await app.start();
      await second.start();
      for (let index = 0; index < 4; index += 1) slack.user('bob').say(`m${index}`, { channel: 'ops' });
      expect((await who.until(4)).sort()).toEqual(['first', 'first', 'second', 'second']);
    } finally {
      await second.stop();
    }
  });

  it('get an event that was sent while none was open', async () => {
    await restart({ retryDelaysMs: [5_000, 5_000, 5_000] });
    const texts = heard<string>();
    app.message(async ({ message }) => texts.add('text' in message ? String(message.text) : ''));
    const missed = slack.waitFor((change) => change?.kind === 'delivered' && change.attempt === 0 && !change.acked);
    slack.user('bob').say('too early', { channel: 'ops' });
    await missed;
    await app.start();
    expect(await texts.until(1)).toEqual(['too early']);
  });
});
