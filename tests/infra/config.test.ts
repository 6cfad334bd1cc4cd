import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPolicy } from '../../bot/policy.ts';
import { BadConfig, hostFromCommandLine, readConfig } from '../../infra/config.ts';
import { silentLog } from '../../infra/log.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'config-'));
});
afterAll(() => rm(folder, { recursive: true }));

const ENV = { HOME: '/home/op', USER: 'op', SSH_AUTH_SOCK: '/run/agent' };
const config = async (text: string, env: Record<string, string> = ENV) => {
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(file, text);
  return readConfig(file, env);
};

describe('the configuration', () => {
  it('works without a file and knows this machine', () => {
    const read = readConfig(undefined, { ...ENV, STRACEBACK_CONFIG: undefined });
    expect(read.hosts('local')).toMatchObject({ transport: 'local' });
    expect(read.hosts('web-7')).toBeUndefined();
    expect(read.policy.allow).toEqual(['none', 'slows']);
  });

  it('fills a host from the defaults of the site and of the user', async () => {
    const read = await config(
      'hostDefaults: {user: doctor, port: 2200}\nhosts:\n  - {name: web-7, address: 10.1.2.3}\n',
    );
    expect(read.hosts('web-7')).toMatchObject({
      address: '10.1.2.3',
      user: 'doctor',
      port: 2200,
      agent: '/run/agent',
      knownHostsFile: '/home/op/.ssh/known_hosts',
    });
  });

  it('reaches names by rule, and no others', async () => {
    const read = await config('hostRules:\n  - {match: "web-*", user: root}\n');
    expect(read.hosts('web-12')).toMatchObject({ address: 'web-12', user: 'root' });
    expect(read.hosts('db-1')).toBeUndefined();
    expect(read.hosts('xweb-1')).toBeUndefined();
  });

  it('takes secrets and addresses of services from the environment only', async () => {
    const read = await config('{}', { ...ENV, SLACK_BOT_TOKEN: 'xoxb-1', REDIS_URL: 'redis://r:6379' });
    expect(read.slack.botToken).toBe('xoxb-1');
    expect(read.redis).toMatchObject({ kind: 'standalone', nodes: [{ host: 'r', port: 6379 }] });
    await expect(config('slack: {botToken: xoxb-1}\n')).rejects.toThrow(BadConfig);
  });

  it.each([
    ['YAML that does not parse', 'hosts: [', /straceback\.yaml:1: /],
    ['a word that it does not know', 'hosts: []\ncolour: red\n', /straceback\.yaml:2: colour/],
    ['a wrong value', 'policy:\n  allow: [everything]\n', /straceback\.yaml:2: policy\.allow\.0/],
    [
      'a rule about nobody',
      'policy:\n  rules:\n    - people: []\n      allow: [stops]\n',
      /straceback\.yaml:3: policy\.rules\.0\.people: must name at least one/,
    ],
    [
      'a person by name',
      'policy:\n  rules:\n    - allow: [stops]\n      people: [bob]\n',
      /straceback\.yaml:4: policy\.rules\.0\.people\.0: is not a person's id/,
    ],
    [
      'a group by its handle',
      'policy:\n  rules:\n    - groups: ["@oncall"]\n      allow: [stops]\n',
      /straceback\.yaml:3: policy\.rules\.0\.groups\.0: is not a user group's id/,
    ],
    [
      'a channel by name',
      'policy:\n  rules:\n    - channels: ["#ops"]\n      allow: [stops]\n',
      /straceback\.yaml:3: policy\.rules\.0\.channels\.0: is not a channel's id/,
    ],
    [
      'a host pattern that is none',
      'policy:\n  rules:\n    - hosts: ["web-[1-9]"]\n      allow: [stops]\n',
      /straceback\.yaml:3: policy\.rules\.0\.hosts\.0: has only letters/,
    ],
    [
      'a rule that gives nothing',
      'policy:\n  allow: [none]\n  rules:\n    - people: [U0BOB0001]\n',
      /straceback\.yaml:4: policy\.rules\.0: gives nothing/,
    ],
    [
      'an approval that is good for ever',
      'policy:\n  approvalSeconds: 86400\n',
      /straceback\.yaml:2: policy\.approvalSeconds/,
    ],
    [
      'a host twice',
      'hosts:\n  - {name: a}\n  - {name: a}\n',
      /straceback\.yaml:3: hosts\.1\.name: host a is listed twice/,
    ],
    ['a jump host that is not there', 'hosts:\n  - {name: a, jump: b}\n', /jump host b is not in the list/],
    [
      'an address that is an option',
      'hosts:\n  - {name: a, address: "-oProxyCommand=x"}\n',
      /never starts with a dash/,
    ],
  ])('names file and line for %s', async (_, text, reason) => {
    await expect(config(text)).rejects.toThrow(reason);
    await expect(config(text)).rejects.toThrow(BadConfig);
  });

  it('keeps its data beside the file, where systemd says, or where the file says', async () => {
    const folderOf = async (text: string, env: Record<string, string> = {}) => {
      const read = await config(text, { ...ENV, ...env });
      expect(read.audit.folder).toBe(path.join(read.dataFolder, 'audit'));
      return read.dataFolder;
    };
    const given = { STATE_DIRECTORY: '/var/lib/straceback:/var/lib/more' };
    expect(await folderOf('{}')).toBe(path.join(folder, '.straceback'));
    expect(await folderOf('{}', given)).toBe('/var/lib/straceback');
    expect(await folderOf('dataFolder: here', given)).toBe(path.join(folder, 'here'));
  });

  it('says which file cannot be read', () => {
    expect(() => readConfig('/nowhere/straceback.yaml', ENV)).toThrow(/\/nowhere\/straceback\.yaml: cannot be read/);
  });

  it('takes alerts only where it is told to, with secrets of the environment', async () => {
    const text = [
      'alerts:',
      '  port: 8088',
      '  sources:',
      '    alertmanager: {secrets: AM_TOKEN}',
      '    pagerduty: {secrets: [PD_NEW, PD_OLD]}',
    ].join('\n');
    const { alertIntake } = await config(text, { ...ENV, AM_TOKEN: 'abc', PD_OLD: 'def' });
    expect(alertIntake).toMatchObject({ port: 8088, host: '127.0.0.1' });
    expect(alertIntake?.sources.get('alertmanager')).toMatchObject({
      auth: undefined,
      secrets: [{ name: 'AM_TOKEN', value: 'abc' }],
    });
    expect(alertIntake?.sources.get('alertmanager')?.at).toMatch(/straceback\.yaml:4$/);
    expect(alertIntake?.sources.get('pagerduty')?.secrets).toEqual([
      { name: 'PD_NEW', value: undefined },
      { name: 'PD_OLD', value: 'def' },
    ]);
    expect((await config('{}')).alertIntake).toBeUndefined();
  });

  it.each([
    [
      'sources without a port',
      'alerts:\n  sources:\n    grafana: {secrets: A}\n',
      /straceback\.yaml:2: alerts\.sources: port/,
    ],
    ['a port without sources', 'alerts:\n  port: 8088\n', /straceback\.yaml:2: alerts\.port: sources is missing/],
    [
      'a source without secrets',
      'alerts:\n  port: 1\n  sources:\n    grafana: {}\n',
      /straceback\.yaml:4: .*secrets: names the/,
    ],
    [
      'a secret in the file',
      'alerts:\n  port: 1\n  sources:\n    x: {secrets: "a b+c"}\n',
      /straceback\.yaml:4: .*names the environment/,
    ],
    ['an unknown setting', 'alerts:\n  port: 1\n  token: x\n', /straceback\.yaml:3: alerts\.token/],
  ])('says where the fault is in the intake of alerts: %s', async (_, text, reason) => {
    await expect(config(text)).rejects.toThrow(reason);
  });

  it('reaches a host of the command line as its options say', () => {
    const host = hostFromCommandLine(
      'web-7',
      { user: 'root', port: 2222, identityFile: '/k', knownHostsFile: '/h' },
      ENV,
    );
    expect(host).toMatchObject({
      address: 'web-7',
      user: 'root',
      port: 2222,
      identityFile: '/k',
      knownHostsFile: '/h',
    });
    expect(host).not.toHaveProperty('agent');
    expect(() => hostFromCommandLine('web-7', { user: '-x' }, ENV)).toThrow(BadConfig);
  });
});

