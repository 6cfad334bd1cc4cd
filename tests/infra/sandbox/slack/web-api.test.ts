import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import { refusalOf, webClient } from './support.ts';

let slack: LocalSlack;
let client: ReturnType<typeof webClient>;

beforeAll(async () => {
  slack = await startLocalSlack();
  client = webClient(slack);
});

afterAll(async () => {
  await slack.close();
});

describe('tokens and methods', () => {
  it('says who the bot is', async () => {
    const { app, team } = slack.world;
    expect(await client.auth.test()).toMatchObject({
      ok: true,
      user_id: app.botUserId,
      bot_id: app.botId,
      team_id: team.id,
    });
  });

  it('refuses no token, a wrong token and the wrong kind of token', async () => {
    const nobody = await fetch(`${slack.apiUrl}auth.test`, { method: 'POST' });
    expect(await nobody.json()).toEqual({ ok: false, error: 'not_authed' });
    expect((await refusalOf(webClient(slack, 'xoxb-wrong').auth.test())).error).toBe('invalid_auth');
    expect((await refusalOf(client.apps.connections.open({}))).error).toBe('not_allowed_token_type');
    const withApp = webClient(slack, slack.appToken);
    expect((await refusalOf(withApp.chat.postMessage({ channel: 'ops', text: 'x' }))).error).toBe(
      'not_allowed_token_type',
    );
    expect((await withApp.apps.connections.open({})).url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/link\//);
  });

  it('takes the token in a form, and arguments as JSON', async () => {
    const form = await fetch(`${slack.apiUrl}auth.test`, {
      method: 'POST',
      body: new URLSearchParams({ token: slack.botToken }),
    });
    expect(await form.json()).toMatchObject({ ok: true });
    const json = await fetch(`${slack.apiUrl}chat.postMessage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${slack.botToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: '#alerts', text: 'as JSON', blocks: [{ type: 'divider' }] }),
    });
    expect(await json.json()).toMatchObject({ ok: true, message: { text: 'as JSON' } });
  });

  it('refuses what is not JSON, and an unknown method', async () => {
    const broken = await fetch(`${slack.apiUrl}chat.postMessage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${slack.botToken}`, 'content-type': 'application/json' },
      body: '{',
    });
    expect(await broken.json()).toEqual({ ok: false, error: 'invalid_json' });
    expect((await refusalOf(client.apiCall('chat.shout', {}))).error).toBe('unknown_method');
  });

  it('logs every request with its arguments and answer', async () => {
    await client.chat.postMessage({ channel: slack.channel('ops'), text: 'for the log' });
    const last = slack.requests('chat.postMessage').at(-1);
    expect(last).toMatchObject({
      args: { text: 'for the log' },
      status: 200,
      effect: true,
      response: { ok: true },
    });
    expect(JSON.stringify(slack.requests())).not.toContain(slack.botToken);
  });
});

describe('messages', () => {
  it('are posted, edited, and deleted', async () => {
    const channel = slack.channel('ops');
    const { ts } = await client.chat.postMessage({ channel, text: 'first' });
    await client.chat.update({ channel, ts: String(ts), text: 'second' });
    const [message] = slack.messages('ops').filter((each) => each.ts === ts);
    expect(message).toMatchObject({ text: 'second', edited: { user: slack.world.app.botUserId } });
    await client.chat.delete({ channel, ts: String(ts) });
    expect(slack.messages('ops').some((each) => each.ts === ts)).toBe(false);
  });

  it('keep their blocks in an edit that names none, and lose them to an empty list', async () => {
    const channel = slack.channel('ops');
    const { ts } = await client.chat.postMessage({ channel, text: 'a', blocks: [{ type: 'divider' }] });
    const kept = await client.chat.update({ channel, ts: String(ts), text: 'b' });
    expect(kept.message).toMatchObject({ blocks: [{ type: 'divider', block_id: expect.any(String) }] });
    await client.chat.update({ channel, ts: String(ts), text: 'c', blocks: [] });
    expect(slack.messages('ops').find((each) => each.ts === ts)?.blocks).toEqual([]);
  });

  it('get ids for blocks and elements that have none', async () => {
    const { message } = await client.chat.postMessage({
      channel: slack.channel('ops'),
      text: 'ids',
      blocks: [{ type: 'actions', elements: [{ type: 'button', text: { type: 'plain_text', text: 'Go' } }] }],
    });
    expect(message?.blocks).toMatchObject([
      { block_id: expect.any(String), elements: [{ action_id: expect.any(String) }] },
    ]);
  });

  it('make threads with counts, and are found again', async () => {
    const channel = slack.channel('ops');
    const { ts } = await client.chat.postMessage({ channel, text: 'parent' });
    const threadTs = String(ts);
    await client.chat.postMessage({ channel, text: 'one', thread_ts: threadTs });
    slack.user('bob').say('two', { channel, threadTs });
    const replies = await client.conversations.replies({ channel, ts: threadTs });
    expect(replies.messages?.map((message) => message.text)).toEqual(['parent', 'one', 'two']);
    expect(replies.messages?.[0]).toMatchObject({ reply_count: 2, reply_users_count: 2 });
    const history = await client.conversations.history({ channel, limit: 1 });
    expect(history.messages?.map((message) => message.text)).toEqual(['parent']);
    expect(history.has_more).toBe(true);
    expect(slack.thread('ops', threadTs)).toHaveLength(3);
  });

  it('are paged through by cursor without loss', async () => {
    const channel = slack.channel('alerts');
    for (let index = 0; index < 5; index += 1) await client.chat.postMessage({ channel, text: `page ${index}` });
    const seen: (string | undefined)[] = [];
    for await (const page of client.paginate('conversations.history', { channel, limit: 2 })) {
      const { messages } = page as { messages?: { text?: string }[] };
      seen.push(...(messages ?? []).map((message) => message.text));
    }
    expect(seen.filter((text) => text?.startsWith('page')).reverse()).toEqual([
      'page 0',
      'page 1',
      'page 2',
      'page 3',
      'page 4',
    ]);
  });

  it('can be for one person only', async () => {
    const channel = slack.channel('ops');
    await client.chat.postEphemeral({ channel, user: slack.user('bob').id, text: 'only you' });
    expect(slack.ephemerals('bob').map((message) => message.text)).toEqual(['only you']);
    expect(slack.ephemerals('alice')).toEqual([]);
    expect(slack.messages('ops').some((message) => message.text === 'only you')).toBe(false);
  });

  it('reach a person directly', async () => {
    const bob = slack.user('bob');
    const { channel } = await client.conversations.open({ users: bob.id });
    await client.chat.postMessage({ channel: bob.id, text: 'psst' });
    expect(channel?.id).toBe(bob.im());
    expect(slack.messages(bob.im()).map((message) => message.text)).toEqual(['psst']);
  });

  it('have a permalink and take a reaction once', async () => {
    const channel = slack.channel('ops');
    const { ts } = await client.chat.postMessage({ channel, text: 'linked' });
    const link = await client.chat.getPermalink({ channel, message_ts: String(ts) });
    expect(link.permalink).toContain(`/archives/${channel}/p`);
    await client.reactions.add({ channel, timestamp: String(ts), name: 'eyes' });
    const again = client.reactions.add({ channel, timestamp: String(ts), name: 'eyes' });
    expect((await refusalOf(again)).error).toBe('already_reacted');
  });
});

describe('people and places', () => {
  it('describes guests, strangers, bots and admins', async () => {
    const info = async (name: string) => (await client.users.info({ user: slack.user(name).id })).user;
    expect(await info('alice')).toMatchObject({ is_admin: true, is_restricted: false });
    expect(await info('carol')).toMatchObject({ is_restricted: true, team_id: slack.world.team.id });
    expect(await info('dana')).toMatchObject({ is_stranger: true, team_id: slack.world.otherTeam.id });
    expect(await info('straceback')).toMatchObject({ is_bot: true });
    expect((await refusalOf(client.users.info({ user: 'U404' }))).error).toBe('user_not_found');
    expect((await client.users.list({})).members).toHaveLength(slack.world.users.length);
  });

  it('describes channels, user groups, the bot and the team', async () => {
    const shared = await client.conversations.info({ channel: slack.channel('shared') });
    expect(shared.channel).toMatchObject({ name: 'shared', is_ext_shared: true, is_member: true });
    const group = await client.usergroups.users.list({ usergroup: 'S0ONCALL1' });
    expect(group.users).toEqual([slack.user('alice').id, slack.user('bob').id]);
    expect((await client.bots.info({ bot: slack.world.app.botId })).bot).toMatchObject({ name: 'Straceback' });
    expect((await client.team.info({})).team).toMatchObject({ id: slack.world.team.id });
  });
});

describe('the channels of a person', () => {
  it('are told by kind, closed ones only where the bot is in them, each kind by its own scope', async () => {
    const few = await startLocalSlack({ scopes: ['channels:read'] });
    const all = await startLocalSlack();
    try {
      const bob = all.user('bob').id;
      const [ops, alerts] = ['ops', 'alerts'].map((name) => all.world.channels.find((each) => each.name === name));
      if (ops === undefined || alerts === undefined) throw new Error('there is no #ops or no #alerts');
      ops.isPrivate = true;
      alerts.isPrivate = true;
      alerts.members = alerts.members.filter((id) => id !== all.world.app.botUserId);
      const asked = { user: bob, types: 'private_channel' };
      const { channels } = await webClient(all).users.conversations(asked);
      expect(channels?.map(({ name }) => name)).toEqual(['ops']);
      const open = (await webClient(all).users.conversations({ user: bob })).channels?.map(({ name }) => name);
      expect(open).not.toContain('ops');
      expect((await refusalOf(webClient(few).users.conversations(asked))).error).toBe('missing_scope');
      expect((await webClient(few).users.conversations({ user: bob })).ok).toBe(true);
    } finally {
      await Promise.all([few.close(), all.close()]);
    }
  });
});

describe('files', () => {
  it('travel through uploadV2 into a thread, byte for byte', async () => {
    const channel = slack.channel('ops');
    const { ts } = await client.chat.postMessage({ channel, text: 'evidence follows' });
    const bytes = Buffer.from([0, 255, 10, 13, 0xc3, 0x28, ...Buffer.from('--boundary\r\n')]);
    await client.files.uploadV2({
      channel_id: channel,
      thread_ts: String(ts),
      initial_comment: 'raw',
      file_uploads: [
        { file: bytes, filename: 'evidence.bin', title: 'Evidence' },
        { content: 'plain text', filename: 'strace.txt' },
      ],
    });
    const [file, text] = slack.files().slice(-2);
    expect(file).toMatchObject({ title: 'Evidence', size: bytes.length });
    expect(slack.fileBytes(file?.id ?? '')).toEqual(bytes);
    expect(text).toMatchObject({ mimetype: 'text/plain' });
    const message = slack.thread('ops', String(ts)).at(-1);
    expect(message).toMatchObject({ text: 'raw', subtype: 'file_share', files: [{ name: 'evidence.bin' }, {}] });
    const info = await client.files.info({ file: file?.id ?? '' });
    expect(info.file).toMatchObject({ shares: { public: { [channel]: [{ ts: message?.ts }] } } });
    expect(slack.requests('upload')).toHaveLength(2);
  });

  it('are refused when empty, unknown, or not of the announced length', async () => {
    expect((await refusalOf(client.files.getUploadURLExternal({ filename: 'a.txt', length: 0 }))).error).toBe(
      'invalid_arguments',
    );
    const unknown = client.files.completeUploadExternal({ files: [{ id: 'F404', title: 'x' }] });
    expect((await refusalOf(unknown)).error).toBe('file_not_found');
    const { upload_url: url } = await client.files.getUploadURLExternal({ filename: 'a.txt', length: 5 });
    const short = await fetch(String(url), { method: 'POST', body: 'abc' });
    expect(short.status).toBe(400);
  });
});
