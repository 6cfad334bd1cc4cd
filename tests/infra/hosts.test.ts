import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { HostList, HostSettings, hostLookup, localHost } from '../../infra/hosts.ts';

const web = {
  name: 'web-7',
  user: 'oncall',
  identityFile: '/etc/straceback/key',
  knownHostsFile: '/etc/straceback/known',
};

const problemsOf = (schema: z.ZodType, value: unknown): string => {
  const { error } = schema.safeParse(value);
  return error === undefined ? '' : z.prettifyError(error);
};

describe('settings of a host', () => {
  test('little has to be said', () => {
    expect(HostSettings.parse(web)).toEqual({
      ...web,
      transport: 'node-ssh',
      address: 'web-7',
      port: 22,
      sudo: 'auto',
      keepFolder: '/var/tmp/straceback',
    });
    expect(HostSettings.parse({ name: 'local', transport: 'local' })).toEqual(localHost());
  });

  test.each([
    ['an address that would be an option', { address: '-oProxyCommand=id' }, /address/],
    ['an address with a user in it', { address: 'root@web-7' }, /address/],
    ['an address with a newline', { address: 'web\n7' }, /address/],
    ['a name that would be an option', { name: '-F/tmp/x' }, /name/],
    ['a user that would be an option', { user: '-l' }, /user/],
    ['a user with a space', { user: 'a b' }, /user/],
    ['no user', { user: undefined }, /user is missing/],
    ['no known_hosts', { knownHostsFile: undefined }, /knownHostsFile is missing/],
    ['an empty known_hosts', { knownHostsFile: '' }, /knownHostsFile must not be empty/],
    ['nothing to log in with', { identityFile: undefined }, /identityFile or agent/],
    ['a port that is none', { port: 65_536 }, /port/],
    ['itself as its jump host', { jump: 'web-7' }, /own jump host/],
    ['a folder that is relative', { keepFolder: 'cores' }, /absolute/],
    ['a transport that does not exist', { transport: 'telnet' }, /transport/],
    ['a misspelt setting', { identifyFile: '/x' }, /identifyFile/],
    ['a known_hosts that is switched off', { knownHostsFile: false }, /knownHostsFile/],
  ])('%s is refused by name', (_, change, why) => {
    expect(problemsOf(HostSettings, { ...web, ...change })).toMatch(why);
  });

  test('what belongs to SSH has no meaning for this machine', () => {
    expect(problemsOf(HostSettings, { name: 'local', transport: 'local', user: 'root' })).toMatch(/user/);
  });
});

describe('a list of hosts', () => {
  test('knows every jump host, in no circle, and every name once', () => {
    const jump = (name: string, through: string) => ({ ...web, name, jump: through });
    expect(problemsOf(HostList, [web, jump('db', 'web-7')])).toBe('');
    expect(problemsOf(HostList, [jump('db', 'gate')])).toMatch(/gate is not in the list/);
    expect(problemsOf(HostList, [jump('a', 'b'), jump('b', 'a')])).toMatch(/circle: a -> b -> a/);
    expect(problemsOf(HostList, [web, web])).toMatch(/listed twice/);
    expect(problemsOf(HostList, [jump('a', 'local'), localHost()])).toMatch(/local, which is no way/);
  });

  test('always has this machine', () => {
    const lookup = hostLookup(HostList.parse([web]));
    expect(lookup('web-7')?.transport).toBe('node-ssh');
    expect(lookup('local')).toEqual(localHost());
    expect(lookup('web-8')).toBeUndefined();
    expect(hostLookup([localHost({ sudo: 'never' })])('local')).toMatchObject({ sudo: 'never' });
  });
});
