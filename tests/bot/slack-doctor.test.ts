import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Sample } from '../../bot/slack-doctor/blocks.ts';
import type { Check } from '../../bot/slack-doctor/check.ts';
import { examineSlack, readSlackDoctorArguments } from '../../bot/slack-doctor/command.ts';
import { clockCheck } from '../../bot/slack-doctor/examine.ts';
import { samplesOf } from '../../bot/slack-doctor/samples.ts';
import { BOT_SCOPES } from '../../bot/slack-doctor/scopes.ts';
import { checksText } from '../../bot/slack-doctor/text.ts';
import { readConfig } from '../../infra/config.ts';
import { type LocalSlack, startLocalSlack } from '../../infra/sandbox/slack/server.ts';

let folder: string;
let slack: LocalSlack;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slack-doctor-'));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  slack = await startLocalSlack();
});
afterEach(() => slack.close());

const samples = samplesOf({
  hosts: Array.from({ length: 60 }, (_, index) => `host-${index}`),
  playbooks: [{ id: 'triage', title: 'Triage', description: 'What is wrong', impacts: [], harmful: [] }],
  causes: [{ id: 'thread-deadlock', title: 'Deadlock' }],
});

const environment = (more: Record<string, string | undefined> = {}) => ({
  HOME: folder,
  SLACK_BOT_TOKEN: slack.botToken,
  SLACK_APP_TOKEN: slack.appToken,
  SLACK_API_URL: slack.apiUrl,
  ...more,
});

const examine = async (
  text = '{}',
  { env = {}, shown = [] }: { env?: Record<string, string | undefined>; shown?: readonly Sample[] } = {},
): Promise<Check[]> => {
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(file, text);
  return examineSlack(readConfig(file, environment(env)), shown);
};
const routeTo = (channel: string) => `alerts: {routes: [{name: one, channel: ${channel}}]}`;
const bad = (checks: readonly Check[]) => checks.filter(({ ok }) => !ok);

