import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { browserForFile } from '../../../support/browser.ts';
import { openSlackPage } from './page.parts.ts';

const browser = browserForFile();

describe('the page', () => {
  it('sends a command that is typed, shows what comes, edits in place, marks what is private', async () => {
    const { app, page, channelLog, type } = await openSlackPage(browser);
    app.command('/diagnose', async ({ ack, command, client, respond }) => {
      await ack();
      const { ts, channel } = await client.chat.postMessage({ channel: command.channel_id, text: 'looking: 0 %' });
      await respond('only for you');
      await client.chat.update({ channel: String(channel), ts: String(ts), text: `done with ${command.text}` });
    });
    await app.start();
    await page.getByText('Straceback is connected').waitFor();
    await type('/diagnose local 123');
    const report = channelLog.getByRole('article').filter({ hasText: 'done with local 123' });
    await report.getByText('(edited)').waitFor();
    const own = channelLog.getByRole('article').filter({ hasText: 'only for you' });
    await own.getByText('Only visible to you').waitFor();
    expect(await channelLog.getByText('looking: 0 %').count()).toBe(0);
    expect(await channelLog.getByRole('article').count()).toBe(2);
  });

  it('says that a command failed, is unknown, or is not for threads', async () => {
    const { slack, page, channelLog, type } = await openSlackPage(browser);
    await type('/diagnose local 1');
    await channelLog.getByText('/diagnose failed with the error "dispatch_failed"').waitFor();
    await type('/nonsense');
    await page.getByText('/nonsense is not a valid command').waitFor();
    const parent = slack.user('bob').say('parent', { channel: 'ops' });
    const article = channelLog.locator(`[data-ts="${parent.ts}"]`);
    await article.hover();
    await article.getByRole('button', { name: 'Reply in thread' }).click();
    const box = page.getByRole('textbox', { name: 'Reply in the thread' });
    await box.fill('/diagnose local 1');
    await box.press('Enter');
    await page.getByText('/diagnose is not supported in threads').waitFor();
    expect(slack.messages('ops')).toHaveLength(1);
  });

  it('carries a mention from the thread to the bot and shows the answer there', async () => {
    const { slack, app, page, channelLog, threadLog } = await openSlackPage(browser);
    app.event('app_mention', async ({ event, client }) => {
      await client.chat.postMessage({
        channel: event.channel,
        thread_ts: event.thread_ts ?? event.ts,
        text: `heard *${event.text.split(' ').at(-1)}*`,
      });
    });
    await app.start();
    const { ts } = slack.user('bob').say('incident', { channel: 'ops' });
    const parent = channelLog.locator(`[data-ts="${ts}"]`);
    await parent.hover();
    await parent.getByRole('button', { name: 'Reply in thread' }).click();
    const box = page.getByRole('textbox', { name: 'Reply in the thread' });
    await box.fill('@straceback py-bt');
    await box.press('Enter');
    await threadLog.locator('strong', { hasText: /^py-bt$/ }).waitFor();
    await threadLog.locator('.mention', { hasText: '@straceback' }).waitFor();
    await parent.getByRole('button', { name: '2 replies' }).waitFor();
    expect(await channelLog.getByText('py-bt').count()).toBe(0);
    await page.getByRole('button', { name: 'Close thread' }).click();
    await page.getByRole('complementary', { name: 'Thread' }).waitFor({ state: 'hidden' });
  });

  it('shows files, previews and downloads them', async () => {
    const { slack, app, page, channelLog } = await openSlackPage(browser);
    await app.start();
    const content = 'futex(0x7f, FUTEX_WAIT) = ?\n<b>no markup</b>\n';
    await app.client.files.uploadV2({
      channel_id: slack.channel('ops'),
      content,
      filename: 'strace.txt',
      title: 'strace, 3 s',
    });
    const file = channelLog.locator('.file');
    await file.getByRole('button', { name: 'Preview' }).click();
    await file.getByText('<b>no markup</b>').waitFor();
    const coming = page.waitForEvent('download');
    await file.getByRole('link', { name: 'Download' }).click();
    expect(await readFile(await (await coming).path(), 'utf8')).toBe(content);
    expect((await coming).suggestedFilename()).toBe('strace.txt');
  });

  it('never takes what a message holds for markup', async () => {
    const { slack, app, page, channelLog } = await openSlackPage(browser);
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
    await channelLog.getByText(evil).last().waitFor();
    expect(await channelLog.locator('img, script').count()).toBe(0);
    expect(
      await channelLog.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href'))),
    ).toEqual(['https://ok.example']);
    expect(await page.evaluate('window.hurt')).toBeUndefined();
  });

  it('can be another person, who sees other things', async () => {
    const { slack, app, page, channelLog, type } = await openSlackPage(browser);
    await app.start();
    const bob = slack.user('bob');
    await app.client.chat.postEphemeral({ channel: slack.channel('ops'), user: bob.id, text: 'for bob alone' });
    slack.user('alice').say('from alice', { channel: 'ops' });
    await channelLog.getByText('from alice').waitFor();
    expect(await channelLog.getByText('for bob alone').count()).toBe(0);
    await page.getByLabel('You are').selectOption({ label: 'Bob Oncall' });
    await channelLog.getByText('for bob alone').waitFor();
    await type('hello @alice');
    await channelLog.getByRole('article', { name: 'Message from Bob Oncall' }).getByText('@alice').waitFor();
    await page.getByLabel('You are').selectOption({ label: 'Dana Stranger' });
    await page.getByRole('heading', { name: '#shared' }).waitFor();
    expect(await page.getByRole('button', { name: '#ops' }).count()).toBe(0);
  });

  it('opens at a permalink, in its thread', async () => {
    const { slack, app, page, threadLog } = await openSlackPage(browser);
    await app.start();
    const channel = slack.channel('alerts');
    const parent = await app.client.chat.postMessage({ channel, text: 'alert' });
    const reply = await app.client.chat.postMessage({ channel, text: 'the reply', thread_ts: String(parent.ts) });
    const { permalink } = await app.client.chat.getPermalink({ channel, message_ts: String(reply.ts) });
    await page.goto(String(permalink));
    await page.getByRole('heading', { name: '#alerts' }).waitFor();
    await threadLog.getByText('the reply').waitFor();
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
  function made(page: Page, module: string, name: string, texts: string[]): Promise<string[]> {
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
    const { page } = await openSlackPage(browser);
    const texts = CASES.map(([text]) => text);
    expect(await made(page, '/page/mrkdwn.js', 'mrkdwn', texts)).toEqual(CASES.map(([, html]) => html));
    const more = MARKDOWN.map(([text]) => text);
    expect(await made(page, '/page/markdown.js', 'markdown', more)).toEqual(MARKDOWN.map(([, html]) => html));
  });
});
