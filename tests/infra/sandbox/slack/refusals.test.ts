import type { KnownBlock } from '@slack/types';
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

const x = (length: number) => 'x'.repeat(length);
const plain = (text: string) => ({ type: 'plain_text' as const, text });
const mrkdwn = (text: string) => ({ type: 'mrkdwn' as const, text });
const many = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index));
const button = (more: object = {}) => ({ type: 'button', text: plain('Go'), action_id: 'go', ...more });
const actions = (...elements: object[]) => ({ type: 'actions', elements });
const section = (more: object) => ({ type: 'section', ...more });
const cells = (count: number) => many(count, () => ({ type: 'raw_text', text: 'c' }));
const option = (index: number) => ({ text: plain(`option ${index}`), value: String(index) });
const select = (more: object) => ({ type: 'static_select', action_id: 's', ...more });

/** Sends blocks as they are, also those that the types would not allow. */
const post = (blocks: unknown) => client.apiCall('chat.postMessage', { channel: 'ops', text: 'fallback', blocks });

const ALLOWED: [string, unknown[]][] = [
  ['50 blocks', many(50, () => ({ type: 'divider' }))],
  ['a section of 3,000 characters', [section({ text: mrkdwn(x(3000)) })]],
  ['ten fields of 1,000 characters', [section({ fields: many(10, () => mrkdwn(x(1000))) })]],
  ['a header of 150 characters', [{ type: 'header', text: plain(x(150)) }]],
  ['a context of ten elements', [{ type: 'context', elements: many(10, () => mrkdwn('c')) }]],
  ['an image beside text', [{ type: 'context', elements: [{ type: 'image', image_url: 'http://x', alt_text: 'x' }] }]],
  ['25 buttons', [actions(...many(25, (index) => button({ action_id: `go${index}`, value: x(2000) })))]],
  ['a button of 75 characters', [actions(button({ text: plain(x(75)), action_id: x(255), style: 'danger' }))]],
  [
    'a button that asks first',
    [actions(button({ confirm: { title: plain('Sure?'), text: mrkdwn('It *stops*'), confirm: plain('Yes') } }))],
  ],
  ['a table of 100 rows and 20 columns', [{ type: 'table', rows: many(100, () => cells(20)) }]],
  ['a markdown block of 12,000 characters', [{ type: 'markdown', text: x(12_000) }]],
  ['a menu of 100 options', [section({ text: mrkdwn('m'), accessory: select({ options: many(100, option) }) })]],
  [
    'rich text',
    [
      {
        type: 'rich_text',
        elements: [
          { type: 'rich_text_section', elements: [{ type: 'text', text: 'bold', style: { bold: true } }] },
          { type: 'rich_text_preformatted', elements: [{ type: 'text', text: 'code' }] },
          {
            type: 'rich_text_list',
            style: 'bullet',
            elements: [{ type: 'rich_text_section', elements: [{ type: 'user', user_id: 'U1' }] }],
          },
        ],
      },
    ],
  ],
];