describe('doctor slack', () => {
  it('finds nothing where all is well, and says what it has seen', async () => {
    const checks = await examine(
      `alerts: {defaultChannel: C0ALERTS1, routes: [{name: one, channel: C0OPS0001, source: grafana, mention: [S0ONCALL1]}]}
policy: {rules: [{groups: [S0ONCALL1], channels: [C0OPS0001], allow: [stops]}]}`,
      { shown: samples },
    );
    expect(bad(checks)).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual([
      'bot token',
      'scopes',
      'app token',
      'clock',
      'channel C0OPS0001',
      'channel C0ALERTS1',
      'user group S0ONCALL1',
      'messages',
    ]);
    expect(checksText(checks)).toMatch(/^✓ bot token: straceback in Local Workspace[\s\S]*\nAll is well\.\n$/);
    // Nothing is posted.
    expect(slack.requests().map(({ method }) => method)).not.toContain('chat.postMessage');
  });

  it.each([
    ['a channel without the bot', 'C0LOUNGE1', /not in #lounge .*route one/, /\/invite @straceback/],
    ['an archived channel', 'C0OLD0001', /#old .*is archived/, /unarchive it/],
    ['a channel that is none', 'C0NOWHERE', /knows none/, /\/invite @straceback/],
  ])('says what to do about %s', async (_, channel, said, todo) => {
    expect(bad(await examine(routeTo(channel)))).toEqual([
      { name: `channel ${channel}`, ok: false, said: expect.stringMatching(said), todo: expect.stringMatching(todo) },
    ]);
  });

  it('says which scopes are missing, and which call needs one', async () => {
    await slack.close();
    slack = await startLocalSlack({ scopes: BOT_SCOPES.filter((scope) => scope !== 'channels:read') });
    const checks = bad(await examine(routeTo('C0OPS0001')));
    expect(checks).toMatchObject([
      { name: 'scopes', said: 'missing: channels:read' },
      { name: 'channel C0OPS0001', said: 'Slack says missing_scope (needed: channels:read)' },
    ]);
  });

  it('goes on to the app token when the bot token was revoked, and to nothing that needs it', async () => {
    slack.faults.add({ kind: 'error', error: 'token_revoked', method: 'auth.test', times: Number.POSITIVE_INFINITY });
    const checks = await examine(routeTo('C0OPS0001'), { shown: samples });
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([
      ['bot token', false],
      ['app token', true],
      ['clock', true],
    ]);
    expect(checks[0]?.todo).toMatch(/OAuth & Permissions/);
  });

  it.each([
    ['that is wrong', { SLACK_APP_TOKEN: 'xapp-wrong' }, /invalid_auth/],
    ['that is missing', { SLACK_APP_TOKEN: undefined }, /not set/],
    ['that is the bot’s', { SLACK_APP_TOKEN: 'bot' }, /not_allowed_token_type/],
  ])('names an app token %s', async (_, env, said) => {
    const given = env.SLACK_APP_TOKEN === 'bot' ? { SLACK_APP_TOKEN: slack.botToken } : env;
    const checks = bad(await examine('{}', { env: given }));
    expect(checks).toMatchObject([{ name: 'app token', said: expect.stringMatching(said) }]);
  });

  it('wants a signing secret for HTTP', async () => {
    expect(bad(await examine('slack: {mode: http}'))).toMatchObject([{ name: 'signing secret' }]);
    expect(bad(await examine('slack: {mode: http}', { env: { SLACK_SIGNING_SECRET: 'x' } }))).toEqual([]);
  });

  it('says where Slack would refuse what the bot shows', async () => {
    const header = { type: 'header', text: { type: 'plain_text', text: 'x'.repeat(151) } } as const;
    const broken: Sample = { of: 'x', name: 'made wrong', shown: { message: { text: 'x', blocks: [header] } } };
    const view: Sample = {
      of: 'x',
      name: 'wrong home',
      shown: { view: { type: 'home', blocks: Array.from({ length: 101 }, () => ({ type: 'divider' as const })) } },
    };
    expect(bad(await examine('{}', { shown: [...samples.slice(0, 3), broken, view] }))).toMatchObject([
      {
        name: 'message: made wrong',
        said: expect.stringMatching(/invalid_message; \/blocks\/0\/text.*: must be less than 151/),
      },
      { name: 'message: wrong home', said: expect.stringMatching(/invalid_view; \/blocks: no more than 100 items/) },
    ]);
  });

  it('notices a clock that is off, and a Slack that does not answer', async () => {
    expect(await clockCheck(slack.apiUrl, () => Date.now() + 120_000)).toMatchObject([
      { ok: false, said: expect.stringMatching(/ahead of Slack’s/) },
    ]);
    const url = slack.apiUrl;
    await slack.close();
    expect(await clockCheck(url)).toMatchObject([{ ok: false, said: 'Slack gave no answer' }]);
    slack = await startLocalSlack();
  });

  it('is a command', async () => {
    const file = path.join(folder, 'command.yaml');
    await writeFile(file, routeTo('C0LOUNGE1'));
    const run = await new Promise<{ code: unknown; out: string }>((resolve) => {
      const loader = ['--import', './tests/support/typescript-loader.mjs', 'straceback.ts'];
      const args = [...loader, 'doctor', 'slack', '--config', file];
      const env = { ...environment(), PATH: process.env.PATH };
      execFile(process.execPath, args, { env }, (error, out) => resolve({ code: error?.code ?? 0, out }));
    });
    expect(run.out).toMatch(
      /✓ bot token: [\s\S]*✗ channel C0LOUNGE1: [\s\S]*✓ messages: Slack would take all \d+ kinds/,
    );
    expect(run.code).toBe(3);
    expect(run.out).not.toContain(slack.botToken);
    expect(readSlackDoctorArguments(['--verbose'])).toMatch(/not understood/);
  });

  it('asks for the scopes that the manifest asks for', () => {
    const manifest = parse(readFileSync('infra/deploy/slack-app-manifest.yaml', 'utf8'));
    expect(manifest.oauth_config.scopes.bot).toEqual(BOT_SCOPES);
  });
});

/** Functions that have no sample of their own: what they do, another one's sample has in it, or they need a whole bot. */
const WITHOUT_SAMPLE = new Set([
  'contentOf', // a choice between groupContent and withResolved
  'contentInLanguage', // changes words alone
  'listContent', // makes what it shows of a list in Redis
]);

/** Names of the functions in a file that say they return something which Slack shows. */
const renderersIn = (file: string): string[] => {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    const made = ts.isVariableDeclaration(node) ? node.initializer : node;
    const type =
      made !== undefined && (ts.isArrowFunction(made) || ts.isFunctionDeclaration(made)) ? made.type : undefined;
    const shown = /^(?:Promise<)?(?:Content|ModalView|HomeView)(?:\[\])?>?$/.test(type?.getText() ?? '');
    if (shown && ts.isVariableDeclaration(node)) names.push(node.name.getText());
    if (shown && ts.isFunctionDeclaration(node)) names.push(node.name?.getText() ?? '');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
};

it('has a sample of everything that makes something for Slack to show', () => {
  const files = readdirSync('bot', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('slack-doctor'))
    .map((file) => path.join('bot', file));
  const renderers = [...new Set(files.flatMap(renderersIn))].filter((name) => !WITHOUT_SAMPLE.has(name));
  expect(renderers).toContain('renderReport');
  const sampled = new Set(samples.map(({ of }) => of));
  expect(renderers.filter((name) => !sampled.has(name))).toEqual([]);
  expect([...sampled].filter((name) => !renderers.includes(name))).toEqual([]);
});
