import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { freePort } from '../../../infra/sandbox/sshd.ts';
import { closeConnections } from '../../../workers/ssh/shell.ts';
import { step } from '../../support/shells.ts';
import { endSshd, testSshd, testWire } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { failureOf, logins, open, textOf } from './node-ssh.parts.ts';

afterEach(async () => {
  await closeConnections();
  await endSshd();
});

test('a login offers what there is, and spends no round trip on asking without anything', async () => {
  const sshd = await testSshd({ config: ['LogLevel DEBUG'] });
  const shell = await open(sshd.host('web-7'));
  await shell.close();
  expect(sshd.log()).toContain('method publickey');
  expect(sshd.log()).not.toContain('method none');
});

describe('jump hosts', () => {
  test('a host is reached through one, and through two', async () => {
    const [outer, middle, inner] = [await testSshd(), await testSshd(), await testSshd()];
    const hosts = [
      outer.host('outer'),
      middle.host('middle', { jump: 'outer' }),
      inner.host('inner', { jump: 'middle' }),
    ];
    for (const name of ['middle', 'inner']) {
      const host = hostLookup(hosts)(name);
      if (host === undefined) throw new Error(`${name} is not there`);
      const shell = await open(host, ...hosts);
      expect(await textOf(shell, 'echo', name)).toBe(name);
      await shell.close();
    }
    expect([outer, middle, inner].map((sshd) => logins(sshd.log()))).toEqual([1, 1, 1]);
  });

  test('the key of the host behind is checked too', async () => {
    const [outer, inner] = [await testSshd(), await testSshd()];
    const host = inner.host('inner', { jump: 'outer', knownHostsFile: outer.knownHostsFile });
    const failure = await failureOf(open(host, outer.host('outer'), host));
    expect(failure.code).toBe('host-key-unknown');
    expect(failure.message).toContain('inner');
  });

  test('one that is unknown, goes in a circle, is down, or does not forward is named', async () => {
    const [outer, inner] = [await testSshd({ config: ['AllowTcpForwarding no'] }), await testSshd()];
    const host = inner.host('inner', { jump: 'outer' });
    expect((await failureOf(open(host))).code).toBe('unknown-host');

    const circle = outer.host('outer', { jump: 'inner' });
    expect((await failureOf(open(host, circle, host))).code).toBe('unknown-host');

    const refused = await failureOf(open(host, outer.host('outer'), host));
    expect(refused).toMatchObject({ code: 'unreachable' });
    expect(refused.message).toContain('through outer');

    const down = outer.host('outer', { port: await freePort() });
    expect(await failureOf(open(host, down, host))).toMatchObject({ code: 'unreachable' });

    const through = (await testSshd()).host('outer');
    const closed = inner.host('inner', { jump: 'outer', port: await freePort() });
    expect(await failureOf(open(closed, through, closed))).toMatchObject({ code: 'unreachable' });
  });

  test('a cut on the way loses the connection, and the next look gets a new one', async () => {
    const [outer, inner] = [await testSshd(), await testSshd()];
    const wire = await testWire(outer.port);
    const line = readFileSync(outer.knownHostsFile, 'utf8').replace(`:${outer.port} `, `:${wire.port} `);
    writeFileSync(outer.knownHostsFile, line);
    const hosts = [outer.host('outer', { port: wire.port }), inner.host('inner', { jump: 'outer' })] as const;
    const shell = await open(hosts[1], ...hosts);
    const run = shell.run(step(['sleep', '60']));
    expect(await textOf(shell, 'echo', 'there')).toBe('there');
    wire.cut();
    expect(await run).toMatchObject({ end: 'connection-lost' });
    const next = await open(hosts[1], ...hosts);
    expect(await textOf(next, 'echo', 'again')).toBe('again');
    await next.close();
  });
});

describe('connections', () => {
  test('are shared by shells, opened at once or one after another', async () => {
    const sshd = await testSshd();
    const shells = await Promise.all([1, 2, 3].map(() => open(sshd.host('web-7'))));
    await Promise.all(shells.map((shell) => shell.close()));
    const later = await open(sshd.host('another-name'));
    await later.close();
    expect(logins(sshd.log())).toBe(1);
  });

  test('become more when sshd allows no further shell on one', async () => {
    const sshd = await testSshd({ config: ['MaxSessions 1'] });
    const [one, two] = [await open(sshd.host('web-7')), await open(sshd.host('web-7'))];
    expect(await textOf(one, 'echo', 'one')).toBe('one');
    expect(await textOf(two, 'echo', 'two')).toBe('two');
    await Promise.all([one.close(), two.close()]);
    expect(logins(sshd.log())).toBe(2);
  });

  test('that allow no shell at all are a refused login', async () => {
    const sshd = await testSshd({ config: ['MaxSessions 0'] });
    expect((await failureOf(open(sshd.host('web-7')))).code).toBe('login-refused');
  });

  test('end when they are closed, and let the process end', async () => {
    const sshd = await testSshd();
    const source = `
      import { closeConnections, openShell } from ${JSON.stringify(new URL('../../../workers/ssh/shell.ts', import.meta.url).href)};
      const shell = await openShell(${JSON.stringify(sshd.host('web-7'))}, () => undefined);
      await shell.close();
      await closeConnections();`;
    const loader = new URL('../../support/typescript-loader.mjs', import.meta.url).pathname;
    execFileSync(process.execPath, ['--import', loader, '--input-type=module', '-e', source], { timeout: 30_000 });
    await until('sshd has seen it end', () => sshd.log().includes('Disconnected from user'));
  });
});