const REFUSED: [string, unknown, string, string?][] = [
  ['51 blocks', many(51, () => ({ type: 'divider' })), 'invalid_blocks', 'no more than 50 items allowed'],
  ['no list', { type: 'divider' }, 'invalid_blocks_format'],
  ['text that is no JSON', 'nonsense', 'invalid_blocks_format'],
  ['an unknown block', [{ type: 'poem' }], 'invalid_blocks', 'unsupported type: poem [json-pointer:/blocks/0/type]'],
  ['a block without type', [{ text: 'x' }], 'invalid_blocks', 'missing required field: type'],
  ['an unknown property', [{ type: 'divider', color: 'red' }], 'invalid_blocks', 'invalid additional property: color'],
  ['a section without text', [section({})], 'invalid_blocks', 'missing required field: text'],
  [
    'a section of 3,001 characters',
    [section({ text: mrkdwn(x(3001)) })],
    'invalid_blocks',
    'must be less than 3001 characters [json-pointer:/blocks/0/text/text]',
  ],
  ['an empty text', [section({ text: mrkdwn('') })], 'invalid_blocks', 'must be more than 0 characters'],
  ['a text object of another kind', [section({ text: { type: 'html', text: 'x' } })], 'invalid_blocks', 'html'],
  ['a bare string as text', [section({ text: 'x' })], 'invalid_blocks', '[json-pointer:/blocks/0/text'],
  ['eleven fields', [section({ fields: many(11, () => mrkdwn('f')) })], 'invalid_blocks', 'no more than 10 items'],
  ['a field of 2,001 characters', [section({ fields: [mrkdwn(x(2001))] })], 'invalid_blocks', 'less than 2001'],
  ['a header of 151', [{ type: 'header', text: plain(x(151)) }], 'invalid_blocks', 'less than 151 characters'],
  ['a header in mrkdwn', [{ type: 'header', text: mrkdwn('h') }], 'invalid_blocks', 'unsupported type: mrkdwn'],
  [
    'eleven context elements',
    [{ type: 'context', elements: many(11, () => mrkdwn('c')) }],
    'invalid_blocks',
    'no more than 10 items allowed [json-pointer:/blocks/0/elements]',
  ],
  ['a button in a context', [{ type: 'context', elements: [button()] }], 'invalid_blocks', 'unsupported type: button'],
  [
    '26 buttons',
    [actions(...many(26, (index) => button({ action_id: `go${index}` })))],
    'invalid_blocks',
    'no more than 25 items allowed',
  ],
  ['no elements', [actions()], 'invalid_blocks', 'no less than 1 items'],
  ['an unknown element', [actions({ type: 'lever' })], 'invalid_blocks', 'unsupported type: lever'],
  ['a button of 76 characters', [actions(button({ text: plain(x(76)) }))], 'invalid_blocks', 'less than 76 characters'],
  ['a button without text', [actions({ type: 'button' })], 'invalid_blocks', 'missing required field: text'],
  ['a value of 2,001', [actions(button({ value: x(2001) }))], 'invalid_blocks', 'less than 2001 characters'],
  ['an action id of 256', [actions(button({ action_id: x(256) }))], 'invalid_blocks', 'less than 256 characters'],
  ['a button style', [actions(button({ style: 'loud' }))], 'invalid_blocks', 'must be a valid enum value'],
  ['one action id twice', [actions(button(), button())], 'invalid_blocks', '`action_id` go already exists'],
  ['a block id of 256', [{ type: 'divider', block_id: x(256) }], 'invalid_blocks', 'less than 256 characters'],
  [
    'one block id twice',
    [
      { type: 'divider', block_id: 'a' },
      { type: 'divider', block_id: 'a' },
    ],
    'invalid_blocks',
    '`block_id` a already exists',
  ],
  ['101 rows', [{ type: 'table', rows: many(101, () => cells(1)) }], 'invalid_blocks', 'no more than 100 items'],
  ['21 columns', [{ type: 'table', rows: [cells(21)] }], 'invalid_blocks', 'no more than 20 items'],
  ['an empty cell', [{ type: 'table', rows: [[{ type: 'raw_text', text: '' }]] }], 'invalid_blocks', 'more than 0'],
  [
    'a table of 10,001 characters',
    [{ type: 'table', rows: [[{ type: 'raw_text', text: x(10_001) }]] }],
    'invalid_blocks',
    'less than 10001 characters',
  ],
  ['two tables', many(2, () => ({ type: 'table', rows: [cells(1)] })), 'invalid_attachments', 'only_one_table_allowed'],
  ['a markdown of 12,001', [{ type: 'markdown', text: x(12_001) }], 'invalid_blocks', 'less than 12001 characters'],
  ['two markdowns of 12,001 together', many(2, () => ({ type: 'markdown', text: x(6001) })), 'msg_too_long'],
  ['15,000 characters in five sections', many(5, () => section({ text: mrkdwn(x(3000)) })), 'msg_blocks_too_long'],
  [
    'a menu without options',
    [section({ text: mrkdwn('m'), accessory: select({}) })],
    'invalid_blocks',
    'either options',
  ],
  [
    'a menu of 101 options',
    [section({ text: mrkdwn('m'), accessory: select({ options: many(101, option) }) })],
    'invalid_blocks',
    'no more than 100 items',
  ],
  [
    'a confirmation without text',
    [actions(button({ confirm: { title: plain('?') } }))],
    'invalid_blocks',
    'missing required field: text [json-pointer:/blocks/0/elements/0/confirm]',
  ],
];

describe('blocks of a message', () => {
  it.each(ALLOWED)('takes %s', async (_name, blocks) => {
    expect(await post(blocks)).toMatchObject({ ok: true });
  });

  it.each(REFUSED)('refuses %s', async (_name, blocks, error, message) => {
    const before = slack.messages('ops').length;
    const refusal = await refusalOf(post(blocks));
    expect(refusal.error).toBe(error);
    if (message !== undefined) expect(refusal.messages.join('\n')).toContain(message);
    for (const line of refusal.messages) expect(line).toMatch(/^\[ERROR\] /);
    expect(slack.messages('ops')).toHaveLength(before);
  });

  it('refuses them in attachments too', async () => {
    const call = client.chat.postMessage({
      channel: 'ops',
      text: 'x',
      attachments: [{ color: '#2eb67d', blocks: many(51, (): KnownBlock => ({ type: 'divider' })) }],
    });
    expect((await refusalOf(call)).error).toBe('invalid_attachments');
  });
});

