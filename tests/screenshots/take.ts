/**
 * `npm run screenshots`: makes the pictures of the README in docs/images. A real bot and worker, a real sshd, Redis, sick
 * programs and alerts; the local Slack's page in Chromium, where two people click.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { stringify } from 'yaml';
import { startRedis } from '../../infra/queue/redis-server.ts';
import { PROGRAM_FOLDER, PROGRAMS, startProgram } from '../../infra/sandbox/programs.ts';
import { type LocalSlack, startLocalSlack } from '../../infra/sandbox/slack/server.ts';
import { freePort, startSshd } from '../../infra/sandbox/sshd.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const IMAGES = path.join(ROOT, 'docs/images');
const LONG_MS = 120_000;
const secret = randomBytes(24).toString('hex');

/** A copy of the sandbox's programs where a service might stand, so that the pictures are the same on every machine. */
const programFolder = async (): Promise<{ folder: string; remove: () => Promise<void> }> => {
  const folder = '/srv/shop';
  // Not over something that is there.
  await mkdir(folder);
  await cp(PROGRAM_FOLDER, folder, { recursive: true });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
};

const startUp = async (config: string, slack: LocalSlack, redisUrl: string): Promise<ChildProcess> => {
  const loader = path.join(ROOT, 'tests/support/typescript-loader.mjs');
  const child = spawn(
    process.execPath,
    ['--import', loader, path.join(ROOT, 'straceback.ts'), 'up', '--config', config],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        SLACK_API_URL: slack.apiUrl,
        SLACK_BOT_TOKEN: slack.botToken,
        SLACK_APP_TOKEN: slack.appToken,
        REDIS_URL: redisUrl,
        ALERTS_GENERIC: secret,
      },
    },
  );
  await slack.waitFor(() => slack.sockets.open > 0 || undefined, { timeoutMs: LONG_MS, what: 'the bot' });
  return child;
};

const sendAlert = async (port: number, alert: object): Promise<void> => {
  const body = JSON.stringify(alert);
  const time = String(Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
  const answer = await fetch(`http://127.0.0.1:${port}/alerts/generic`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-straceback-timestamp': time,
      'x-straceback-signature': `v1=${signature}`,
    },
    body,
  });
  if (!answer.ok) throw new Error(`the alert was refused: ${answer.status} ${await answer.text()}`);
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});

const openPage = async (slack: LocalSlack, who: string): Promise<Page> => {
  const page = await (await browser.newContext({ viewport: { width: 1360, height: 940 } })).newPage();
  page.setDefaultTimeout(LONG_MS);
  await page.goto(`${slack.pageUrl}?user=${slack.user(who).id}`);
  await page.getByText('Straceback is connected').waitFor();
  return page;
};

const messages = (page: Page) => page.getByRole('log', { name: 'Messages' });
const replies = (page: Page) => page.getByRole('log', { name: 'Replies' });

/** Opens the thread under the newest message that has these words. */
const openThread = async (page: Page, words: string | RegExp): Promise<void> => {
  const first = messages(page).locator('[data-ts]').filter({ hasText: words }).last();
  await first
    .getByRole('button', { name: /repl(?:y|ies)/ })
    .first()
    .click();
  await replies(page).waitFor();
};

const shoot = async (page: Page, name: string): Promise<void> => {
  await page.screenshot({ path: path.join(IMAGES, `${name}.png`) });
  process.stdout.write(`docs/images/${name}.png\n`);
};

const closers: (() => unknown)[] = [() => browser.close()];
try {
  await mkdir(IMAGES, { recursive: true });
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-screenshots-'));
  closers.unshift(() => rm(folder, { recursive: true, force: true }));
  const redis = await startRedis({ folder: path.join(folder, 'redis') });
  closers.unshift(redis.close);
  const sshd = await startSshd();
  closers.unshift(sshd.stop);
  const slack = await startLocalSlack({});
  closers.unshift(slack.close);
  const programs = await programFolder();
  closers.unshift(programs.remove);
  const patientOf = async (cause: string) => {
    const program = PROGRAMS.find((each) => each.cause === cause);
    if (program === undefined) throw new Error(`the sandbox has no program with the fault ${cause}`);
    const patient = await startProgram(program, programs.folder);
    closers.unshift(patient.stop);
    return patient;
  };
  const [sick, other] = [await patientOf('signal-handler-deadlock'), await patientOf('blocked-on-network')];
  const port = await freePort();
  const config = path.join(folder, 'straceback.yaml');
  const reach = {
    address: '127.0.0.1',
    port: sshd.port,
    user: sshd.user,
    identityFile: sshd.identityFile,
    knownHostsFile: sshd.knownHostsFile,
  };
  await writeFile(
    config,
    stringify({
      hosts: [{ name: 'web-7', ...reach }],
      policy: { rules: [{ groups: slack.world.usergroups.map(({ id }) => id), approve: ['stops', 'writes-disk'] }] },
      alerts: {
        port,
        host: '127.0.0.1',
        sources: { generic: { secrets: 'ALERTS_GENERIC' } },
        inventory: { 'web-7:*': 'web-7' },
        routes: [{ name: 'services', channel: slack.channel('ops'), hostFrom: 'instance', selector: '{pid}' }],
      },
      dataFolder: path.join(folder, 'data'),
      log: { level: 'warn' },
    }),
  );
  const up = await startUp(config, slack, redis.url);
  closers.unshift(async () => {
    up.kill('SIGTERM');
    if (up.exitCode === null) await once(up, 'exit');
  });

  const bob = await openPage(slack, 'bob');
  const box = bob.getByRole('textbox', { name: 'Message #ops' });
  await box.fill(`/diagnose web-7 ${sick.pid}`);
  await box.press('Enter');
  await messages(bob).getByText('🔴').first().waitFor();
  await openThread(bob, '🔴');
  await replies(bob).getByRole('button', { name: 'Look again' }).waitFor();
  await replies(bob)
    .getByText('the look is done')
    .first()
    .evaluate((line) => line.scrollIntoView({ block: 'start' }));
  await shoot(bob, 'report');

  await replies(bob).getByRole('button', { name: 'Take a core…' }).click();
  await replies(bob).getByRole('button', { name: 'Approve' }).waitFor();
  await replies(bob).getByRole('button', { name: 'Approve' }).scrollIntoViewIfNeeded();
  await shoot(bob, 'approval');

  const alert = {
    group: 'service-latency',
    severity: 'critical',
    title: 'Requests to the price feed take more than 5 s',
    labels: { instance: `web-7:${other.pid}`, service: 'price-feed', pid: String(other.pid) },
  };
  await sendAlert(port, { ...alert, status: 'firing' });
  await messages(bob).getByText(alert.title).first().waitFor();
  await openThread(bob, alert.title);
  await replies(bob).getByRole('button', { name: 'Look again' }).last().waitFor();
  await shoot(bob, 'alert');
  await sendAlert(port, { ...alert, status: 'resolved' });
  await messages(bob).getByText('🟢').last().waitFor();
  await shoot(bob, 'alert-resolved');
} finally {
  for (const close of closers) await close();
}
