import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sourceFaults } from '../../bot/alerts/ready.ts';
import { routeFaults } from '../../bot/alerts/route.ts';
import { loadAlertSources } from '../../bot/registry.ts';
import { checkConfig, type Judges } from '../../infra/config-check/check.ts';
import { readConfigArguments } from '../../infra/config-check/command.ts';
import type { Side } from '../../infra/config-check/environment.ts';
import { nearestWord } from '../../infra/config-hints.ts';
import { examinePlaybooks } from '../../workers/knowledge.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'config-check-'));
  await writeFile(path.join(folder, 'key'), 'a key', { mode: 0o600 });
  await writeFile(path.join(folder, 'known_hosts'), '');
});
afterAll(() => rm(folder, { recursive: true }));

const TOKENS = {
  SLACK_BOT_TOKEN: 'xoxb-1111111111-abcdefabcdef',
  SLACK_APP_TOKEN: 'xapp-1-A0000000-abcdefabcdef',
  SLACK_SIGNING_SECRET: '0123456789abcdef0123456789abcdef',
};
const env = () => ({ HOME: folder, USER: 'op', ...TOKENS });
const judges: Judges = {
  playbooks: examinePlaybooks,
  routes: (alerts, playbooks) => routeFaults(alerts, { playbooks }),
  sources: async (intake) => sourceFaults(intake, await loadAlertSources()),
};
/** Files of the site, written as YAML's flow style takes them. */
const there = (name: string): string => path.join(folder, name);
const reach = () => `hostDefaults: {identityFile: ${there('key')}, knownHostsFile: ${there('known_hosts')}}\n`;

const check = async (text: string, more: Record<string, string | undefined> = {}, side: Side = 'up') => {
  const file = there('straceback.yaml');
  await writeFile(file, text);
  const { faults, summary } = await checkConfig({ file, side }, judges, { ...env(), ...more });
  return { faults: faults.map((line) => line.replaceAll(`${folder}/`, '')), summary };
};