describe('texts and places of a message', () => {
  const say = (args: object) => client.apiCall('chat.postMessage', { channel: 'ops', ...args });

  it.each([
    ['nothing to say', { text: '' }, 'no_text'],
    ['no text at all', {}, 'no_text'],
    ['a text of 40,001 characters', { text: x(40_001) }, 'msg_too_long'],
    ['markdown beside text', { text: 'a', markdown_text: 'b' }, 'markdown_text_conflict'],
    ['markdown of 12,001 characters', { markdown_text: x(12_001) }, 'msg_too_long'],
    ['no channel', { channel: undefined, text: 'x' }, 'invalid_arguments'],
    ['an unknown channel', { channel: 'C404', text: 'x' }, 'channel_not_found'],
    ['a channel without the bot', { channel: 'lounge', text: 'x' }, 'not_in_channel'],
    ['an archived channel', { channel: 'old', text: 'x' }, 'is_archived'],
    ['a thread_ts that is none', { text: 'x', thread_ts: 'yesterday' }, 'invalid_thread_ts'],
    ['a thread that is not there', { text: 'x', thread_ts: '1600000000.000001' }, 'thread_not_found'],
  ])('refuses %s', async (_name, args, error) => {
    expect((await refusalOf(say(args))).error).toBe(error);
  });

  it('refuses a reply to a reply', async () => {
    const parent = await client.chat.postMessage({ channel: 'ops', text: 'parent' });
    const reply = await client.chat.postMessage({ channel: 'ops', text: 'reply', thread_ts: String(parent.ts) });
    expect((await refusalOf(say({ text: 'x', thread_ts: reply.ts }))).error).toBe('cannot_reply_to_message');
  });

  it('refuses a private word to somebody who is not there', async () => {
    const whisper = (user: string, channel = 'ops') => client.chat.postEphemeral({ channel, user, text: 'x' });
    expect((await refusalOf(whisper('U404'))).error).toBe('user_not_found');
    expect((await refusalOf(whisper(slack.user('dana').id))).error).toBe('user_not_in_channel');
  });
});

describe('edits', () => {
  it('refuses a missing message, somebody else’s, and a text of 4,001 characters', async () => {
    const channel = slack.channel('ops');
    const edit = (ts: string, text = 'new') => client.chat.update({ channel, ts, text });
    expect((await refusalOf(edit('1600000000.000001'))).error).toBe('message_not_found');
    const foreign = slack.user('bob').say('mine', { channel });
    expect((await refusalOf(edit(foreign.ts))).error).toBe('cant_update_message');
    expect((await refusalOf(client.chat.delete({ channel, ts: foreign.ts }))).error).toBe('cant_delete_message');
    const { ts } = await client.chat.postMessage({ channel, text: 'own' });
    expect((await refusalOf(edit(String(ts), x(4001)))).error).toBe('msg_too_long');
    expect(await edit(String(ts), x(4000))).toMatchObject({ ok: true });
    const blocks = many(51, (): KnownBlock => ({ type: 'divider' }));
    const refused = client.chat.update({ channel, ts: String(ts), text: 'x', blocks });
    expect((await refusalOf(refused)).error).toBe('invalid_blocks');
  });
});

describe('views', () => {
  const modal = (more: object = {}) => ({ type: 'modal', title: plain('Title'), blocks: [], ...more });
  const input = { type: 'input', label: plain('Host'), element: { type: 'plain_text_input', action_id: 'host' } };
  const open = (view: unknown, trigger = 'none') => client.apiCall('views.open', { trigger_id: trigger, view });

  it.each([
    ['a title of 25 characters', modal({ title: plain(x(25)) }), 'must be less than 25 characters'],
    ['101 blocks', modal({ blocks: many(101, () => ({ type: 'divider' })) }), 'no more than 100 items allowed'],
    ['no title', { type: 'modal', blocks: [] }, 'missing required field: title'],
    ['inputs without a submit button', modal({ blocks: [input] }), 'missing required field: submit'],
    ['a block that no modal has', modal({ blocks: [{ type: 'markdown', text: 'x' }] }), 'unsupported type: markdown'],
    ['private metadata of 3,001', modal({ private_metadata: x(3001) }), 'must be less than 3001 characters'],
    ['a home tab as a modal', { type: 'home', blocks: [] }, '[json-pointer:/view'],
  ])('refuses %s', async (_name, view, message) => {
    const refusal = await refusalOf(open(view));
    expect(refusal.error).toBe('invalid_arguments');
    expect(refusal.messages.join('\n')).toContain(message);
  });

  it('refuses a view that is too large as a whole', async () => {
    const blocks = many(90, () => section({ text: mrkdwn(x(3000)) }));
    expect((await refusalOf(open(modal({ blocks })))).error).toBe('view_too_large');
  });

  it('refuses an invented trigger', async () => {
    expect((await refusalOf(open(modal()))).error).toBe('invalid_trigger_id');
  });

  it('refuses a home tab for nobody, and an outdated hash', async () => {
    const publish = (user: string, hash?: string) =>
      client.apiCall('views.publish', { user_id: user, hash, view: { type: 'home', blocks: [] } });
    expect((await refusalOf(publish('U404'))).error).toBe('user_not_found');
    const bob = slack.user('bob').id;
    await publish(bob);
    expect((await refusalOf(publish(bob, 'old'))).error).toBe('hash_conflict');
    expect(await publish(bob, slack.home('bob')?.hash)).toMatchObject({ ok: true });
  });
});
