import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadConfig, hostFromCommandLine, readConfig } from '../../infra/config.ts';

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
    expect(read.redisUrl).toBe('redis://r:6379');
    await expect(config('slack: {botToken: xoxb-1}\n')).rejects.toThrow(BadConfig);
  });

  it.each([
    ['YAML that does not parse', 'hosts: [', /straceback\.yaml:1: /],
    ['a word that it does not know', 'hosts: []\ncolour: red\n', /straceback\.yaml:1: .*colour/],
    ['a wrong value', 'policy:\n  allow: [everything]\n', /straceback\.yaml:2: policy\.allow\.0/],
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

  it('says which file cannot be read', () => {
    expect(() => readConfig('/nowhere/straceback.yaml', ENV)).toThrow(/\/nowhere\/straceback\.yaml: cannot be read/);
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

describe('the example configuration', () => {
  it('is valid and says what it seems to say', () => {
    const read = readConfig(path.resolve(import.meta.dirname, '../../infra/deploy/straceback.example.yaml'), ENV);
    expect(read.hosts('web-7')).toMatchObject({ address: '10.0.4.7', user: 'straceback' });
    expect(read.hosts('db-3')).toMatchObject({ user: 'postgres-doctor' });
    expect(read.worker.concurrency).toBe(10);
  });
});
