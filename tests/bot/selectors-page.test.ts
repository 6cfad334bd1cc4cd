import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { finishedThread, quiet, threadsIn } from '../support/bot.ts';
import { candidate, found, site } from '../support/finding.ts';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
const CHROMIUM = '/usr/bin/chromium';
const clicked = test.skipIf(!existsSync(CHROMIUM));

let browser: Browser;

beforeAll(async () => {
  if (existsSync(CHROMIUM)) browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
});

afterAll(async () => {
  await browser?.close();
});

clicked('a person types a selector that means several, and picks one', async () => {
  const family = [
    candidate(100, { role: 'master', command: 'gunicorn: master [shop]', cpuPercent: 0.2 }),
    ...[101, 102].map((pid) => candidate(pid, { role: 'worker' })),
  ];
  const { slack, queue, asked } = await site(async (find) => found(find, family), {
    ackTimeoutMs: 30_000,
    triggerLifetimeMs: 60_000,
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`${slack.pageUrl}?user=${slack.user('bob').id}`);
    await page.getByText('Straceback is connected').waitFor();
    const box = page.getByRole('textbox', { name: 'Message #ops' });
    await box.fill('/diagnose web-7 name:gunicorn triage');
    await box.press('Enter');
    const menu = page.getByLabel('Pick a process');
    await menu.waitFor();
    await menu.selectOption({ value: '102:1020' });
    await finishedThread(slack, 'ops');
    await quiet(queue);
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
  }
  expect(asked.map(({ pid, startTime }) => [pid, startTime])).toEqual([[102, '1020']]);
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
});