describe('config check', () => {
  it('says of a good configuration what it configures', async () => {
    const { faults, summary } = await check(
      `${reach()}hosts: [{name: web-7}]
hostRules: [{match: "db-*"}]
alerts:
  port: 9095
  sources: {grafana: {secrets: GRAFANA_SECRET}}
  routes: [{name: all, channel: C0123456, host: db-1, selector: "port:80", playbook: triage}]
model: {name: gpt-5}
`,
      {
        GRAFANA_SECRET: 'sixteen-or-more-characters',
        OPENAI_API_KEY: 'sk-secret-of-the-model',
        REDIS_URL: 'redis://:secret-of-redis@r:6379',
        DATABASE_URL: 'postgresql://me:secret-of-db@db.example:5432/x',
      },
    );
    expect(faults).toEqual([]);
    expect(summary).toMatch(
      /: fine\. 1 host; host patterns db-\*; \d+ playbooks; .*alerts from grafana by 1 route; model gpt-5/,
    );
    expect(summary).toMatch(/Redis r:6379; history in PostgreSQL on db\.example:5432; Slack by Socket Mode\.$/);
    expect(summary).not.toMatch(/secret-of/);
  });

  it('names every fault at once, with its line, and what a misspelt key was meant to be', async () => {
    await mkdir(there('playbooks'), { recursive: true });
    await writeFile(
      there('playbooks/mine.yaml'),
      'id: mine\ntitle: Mine\ndescription: x\nsteps:\n  - probe: no-such\n',
    );
    await writeFile(there('open-key'), 'a key');
    await chmod(there('open-key'), 0o644);
    const { faults } = await check(
      `slack: {mode: http, port: 3000}
hostrules:
  - match: "x-*"
${reach().trim()}
hosts:
  - {name: a, jump: nobody}
  - {name: a, adress: 10.0.0.1}
  - {name: b, jump: c}
  - {name: c, jump: b, identityFile: ${there('open-key')}}
  - {name: d, identityFile: ${there('absent')}}
policy:
  allow: [none, everything]
playbooks: ./playbooks
inventory: {sources: [{file: no-list.json}]}
alerts:
  port: 3000
  sources: {nothing-known: {secrets: NOWHERE}}
  routes:
    - {name: one, channel: "#ops", source: grafana}
    - {name: two, channel: C0123456, playbook: no-such, source: grafana}
    - {name: three, channel: C0123456, playbook: mine}
board: {port: 9100}
health: {port: 9100, address: 0.0.0.0}
redis: {url: "redis://h", tls: {key: no-key.pem}}
`,
      {
        SLACK_BOT_TOKEN: 'xapp-wrong-kind-of-token',
        SLACK_SIGNING_SECRET: 'short',
        DATABASE_URL: 'mysql://u:hidden@h',
      },
    );
    const told = (line: string) => expect(faults).toContainEqual(expect.stringContaining(line));
    told('straceback.yaml:2: hostrules: there is no such setting; did you mean hostRules?');
    told('straceback.yaml:6: hosts.0.jump: jump host nobody is not in the list of hosts');
    told('straceback.yaml:7: hosts.1.adress: there is no such setting; did you mean address?');
    told('straceback.yaml:7: hosts.1.name: host a is listed twice');
    told('straceback.yaml:8: hosts.2.jump: its jump hosts go in a circle: b -> c -> b');
    told('straceback.yaml:9: hosts.3.identityFile: open-key can be read or changed by others (mode 644)');
    told('straceback.yaml:10: hosts.4.identityFile: absent is not there');
    told('straceback.yaml:12: policy.allow.1: ');
    told('straceback.yaml:14: inventory.sources.0: The inventory from no-list.json could not be read');
    told('straceback.yaml:16: alerts.port: port 3000 is taken by slack.port');
    told('straceback.yaml:17: alerts.sources.nothing-known: there is no such source; there are ');
    told('straceback.yaml:19: alerts.routes.0.channel: is no channel id');
    told('straceback.yaml:20: alerts.routes: two: there is no playbook called no-such');
    told('straceback.yaml:22: board: STRACEBACK_BOARD_PASSWORD is not set');
    told('board.port: port 9100 is taken by health.port');
    told('straceback.yaml:24: redis.tls: a client certificate needs both cert and key');
    told('straceback.yaml:24: redis.tls.key: cannot be read');
    told('environment: SLACK_BOT_TOKEN begins with xoxb-');
    told('this one begins with xapp-, as SLACK_APP_TOKEN does');
    told('environment: SLACK_SIGNING_SECRET has 32 hexadecimal digits');
    told('environment: DATABASE_URL is no address of a PostgreSQL');
    told('playbooks/mine.yaml:5: no probe is called no-such');
    // A site's own playbook that has a fault is there all the same: one fault, not two.
    expect(faults.filter((line) => line.includes('three'))).toEqual([]);
    expect(faults.join('\n')).not.toMatch(/wrong-kind-of-token|hidden/);
  });

  it('looks on after a part that is wrong, and tells nothing that is only missing because of it', async () => {
    const { faults } = await check(
      `${reach()}alerts:\n  port: 9095\n  sorces: {grafana: {secrets: G}}\nhosts:\n  - {name: a, port: high}\n  - {name: b, jump: a}\n`,
    );
    expect(faults).toEqual([
      'straceback.yaml:4: alerts.sorces: there is no such setting; did you mean sources?',
      expect.stringMatching(/^straceback\.yaml:6: hosts\.0\.port: /),
    ]);
  });

  it.each<[string, Side, Record<string, string | undefined>, RegExp[]]>([
    [
      'a worker needs no Slack, but a Redis',
      'worker',
      { SLACK_BOT_TOKEN: '', SLACK_APP_TOKEN: undefined },
      [/REDIS_URL/],
    ],
    [
      'a bot needs tokens',
      'bot',
      { SLACK_BOT_TOKEN: '', SLACK_APP_TOKEN: undefined, REDIS_URL: 'redis://r' },
      [/SLACK_BOT_TOKEN is not set/, /SLACK_APP_TOKEN is not set/],
    ],
    ['a token in quotes', 'up', { SLACK_APP_TOKEN: '"xapp-1-A-b"' }, [/SLACK_APP_TOKEN .*quotes/]],
    [
      'a token with a line’s end',
      'up',
      { SLACK_BOT_TOKEN: 'xoxb-1-a\n' },
      [/SLACK_BOT_TOKEN begins or ends with a space/],
    ],
    ['an address that is none', 'up', { OPENAI_BASE_URL: 'localhost' }, [/OPENAI_BASE_URL is no address/]],
    ['a Redis by a web address', 'up', { REDIS_URL: 'http://u:hidden@r' }, [/redis: REDIS_URL is none of redis:/]],
  ])('%s', async (_, side, more, expected) => {
    const { faults } = await check('{}', more, side);
    expect(faults).toHaveLength(expected.length);
    for (const each of expected) expect(faults).toContainEqual(expect.stringMatching(each));
    expect(faults.join('\n')).not.toContain('hidden');
  });

  it('finds what a misspelt word was meant to be, and nothing for a word that is like none', () => {
    const known = ['hostRules', 'hosts', 'hostDefaults', 'language'];
    expect(
      ['hostrules', 'host_rules', 'hsotRules', 'langauge', 'host'].map((word) => nearestWord(word, known)),
    ).toEqual(['hostRules', 'hostRules', 'hostRules', 'language', 'hosts']);
    expect(nearestWord('colour', known)).toBeUndefined();
  });

  it.each([[[]], [['chek']], [['check', '--config']], [['check', '--for', 'nobody']], [['check', 'x', 'y']]])(
    'does not take %j',
    (words) => expect(readConfigArguments(words)).toEqual(expect.stringContaining('straceback config check')),
  );

  it('is a command that ends with 2 and the faults, or 0 and one line', async () => {
    const run = (file: string): Promise<{ code: unknown; out: string; err: string }> =>
      new Promise((resolve) => {
        const args = [
          '--import',
          './tests/support/typescript-loader.mjs',
          'straceback.ts',
          'config',
          'check',
          '--config',
          file,
        ];
        const options = { env: { ...env(), PATH: process.env.PATH } };
        execFile(process.execPath, args, options, (error, out, err) => resolve({ code: error?.code ?? 0, out, err }));
      });
    await writeFile(there('good.yaml'), `${reach()}hosts: [{name: web-7}]\n`);
    await writeFile(there('bad.yaml'), 'hostrules: []\npolicy: {alow: []}\n');
    const [good, bad] = await Promise.all([run(there('good.yaml')), run(there('bad.yaml'))]);
    expect(good).toMatchObject({ code: 0, err: '' });
    expect(good.out).toMatch(/^.*good\.yaml: fine\. 1 host; .*\n$/);
    expect(bad).toMatchObject({ code: 2, out: '' });
    expect(bad.err).toMatch(
      /bad\.yaml:1: hostrules: .*hostRules\?\n.*bad\.yaml:2: policy\.alow: .*allow\?\n2 faults\n$/,
    );
  });
});
