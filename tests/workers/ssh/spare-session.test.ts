import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { closeConnections, openShell } from '../../../workers/ssh/shell.ts';
import { textOf } from '../../support/shells.ts';
import { endSshd, testSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';

afterEach(async () => {
  await closeConnections();
  await endSshd();
});

const childrenOf = (pid: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid ? [Number(name)] : [];
      } catch {
        return [];
      }
    });

const times = (text: string, what: RegExp): number => text.match(what)?.length ?? 0;

test('a session waits for the next look without a process on the host, and the next look uses it', async () => {
  const sshd = await testSshd({ config: ['LogLevel DEBUG'] });
  const host = sshd.host('web-7');
  const open = () => openShell(host, hostLookup([]));
  const opened = () => times(sshd.log(), /server_input_channel_open: ctype session/g);
  const first = await open();
  expect(await textOf(first, 'echo', 'first')).toBe('first');
  expect(opened()).toBe(1);
  await first.close();
  await until('another session is open', () => opened() === 2);
  const [connection = 0] = await sshd.sessions();
  await until('nothing of the look runs', () => childrenOf(connection).length === 0);
  // The second look asks for a command only; the third session is the one that waits after it.
  const second = await open();
  expect(await textOf(second, 'echo', 'second')).toBe('second');
  expect(opened()).toBe(2);
  await second.close();
  await until('a third session is open', () => opened() === 3);
  expect(times(sshd.log(), /Accepted publickey/g)).toBe(1);
});

test('one that waited takes up no place that a look could have', async () => {
  const sshd = await testSshd({ config: ['MaxSessions 2'] });
  const open = () => openShell(sshd.host('web-7'), hostLookup([]));
  await (await open()).close();
  const shells = [await open(), await open()];
  expect(await Promise.all(shells.map((shell, at) => textOf(shell, 'echo', String(at))))).toEqual(['0', '1']);
  await Promise.all(shells.map((shell) => shell.close()));
  expect(times(sshd.log(), /Accepted publickey/g)).toBe(1);
});

test('a connection that ends while a session waits is replaced', async () => {
  const sshd = await testSshd();
  const open = () => openShell(sshd.host('web-7'), hostLookup([]));
  await (await open()).close();
  for (const pid of await sshd.sessions()) process.kill(pid, 'SIGKILL');
  await until('its processes have gone', async () => (await sshd.sessions()).length === 0);
  const shell = await open();
  expect(await textOf(shell, 'echo', 'again')).toBe('again');
  await shell.close();
});
