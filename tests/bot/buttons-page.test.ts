import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { LookFailed } from '../../playbooks/model/index.ts';
import { finishedThread, quiet, threadsIn } from '../support/bot.ts';
import { browserForFile, hasBrowser } from '../support/browser.ts';
import { messageWithButton } from '../support/buttons.ts';
import { siteForTest } from '../support/site.ts';

const CAUSES = [
  { id: 'signal-handler-deadlock', title: 'A signal handler waits for what it interrupted' },
  { id: 'thread-deadlock', title: 'Threads wait for each other' },
];
const clicked = test.skipIf(!hasBrowser);
const browser = browserForFile();

/** The page as a person sees it. */
const openPage = async (slack: LocalSlack, who = 'bob'): Promise<Page> => {
  const page = await browser.open(`${slack.pageUrl}?user=${slack.user(who).id}`);
  await page.getByText('Straceback is connected').waitFor();
  return page;
};

const setUp = (look?: LookHandler) =>
  siteForTest({ workspace: { ackTimeoutMs: 30_000, triggerLifetimeMs: 60_000 }, causes: CAUSES, look });

/** Opens the thread of the channel's newest look. */
const openThread = async (page: Page, slack: LocalSlack): Promise<string> => {
  await finishedThread(slack, 'ops');
  const ts = threadsIn(slack, 'ops').at(-1)?.ts ?? '';
  await messageWithButton(slack, 'ops', ts, 'Look again');
  const first = page.getByRole('log', { name: 'Messages' }).locator(`[data-ts="${ts}"]`);
  await first
    .getByRole('button', { name: /repl(?:y|ies)/ })
    .first()
    .click();
  return ts;
};

clicked('a person asks with the form, is told what is wrong in it, and sees the report', async () => {
  const { slack, asked } = await setUp();
  const page = await openPage(slack);
  const box = page.getByRole('textbox', { name: 'Message #ops' });
  await box.fill('/diagnose');
  await box.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Examine a process' });
  const host = dialog.getByRole('combobox', { name: 'Host' });
  await host.pressSequentially('web');
  await dialog.getByRole('option', { name: 'web-8' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  expect(await host.inputValue()).toBe('web-8');
  await dialog.getByRole('textbox', { name: 'Process' }).fill('somewhere');
  await dialog.getByRole('textbox', { name: 'Window' }).fill('4');
  await dialog.getByRole('combobox', { name: 'Playbook' }).selectOption('strace');
  await dialog.getByRole('button', { name: 'Look' }).click();
  await dialog.getByText('“somewhere”').waitFor();
  await dialog.getByRole('textbox', { name: 'Process' }).fill('6325');
  await dialog.getByRole('button', { name: 'Look' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('log', { name: 'Messages' }).getByText('🔴 Main thread waits').waitFor();
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({ host: 'web-8', pid: 6325, playbook: 'strace', windowSeconds: 4 });
});

clicked('a person presses the buttons under a report: each goes, and who pressed it comes', async () => {
  const { slack, queue, asked } = await setUp();
  const page = await openPage(slack);
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await openThread(page, slack);
  const replies = page.getByRole('log', { name: 'Replies' });
  await replies.getByRole('button', { name: 'Why' }).click();
  await replies.getByText('@bob pressed Why').waitFor();
  await replies.getByText('the kernel log names no process of this family').nth(1).waitFor();
  expect(await replies.getByRole('button', { name: 'Why' }).count()).toBe(0);
  await replies.getByRole('button', { name: 'Wrong diagnosis' }).click();
  const dialog = page.getByRole('dialog', { name: 'Wrong diagnosis' });
  await dialog.getByRole('combobox', { name: 'What was it?' }).selectOption('something-else');
  await dialog.getByRole('button', { name: 'Keep' }).click();
  await dialog.getByText('Say in a few words what it was.').waitFor();
  await dialog.getByRole('textbox', { name: 'In your words' }).fill('the NFS server was away');
  await dialog.getByRole('button', { name: 'Keep' }).click();
  await dialog.waitFor({ state: 'detached' });
  await replies.getByText('the NFS server was away').waitFor();
  await replies.getByText('@bob pressed Why · @bob pressed Wrong diagnosis').waitFor();
  await replies.getByRole('button', { name: 'Resolve' }).click();
  await page.getByRole('log', { name: 'Messages' }).getByText('✅ Main thread waits').waitFor();
  await replies.getByText('✅ Resolved by @bob after').waitFor();
  await replies.getByRole('button', { name: 'Look again' }).click();
  await replies.getByText('Looking again at process 6325 on web-7').waitFor();
  await quiet(queue);
  await page.getByRole('log', { name: 'Messages' }).getByText('🔴 Main thread waits').waitFor();
  expect(asked).toHaveLength(2);
});

clicked('a person sees running looks in the home tab and cancels one', async () => {
  const { slack, queue } = await setUp(async (request, { progress, signal }) => {
    progress({ requestId: request.id, doing: 'Sampling threads', probes: ['sample'], percent: 40, seconds: 1 });
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    throw signal.reason instanceof LookFailed ? signal.reason : new LookFailed('cancelled', 'The look was cancelled.');
  });
  const page = await openPage(slack, 'alice');
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  await expect.poll(async () => (await queue.status()).active[0]?.progress?.percent, { timeout: 30_000 }).toBe(40);
  await page.getByRole('button', { name: 'Straceback · Home' }).click();
  const home = page.locator('#home');
  await home.getByText('40 %').waitFor();
  await home.getByRole('button', { name: 'Cancel the look at process 6325' }).click();
  await home.getByText('0 looks running').waitFor();
  await home.getByText('process 6325 on web-7').waitFor();
  await home.getByText('cancelled').waitFor();
  await quiet(queue);
  await slack.user('bob').slash('/diagnose', 'web-8 77', 'ops');
  await expect.poll(async () => (await queue.status()).active[0]?.progress?.percent, { timeout: 30_000 }).toBe(40);
  await home.getByRole('button', { name: 'Refresh' }).click();
  await home.getByText('process 77 on web-8').waitFor();
  await home.getByRole('button', { name: 'Cancel the look at process 77' }).click();
  await home.getByText('0 looks running').waitFor();
  await quiet(queue);
  const told = slack.messages('ops').map(({ text }) => text);
  expect(told.some((text) => text.includes('cancelled by Alice Admin'))).toBe(true);
});
