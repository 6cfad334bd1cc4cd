import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../infra/config.ts';
import { parseHostList, readSshConfigNames } from '../../infra/hosts/host-lists.ts';
import { silentLog } from '../../infra/log.ts';
import { until } from '../support/until.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'straceback-inventory-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};

/** An ended process may wait for its parent to hear of it. */
const isGone = (pid: number): boolean => {
  try {
    return /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
};

const ENV = { HOME: '/home/op', USER: 'op', SSH_AUTH_SOCK: '/run/agent' };
const config = (text: string) => readConfig(file('straceback.yaml', text), ENV);

describe('a list of hosts', () => {
  test.each([
    ['lines', 'web-1\n  web-2 # the second\n\n# none\n', [{ name: 'web-1' }, { name: 'web-2' }]],
    ['names as JSON', '["web-1"]', [{ name: 'web-1' }]],
    ['settings as JSON', ' [{"name":"a","port":22}]', [{ name: 'a', port: 22 }]],
    ['a table by name', '{"a":{"user":"x"},"b":null}', [{ name: 'a', user: 'x' }, { name: 'b' }]],
    ['under hosts', '{"hosts":["a"]}', [{ name: 'a' }]],
    ['nothing', '', []],
  ])('may be %s', (_, text, entries) => {
    expect(parseHostList(text)).toEqual(entries);
  });

  test('may be YAML', () => {
    expect(parseHostList('- a\n- name: b\n  port: 2222\n', true)).toEqual([{ name: 'a' }, { name: 'b', port: 2222 }]);
  });

  test('that is none is an Error, whatever it holds', () => {
    expect(() => parseHostList('{"a')).toThrow(SyntaxError);
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (text, yaml) => {
        try {
          return Array.isArray(parseHostList(text, yaml));
        } catch (error) {
          return error instanceof Error;
        }
      }),
    );
  });
});