describe('rules of what is secret', () => {
  it('are read, and a pattern that RE2 does not take is refused with its line', async () => {
    const good = await config("redaction:\n  patterns: ['EMP-[0-9]+']\n  exempt: [changeme]\n");
    expect(good.redaction).toEqual({ patterns: ['EMP-[0-9]+'], exempt: ['changeme'] });
    await expect(config("redaction:\n  patterns:\n    - ok\n    - '(?<=a)b'\n")).rejects.toThrow(
      /:4: redaction\.patterns\.1: is no regular expression of RE2/,
    );
  });
});

describe('the model', () => {
  it('is none unless the file names one', async () => {
    expect((await config('{}', { ...ENV, OPENAI_API_KEY: 'sk-1' })).model).toBeUndefined();
  });

  it('takes key and address from the environment, and says when there is neither', async () => {
    const read = await config('language: zh\nmodel: {name: small}\n', { ...ENV, OPENAI_API_KEY: 'sk-1' });
    expect(read.model).toMatchObject({ name: 'small', language: 'zh', apiKey: 'sk-1', timeoutSeconds: 45 });
    const own = await config('model: {name: small}\n', { ...ENV, OPENAI_BASE_URL: 'http://llm:8000/v1' });
    expect(own.model).toMatchObject({ baseUrl: 'http://llm:8000/v1', apiKey: 'none' });
    await expect(config('model: {name: small}\n')).rejects.toThrow(/:1: model: OPENAI_API_KEY is not set/);
  });
});

