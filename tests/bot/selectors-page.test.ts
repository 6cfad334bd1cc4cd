import { expect, test } from 'vitest';
import { finishedThread, quiet, threadsIn } from '../support/bot.ts';
import { browserForFile, hasBrowser } from '../support/browser.ts';
import { candidate, found, site } from '../support/finding.ts';

const clicked = test.skipIf(!hasBrowser);
const browser = browserForFile();

clicked('a person types a selector that means several, and picks one', async () => {
  const family = [
    candidate(100, { role: 'master', command: 'gunicorn: master [shop]', cpuPercent: 0.2 }),
    ...[101, 102].map((pid) => candidate(pid, { role: 'worker' })),
  ];
  const { slack, queue, asked } = await site(async (find) => found(find, family), {
    ackTimeoutMs: 30_000,
    triggerLifetimeMs: 60_000,
  });
  const page = await browser.open(`${slack.pageUrl}?user=${slack.user('bob').id}`);
  await page.getByText('Straceback is connected').waitFor();
  const box = page.getByRole('textbox', { name: 'Message #ops' });
  await box.fill('/diagnose web-7 name:gunicorn triage');
  await box.press('Enter');
  const menu = page.getByLabel('Pick a process');
  await menu.waitFor();
  await menu.selectOption({ value: '102:1020' });
  await finishedThread(slack, 'ops');
  await quiet(queue);
  expect(asked.map(({ pid, startTime }) => [pid, startTime])).toEqual([[102, '1020']]);
  expect(threadsIn(slack, 'ops')).toHaveLength(1);
});