test('an ssh_config names hosts, in its Includes too, and patterns are none', async () => {
  mkdirSync(join(folder, 'conf.d'));
  file('conf.d/a.conf', 'Host from-a\n  Port 1\n');
  file('conf.d/b.txt', 'Host not-meant\n');
  const path = file(
    'ssh_config',
    `Include ${folder}/conf.d/*.conf ${folder}/missing\nHost web-1 web-2 *.example !bad\n  Port 22\nhost=db-1\n  Include ${folder}/ssh_config\nMatch user x\n  Port 3\nHost -x "web 3"\n`,
  );
  expect((await readSshConfigNames(path)).sort()).toEqual(['db-1', 'from-a', 'web-1', 'web-2']);
  await expect(readSshConfigNames(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
});

describe('an inventory', () => {
  test('adds hosts of files, ssh_config and commands with what the site says for all', async () => {
    file('hosts.json', '[{"name":"web-1","address":"10.0.0.1"},"db-1"]');
    file('site_ssh', 'Host edge-*\n  User x\nHost edge-1\n  HostName 10.9.9.9\n');
    const list = file('list', '#!/bin/sh\nprintf "web-1\\nbatch-1\\n# %s\\n" "$SLACK_BOT_TOKEN$1"\n', 0o700);
    const read = config(`
hostDefaults: {user: doctor, sudo: never, identityFile: /etc/key}
hostRules:
  - {match: "db-*", user: dba}
hosts:
  - {name: listed, transport: openssh}
inventory:
  sources:
    - file: hosts.json
    - sshConfig: site_ssh
    - command: [./list, prod]
`);
    expect(read.hosts('web-1')).toBeUndefined();
    expect(read.hostNames).toEqual(['local', 'listed']);
    expect(await read.inventory.refresh()).toEqual([]);
    expect(read.hostNames).toEqual(['local', 'listed', 'web-1', 'db-1', 'edge-1', 'batch-1']);
    expect(read.hosts('web-1')).toMatchObject({ address: '10.0.0.1', user: 'doctor', transport: 'node-ssh' });
    expect(read.hosts('db-1')).toMatchObject({
      user: 'dba',
      sudo: 'never',
      knownHostsFile: '/home/op/.ssh/known_hosts',
    });
    expect(read.hosts('batch-1')).toMatchObject({ address: 'batch-1', user: 'doctor' });
    // How a host of an ssh_config is reached is said there and nowhere else.
    expect(read.hosts('edge-1')).toEqual({
      name: 'edge-1',
      transport: 'openssh',
      address: 'edge-1',
      configFile: join(folder, 'site_ssh'),
      sudo: 'never',
      keepFolder: '/var/tmp/straceback',
    });
    expect(read.hosts('listed')).toMatchObject({ user: 'doctor', identityFile: '/etc/key' });
    expect(read.hosts('listed')).not.toHaveProperty('agent');
    expect(read.hosts('nobody')).toBeUndefined();
    expect(list).toContain(folder);
  });

  test('that cannot be read any more keeps what it had, and says so once', async () => {
    const list = file('changing', '#!/bin/sh\necho web-1\n', 0o700);
    const { inventory, hosts } = config(
      `inventory: {sources: [{command: ["${list}"], timeoutSeconds: 1}]}\nhostDefaults: {user: u}\n`,
    );
    expect(await inventory.refresh()).toEqual([]);
    file('changing', '#!/bin/sh\necho half-a-list\necho cannot reach the site >&2\nexit 3\n', 0o700);
    const [fault, ...more] = await inventory.refresh();
    expect(fault).toMatch(
      /command .*changing could not be read: it ended with 3 \(cannot reach the site\); its last 1 hosts stay/,
    );
    expect(more).toEqual([]);
    expect(await inventory.refresh()).toEqual([]);
    expect([hosts('web-1')?.name, hosts('half-a-list')]).toEqual(['web-1', undefined]);
    file('changing', '#!/bin/sh\nexec sleep 60\n', 0o700);
    expect(await inventory.refresh()).toEqual([expect.stringMatching(/did not end within 1 s/)]);
    file('changing', '#!/bin/sh\necho web-2\n', 0o700);
    expect(await inventory.refresh()).toEqual([]);
    expect([hosts('web-1'), hosts('web-2')?.name]).toEqual([undefined, 'web-2']);
  });

  test('leaves out what is no host, names it, and is read when it is kept fresh', async () => {
    file('odd.json', '["-oProxyCommand=id", "ok", {"name":"bad","port":"x"}, {"name":"typo","identifyFile":"/x"}, 7]');
    const { inventory, hosts } = config('inventory: {sources: [{file: odd.json}]}\n');
    const said: string[] = [];
    const fresh = await inventory.keepFresh({ ...silentLog, warn: (_, text) => said.push(text) });
    await fresh.close();
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /^4 of 5 hosts of the inventory from .*odd\.json were left out: "-oProxyCommand=id": .*; and 1 more\.$/,
    );
    expect(hosts('ok')?.name).toBe('ok');
    expect(inventory.names()).toEqual(['ok']);
  });
});

test('a source that hangs, never ends, fails, or is no program is told in words that say what to do', async () => {
  const pids = join(folder, 'pids');
  const plain = file('not-run.sh', 'echo a\n', 0o600);
  const sources: readonly [string, string][] = [
    [
      `command: [sh, -c, "sleep 300 & echo $! >> ${pids}; wait"], timeoutSeconds: 1`,
      'it did not end within 1 s; it has no hosts',
    ],
    ['command: [sh, -c, "yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]', 'it holds more than 16 MiB; it has no hosts'],
    ['command: [sh, -c, "echo oops >&2; exit 7"]', 'it ended with 7 (oops); it has no hosts'],
    ['command: [/nowhere/at/all]', 'there is no such program; it has no hosts'],
    [`command: [${plain}]`, 'it may not be run; see its mode (chmod +x) and owner; it has no hosts'],
    ['file: /dev/zero', 'it holds more than 16 MiB; it has no hosts'],
    [`file: ${folder}`, 'EISDIR: illegal operation on a directory, read; it has no hosts'],
  ];
  for (const [source, said] of sources) {
    const { inventory } = config(`inventory: {sources: [{${source}}]}\n`);
    const faults = await inventory.refresh();
    expect(faults, source).toEqual([expect.stringContaining(`could not be read: ${said}.`)]);
    expect(inventory.state().ok).toBe(false);
  }
  const [left] = readFileSync(pids, 'utf8').trim().split('\n');
  await until('what the command had started has ended', () => isGone(Number(left)));
});

test('a default transport is for all hosts that say no other', () => {
  const read = config(
    'hostDefaults: {transport: openssh}\nhostRules: [{match: "web-*"}]\nhosts:\n  - {name: a}\n  - {name: b, transport: node-ssh}\n',
  );
  expect(read.hosts('a')).toEqual({
    name: 'a',
    transport: 'openssh',
    address: 'a',
    sudo: 'auto',
    keepFolder: '/var/tmp/straceback',
  });
  expect(read.hosts('b')).toMatchObject({ transport: 'node-ssh', user: 'op', agent: '/run/agent' });
  expect(read.hosts('web-1')).toMatchObject({ transport: 'openssh' });
  expect(read.hosts('web-1')).not.toHaveProperty('user');
});
