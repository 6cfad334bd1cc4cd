import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Whether this machine has the browser that the tests of pages use. */
export const hasBrowser = existsSync(CHROMIUM);

export interface TestBrowser {
  /** A page at that address, with storage of its own, closed after the test. What it complains of fails the test. */
  readonly open: (url: string) => Promise<Page>;
}

/** One browser for all tests of the file that calls this (outside of its tests), ended after them. */
export const browserForFile = (): TestBrowser => {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (hasBrowser) browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
  });
  afterAll(() => browser?.close());
  return {
    open: async (url) => {
      if (browser === undefined) throw new Error(`there is no ${CHROMIUM}`);
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      const complaints: string[] = [];
      onTestFinished(async () => {
        await context.close();
        expect(complaints).toEqual([]);
      });
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      await page.goto(url);
      return page;
    },
  };
};
