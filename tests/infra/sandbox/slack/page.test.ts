import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { App } from '@slack/bolt';
import type { ModalView } from '@slack/types';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import { heard, socketApp } from './support.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let browser: Browser;
let folder: string;
let slack: LocalSlack;
let app: App;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
  folder = await mkdtemp(path.join(tmpdir(), 'slack-page-'));
});

afterAll(async () => {
  await browser?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  slack = await startLocalSlack({ ackTimeoutMs: 30_000, triggerLifetimeMs: 60_000 });
  app = socketApp(slack);
  complaints = [];
  page = await openPage();
});

afterEach(async () => {
  await page.context().close();
  await app.stop();
  await slack.close();
  expect(complaints).toEqual([]);
});

/** A page of its own, with its own storage; what it complains of is collected. */
async function openPage(query = ''): Promise<Page> {
  const opened = await (await browser.newContext({ viewport: { width: 1280, height: 860 } })).newPage();
  opened.setDefaultTimeout(60_000);
  opened.on('pageerror', (error) => complaints.push(String(error)));
  opened.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await opened.goto(`${slack.pageUrl}${query}`);
  await opened.getByRole('heading', { name: '#ops' }).waitFor();
  return opened;
}

const channelLog = () => page.getByRole('log', { name: 'Messages' });
const threadLog = () => page.getByRole('log', { name: 'Replies' });

async function type(text: string): Promise<void> {
  const box = page.getByRole('textbox', { name: 'Message #ops' });
  await box.fill(text);
  await box.press('Enter');
}