describe('the example configuration', () => {
  it('is valid and says what it seems to say', () => {
    const read = readConfig(path.resolve(import.meta.dirname, '../../infra/deploy/straceback.example.yaml'), ENV);
    expect(read.hosts('web-7')).toMatchObject({ address: '10.0.4.7', user: 'straceback' });
    expect(read.hosts('db-3')).toMatchObject({ user: 'postgres-doctor' });
    expect(read.worker.concurrency).toBe(10);
    expect(read.audit.folder).toBe('/var/lib/straceback/audit');
  });

  it('has a policy in which those on call approve cores of web hosts, and nobody their own', async () => {
    const read = readConfig(path.resolve(import.meta.dirname, '../../infra/deploy/straceback.example.yaml'), ENV);
    expect(read.policy).toMatchObject({ allow: ['none', 'slows'], selfApproval: false, approvalSeconds: 600 });
    const members = { groupMembers: async () => ['U1', 'U2'] };
    const policy = openPolicy(read.policy, members, silentLog);
    const at = (user: string, channel = 'C1') => ({ team: 'T1', user, channel });
    expect(await policy.allowed(at('U1'), 'web-7')).toEqual(['none', 'slows', 'stops']);
    expect(await policy.allowed(at('U9'), 'web-7')).toEqual(['none', 'slows']);
    expect(await policy.allowed(at('U1'), 'db-1')).toEqual(['none', 'slows']);
    const core = { host: 'web-7', impacts: ['stops', 'writes-disk'], requester: 'U1' } as const;
    expect(await policy.mayApprove(at('U2'), core)).toBeNull();
    expect(await policy.mayApprove(at('U1'), core)).not.toBeNull();
    const ltrace = { host: 'db-1', impacts: ['risks-death'], requester: 'U1' } as const;
    expect(await policy.mayApprove(at('U0123DBA', 'C0123DATA'), ltrace)).toBeNull();
    expect(await policy.mayApprove(at('U0123DBA'), ltrace)).not.toBeNull();
  });
});
