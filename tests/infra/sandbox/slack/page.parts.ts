import type { App } from '@slack/bolt';
import type { Locator, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import type { TestBrowser } from '../../../support/browser.ts';
import { socketApp } from './support.ts';

export interface OpenedPage {
  readonly slack: LocalSlack;
  /** The app that the workspace has. The test starts it, once its listeners are there. */
  readonly app: App;
  readonly page: Page;
  readonly channelLog: Locator;
  readonly threadLog: Locator;
  /** Types the words into the channel's box and sends them. */
  readonly type: (text: string) => Promise<void>;
}

/** A workspace of this test's own, an app for it, and its page as alice sees it. */
export const openSlackPage = async (browser: TestBrowser): Promise<OpenedPage> => {
  const slack = await startLocalSlack({ ackTimeoutMs: 30_000, triggerLifetimeMs: 60_000 });
  onTestFinished(() => slack.close());
  const app = socketApp(slack);
  onTestFinished(async () => void (await app.stop()));
  const page = await browser.open(slack.pageUrl);
  await page.getByRole('heading', { name: '#ops' }).waitFor();
  return {
    slack,
    app,
    page,
    channelLog: page.getByRole('log', { name: 'Messages' }),
    threadLog: page.getByRole('log', { name: 'Replies' }),
    type: async (text) => {
      const box = page.getByRole('textbox', { name: 'Message #ops' });
      await box.fill(text);
      await box.press('Enter');
    },
  };
};