describe('the page', () => {
  it('sends a command that is typed, shows what comes, edits in place, marks what is private', async () => {
    app.command('/diagnose', async ({ ack, command, client, respond }) => {
      await ack();
      const { ts, channel } = await client.chat.postMessage({ channel: command.channel_id, text: 'looking: 0 %' });
      await respond('only for you');
      await client.chat.update({ channel: String(channel), ts: String(ts), text: `done with ${command.text}` });
    });
    await app.start();
    await page.getByText('Straceback is connected').waitFor();
    await type('/diagnose local 123');
    const report = channelLog().getByRole('article').filter({ hasText: 'done with local 123' });
    await report.getByText('(edited)').waitFor();
    const own = channelLog().getByRole('article').filter({ hasText: 'only for you' });
    await own.getByText('Only visible to you').waitFor();
    expect(await channelLog().getByText('looking: 0 %').count()).toBe(0);
    expect(await channelLog().getByRole('article').count()).toBe(2);
  });

  it('says that a command failed, is unknown, or is not for threads', async () => {
    await type('/diagnose local 1');
    await channelLog().getByText('/diagnose failed with the error "dispatch_failed"').waitFor();
    await type('/nonsense');
    await page.getByText('/nonsense is not a valid command').waitFor();
    const parent = slack.user('bob').say('parent', { channel: 'ops' });
    const article = channelLog().locator(`[data-ts="${parent.ts}"]`);
    await article.hover();
    await article.getByRole('button', { name: 'Reply in thread' }).click();
    const box = page.getByRole('textbox', { name: 'Reply in the thread' });
    await box.fill('/diagnose local 1');
    await box.press('Enter');
    await page.getByText('/diagnose is not supported in threads').waitFor();
    expect(slack.messages('ops')).toHaveLength(1);
  });

  it('carries a mention from the thread to the bot and shows the answer there', async () => {
    app.event('app_mention', async ({ event, client }) => {
      await client.chat.postMessage({
        channel: event.channel,
        thread_ts: event.thread_ts ?? event.ts,
        text: `heard *${event.text.split(' ').at(-1)}*`,
      });
    });
    await app.start();
    const { ts } = slack.user('bob').say('incident', { channel: 'ops' });
    const parent = channelLog().locator(`[data-ts="${ts}"]`);
    await parent.hover();
    await parent.getByRole('button', { name: 'Reply in thread' }).click();
    const box = page.getByRole('textbox', { name: 'Reply in the thread' });
    await box.fill('@straceback py-bt');
    await box.press('Enter');
    await threadLog()
      .locator('strong', { hasText: /^py-bt$/ })
      .waitFor();
    await threadLog().locator('.mention', { hasText: '@straceback' }).waitFor();
    await parent.getByRole('button', { name: '2 replies' }).waitFor();
    expect(await channelLog().getByText('py-bt').count()).toBe(0);
    await page.getByRole('button', { name: 'Close thread' }).click();
    await page.getByRole('complementary', { name: 'Thread' }).waitFor({ state: 'hidden' });
  });

  it('presses buttons, after asking where the button asks', async () => {
    const pressed = heard<string>();
    app.action(/.*/, async ({ ack, body, respond }) => {
      await ack();
      if (body.type !== 'block_actions') return;
      const [action] = body.actions;
      pressed.add(`${action?.action_id} ${JSON.stringify(action)}`);
      if (action?.action_id === 'core') await respond({ replace_original: true, text: 'core taken', blocks: [] });
    });
    await app.start();
    await app.client.chat.postMessage({
      channel: slack.channel('ops'),
      text: 'report',
      blocks: [
        {
          type: 'actions',
          elements: [
            { type: 'button', action_id: 'again', text: { type: 'plain_text', text: 'Look again' }, value: 'id-7' },
            {
              type: 'button',
              action_id: 'core',
              text: { type: 'plain_text', text: 'Take a core…' },
              confirm: {
                title: { type: 'plain_text', text: 'Stop the process?' },
                text: { type: 'mrkdwn', text: 'For about *3 s*.' },
                confirm: { type: 'plain_text', text: 'Take it' },
                deny: { type: 'plain_text', text: 'Leave it' },
              },
            },
            {
              type: 'static_select',
              action_id: 'pick',
              placeholder: { type: 'plain_text', text: 'Which' },
              options: [{ text: { type: 'plain_text', text: 'Worker 2' }, value: 'w2' }],
            },
          ],
        },
      ],
    });
    await page.getByRole('button', { name: 'Look again' }).click();
    expect((await pressed.until(1)).at(-1)).toContain('"value":"id-7"');
    await page.getByLabel('Which').selectOption({ label: 'Worker 2' });
    expect((await pressed.until(2)).at(-1)).toContain('"value":"w2"');
    await page.getByRole('button', { name: 'Take a core…' }).click();
    await page.getByRole('dialog', { name: 'Stop the process?' }).getByRole('button', { name: 'Leave it' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(pressed.all).toHaveLength(2);
    await page.getByRole('button', { name: 'Take a core…' }).click();
    await page.getByRole('button', { name: 'Take it' }).click();
    await channelLog().getByText('core taken').waitFor();
    expect(await page.getByRole('button', { name: 'Look again' }).count()).toBe(0);
  });

  it('fills in a modal: errors, search, update and submission', async () => {
    const modal = (title: string): ModalView => ({
      type: 'modal',
      callback_id: 'ask',
      title: { type: 'plain_text', text: title },
      submit: { type: 'plain_text', text: 'Go' },
      blocks: [
        {
          type: 'input',
          block_id: 'host',
          label: { type: 'plain_text', text: 'Host' },
          element: { type: 'external_select', action_id: 'host-choice', min_query_length: 1 },
        },
        {
          type: 'input',
          block_id: 'window',
          label: { type: 'plain_text', text: 'Window' },
          hint: { type: 'plain_text', text: 'in seconds' },
          element: { type: 'plain_text_input', action_id: 'value' },
        },
        {
          type: 'input',
          block_id: 'allow',
          optional: true,
          label: { type: 'plain_text', text: 'Allow' },
          element: {
            type: 'checkboxes',
            action_id: 'value',
            options: [
              { text: { type: 'mrkdwn', text: '*stops*' }, value: 'stops' },
              { text: { type: 'plain_text', text: 'writes disk' }, value: 'writes-disk' },
            ],
          },
        },
      ],
    });
    const submitted = heard<unknown>();
    app.command('/diagnose', async ({ ack, client, command }) => {
      await ack();
      await client.views.open({ trigger_id: command.trigger_id, view: modal('Diagnose') });
    });
    app.options('host-choice', async ({ ack, payload }) => {
      const hosts = ['web-7', 'web-8', 'db-1'].filter((name) => name.startsWith(payload.value));
      await ack({ options: hosts.map((name) => ({ text: { type: 'plain_text', text: name }, value: `id:${name}` })) });
    });
    app.view('ask', async ({ ack, view }) => {
      if (view.state.values.window?.value?.value === 'long') {
        await ack({ response_action: 'errors', errors: { window: 'must be a number' } });
        return;
      }
      await ack();
      submitted.add(view.state.values);
    });
    await app.start();
    await type('/diagnose');
    const dialog = page.getByRole('dialog', { name: 'Diagnose' });
    await dialog.getByRole('button', { name: 'Go' }).click();
    await dialog.getByText('Please complete this required field.').first().waitFor();
    await dialog.getByRole('combobox', { name: 'Host' }).pressSequentially('we');
    await dialog.getByRole('option', { name: 'web-8' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await dialog.getByRole('combobox', { name: 'Host' }).inputValue()).toBe('web-8');
    await dialog.getByRole('textbox', { name: 'Window' }).fill('long');
    await dialog.getByRole('checkbox', { name: 'stops' }).check();
    await dialog.getByRole('button', { name: 'Go' }).click();
    await dialog.getByText('must be a number').waitFor();
    expect(await dialog.getByRole('combobox', { name: 'Host' }).inputValue()).toBe('web-8');
    const view = slack.modal('alice');
    await app.client.views.update({ view_id: String(view?.id), view: modal('Changed') });
    const changed = page.getByRole('dialog', { name: 'Changed' });
    expect(await changed.getByRole('combobox', { name: 'Host' }).inputValue()).toBe('web-8');
    expect(await changed.getByRole('checkbox', { name: 'stops' }).isChecked()).toBe(true);
    await changed.getByRole('textbox', { name: 'Window' }).fill('5');
    await changed.getByRole('button', { name: 'Go' }).click();
    await changed.waitFor({ state: 'detached' });
    expect(await submitted.until(1)).toMatchObject([
      {
        host: { 'host-choice': { selected_option: { value: 'id:web-8' } } },
        window: { value: { value: '5' } },
        allow: { value: { selected_options: [{ value: 'stops' }] } },
      },
    ]);
    expect(slack.modal('alice')).toBeUndefined();
  });

  it('closes a modal with Escape and tells the app', async () => {
    const closed = heard<string>();
    app.command('/diagnose', async ({ ack, client, command }) => {
      await ack();
      await client.views.open({
        trigger_id: command.trigger_id,
        view: {
          type: 'modal',
          callback_id: 'bye',
          notify_on_close: true,
          title: { type: 'plain_text', text: 'Hello' },
          blocks: [],
        },
      });
    });
    app.view({ callback_id: 'bye', type: 'view_closed' }, async ({ ack, view }) => {
      await ack();
      closed.add(view.callback_id);
    });
    await app.start();
    await type('/diagnose');
    await page.getByRole('dialog', { name: 'Hello' }).waitFor();
    await page.keyboard.press('Escape');
    expect(await closed.until(1)).toEqual(['bye']);
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('shows files, previews and downloads them', async () => {
    await app.start();
    const content = 'futex(0x7f, FUTEX_WAIT) = ?\n<b>no markup</b>\n';
    await app.client.files.uploadV2({
      channel_id: slack.channel('ops'),
      content,
      filename: 'strace.txt',
      title: 'strace, 3 s',
    });
    const file = channelLog().locator('.file');
    await file.getByRole('button', { name: 'Preview' }).click();
    await file.getByText('<b>no markup</b>').waitFor();
    const coming = page.waitForEvent('download');
    await file.getByRole('link', { name: 'Download' }).click();
    const saved = path.join(folder, 'strace.txt');
    await (await coming).saveAs(saved);
    expect(await readFile(saved, 'utf8')).toBe(content);
    expect((await coming).suggestedFilename()).toBe('strace.txt');
  });

  it('never takes what a message holds for markup', async () => {
    await app.start();
    const evil = '<img src=x onerror=window.hurt=1><script>window.hurt=1</script>';
    const escaped = evil.replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    const text = { type: 'plain_text', text: evil } as const;
    await app.client.chat.postMessage({
      channel: slack.channel('ops'),
      text: evil,
      blocks: [
        { type: 'header', text },
        { type: 'section', text: { type: 'mrkdwn', text: `${escaped} \`${escaped}\` \`\`\`${escaped}\`\`\`` } },
        {
          type: 'section',
          text: { type: 'mrkdwn', text: '<javascript:window.hurt=1|click> <https://ok.example|fine>' },
        },
        { type: 'markdown', text: `${evil} [click](javascript:window.hurt=1) \`${evil}\`` },
        { type: 'actions', elements: [{ type: 'button', action_id: 'a', text: { ...text, text: evil.slice(0, 75) } }] },
      ],
    });
    slack.user('bob').say(evil, { channel: 'ops' });
    await channelLog().getByText(evil).last().waitFor();
    expect(await channelLog().locator('img, script').count()).toBe(0);
    expect(
      await channelLog()
        .locator('a')
        .evaluateAll((links) => links.map((link) => link.getAttribute('href'))),
    ).toEqual(['https://ok.example']);
    expect(await page.evaluate('window.hurt')).toBeUndefined();
  });

  it('can be another person, who sees other things', async () => {
    await app.start();
    const bob = slack.user('bob');
    await app.client.chat.postEphemeral({ channel: slack.channel('ops'), user: bob.id, text: 'for bob alone' });
    slack.user('alice').say('from alice', { channel: 'ops' });
    await channelLog().getByText('from alice').waitFor();
    expect(await channelLog().getByText('for bob alone').count()).toBe(0);
    await page.getByLabel('You are').selectOption({ label: 'Bob Oncall' });
    await channelLog().getByText('for bob alone').waitFor();
    await type('hello @alice');
    await channelLog().getByRole('article', { name: 'Message from Bob Oncall' }).getByText('@alice').waitFor();
    await page.getByLabel('You are').selectOption({ label: 'Dana Stranger' });
    await page.getByRole('heading', { name: '#shared' }).waitFor();
    expect(await page.getByRole('button', { name: '#ops' }).count()).toBe(0);
  });

  it('shows the home tab, live, with buttons that work', async () => {
    const pressed = heard<string>();
    app.event('app_home_opened', async ({ event, client }) => {
      await client.views.publish({
        user_id: event.user,
        view: {
          type: 'home',
          blocks: [
            {
              type: 'section',
              text: { type: 'mrkdwn', text: '*1* look is running' },
              accessory: { type: 'button', action_id: 'cancel', text: { type: 'plain_text', text: 'Cancel' } },
            },
          ],
        },
      });
    });
    app.action('cancel', async ({ ack, body, client }) => {
      await ack();
      pressed.add(body.user.id);
      await client.views.publish({
        user_id: body.user.id,
        view: { type: 'home', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'nothing is running' } }] },
      });
    });
    await app.start();
    await page.getByRole('button', { name: 'Straceback · Home' }).click();
    await page.getByText('look is running').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('nothing is running').waitFor();
    expect(pressed.all).toEqual([slack.user('alice').id]);
  });

  it('opens at a permalink, in its thread', async () => {
    await app.start();
    const channel = slack.channel('alerts');
    const parent = await app.client.chat.postMessage({ channel, text: 'alert' });
    const reply = await app.client.chat.postMessage({ channel, text: 'the reply', thread_ts: String(parent.ts) });
    const { permalink } = await app.client.chat.getPermalink({ channel, message_ts: String(reply.ts) });
    await page.goto(String(permalink));
    await page.getByRole('heading', { name: '#alerts' }).waitFor();
    await threadLog().getByText('the reply').waitFor();
  });
});

describe('mrkdwn and Markdown', () => {
  const CASES: [string, string][] = [
    ['*bold* _it_ ~no~ `code`', '<strong>bold</strong> <em>it</em> <s>no</s> <code>code</code>'],
    ['*bold _and it_*', '<strong>bold <em>and it</em></strong>'],
    ['2*3*4 and snake_case_name', '2*3*4 and snake_case_name'],
    ['* not bold* and **', '* not bold* and **'],
    ['`*raw* <@U0BOB0001>`', '<code>*raw* &lt;@U0BOB0001&gt;</code>'],
    ['&lt;b&gt; &amp;amp;', '&lt;b&gt; &amp;amp;'],
    ['<@U0BOB0001> in <#C0OPS0001>', '<span class="mention">@bob</span> in <span class="mention">#ops</span>'],
    ['<!here> <!subteam^S0ONCALL1>', '<span class="mention">@here</span> <span class="mention">@oncall</span>'],
    ['&gt; quoted\n&gt; more\nafter', '<blockquote>quoted<br>more</blockquote>after'],
    ['a\n```x *y*\n&lt;z&gt;```\nb', 'a<pre class="code">x *y*\n&lt;z&gt;</pre>b'],
    [':warning: 10:30:45 :nosuch:', '⚠️ 10:30:45 :nosuch:'],
    [
      'see https://x.example/a?b=1&amp;c=2.',
      'see <a href="https://x.example/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer">https://x.example/a?b=1&amp;c=2</a>.',
    ],
    ['one\ntwo', 'one<br>two'],
    ['unclosed *bold and `code and <link', 'unclosed *bold and `code and &lt;link'],
  ];

  const MARKDOWN: [string, string][] = [
    ['# Title', '<p class="heading level-1">Title</p>'],
    ['**bold** *it* `co*de*`', '<p><strong>bold</strong> <em>it</em> <code>co*de*</code></p>'],
    ['snake_case_name 2*3', '<p>snake_case_name 2*3</p>'],
    ['- a\n- **b**\n', '<ul><li>a</li><li><strong>b</strong></li></ul>'],
    ['1. a\n2. b', '<ol><li>a</li><li>b</li></ol>'],
    ['> quote\n> more', '<blockquote><p>quote</p><p>more</p></blockquote>'],
    ['```py\nx = *1*\n```\nafter', '<pre class="code">x = *1*</pre><p>after</p>'],
    ['---', '<hr>'],
    ['<b>no</b> [x](javascript:1)', '<p>&lt;b&gt;no&lt;/b&gt; <span>x</span></p>'],
    [
      '| a | b |\n|---|--:|\n| 1 | `2` |',
      '<div class="table"><table><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>' +
        '<tbody><tr><td>1</td><td><code>2</code></td></tr></tbody></table></div>',
    ],
    ['```\nnever closed', '<pre class="code">never closed</pre>'],
  ];

  /** What a module of the page makes of texts, as HTML. */
  function made(module: string, name: string, texts: string[]): Promise<string[]> {
    return page.evaluate(
      async (given) => {
        // Inside the page: its own module, its own document.
        const load = new Function('path', 'return import(path)');
        const make = (await load(given.module))[given.name];
        const names = { user: () => 'bob', channel: () => 'ops', usergroup: () => 'oncall' };
        return given.texts.map((text: string) => {
          const holder = Reflect.get(globalThis, 'document').createElement('div');
          holder.append(...make(text, names));
          return holder.innerHTML;
        });
      },
      { module, name, texts },
    );
  }

  it('become what Slack shows', async () => {
    const texts = CASES.map(([text]) => text);
    expect(await made('/page/mrkdwn.js', 'mrkdwn', texts)).toEqual(CASES.map(([, html]) => html));
    const more = MARKDOWN.map(([text]) => text);
    expect(await made('/page/markdown.js', 'markdown', more)).toEqual(MARKDOWN.map(([, html]) => html));
  });
});
