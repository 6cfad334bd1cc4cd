import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LookFailed } from '../../../playbooks/model/index.ts';
import type { HostShell } from '../../../workers/ssh/shell.ts';
import { folderOf, openIn, step } from '../../support/shells.ts';

/** Whether a mount namespace of our own can be had here (unshare(1)): it makes an odd host out of this one. */
const canUnshare = ((): boolean => {
  try {
    execFileSync('unshare', ['-m', 'mount', '--bind', '/dev/null', '/bin/true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** A shell on a host that is like this one but for what `change` does to its files. */
const openWith = (change: string): Promise<HostShell> => openIn('unshare', ['-m', 'sh', '-c', `${change}\nexec sh -s`]);

/** Puts a file that cannot be run in the place of a tool, wherever it is. */
const without = (tool: string): string =>
  `for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
     [ ! -e $d/${tool} ] || mount --bind /dev/null $d/${tool}
   done`;

const failureOf = async (opening: Promise<HostShell>): Promise<LookFailed> => {
  const error = await opening.catch((reason: unknown) => reason);
  if (error instanceof LookFailed) return error;
  throw new Error('it opened');
};

describe.runIf(canUnshare)('a host', () => {
  test.each(['timeout', 'mkfifo', 'head'])('without %s is refused by the name of what is missing', async (tool) => {
    const failure = await failureOf(openWith(without(tool)));
    expect(failure.code).toBe('host-garbage');
    expect(failure.message).toContain(`\`${tool}\``);
    expect(failure.message).toMatch(/install .*\.$/);
  });

  test('whose timeout is too old to know -k is refused', async () => {
    const old = `printf '#!/bin/sh\\n[ "$1" != -k ] || exit 1\\n' >/tmp/old-timeout.$$; chmod 755 /tmp/old-timeout.$$
      mount --bind /tmp/old-timeout.$$ /usr/bin/timeout; rm /tmp/old-timeout.$$`;
    expect((await failureOf(openWith(old))).message).toContain('`timeout -k`');
  });

  test('without /proc is no Linux host that can be examined', async () => {
    expect((await failureOf(openWith('mount -t tmpfs none /proc'))).code).toBe('not-linux');
  });

  test.each([
    ['is missing', 'mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; mount -o remount,ro /dev'],
    ['may not be written to', 'mount -t tmpfs -o ro none /dev/shm'],
    ['is full', 'mount -t tmpfs -o size=4k none /dev/shm; head -c 1M /dev/zero >/dev/shm/full 2>/dev/null'],
  ])('whose /dev/shm %s is looked at through /tmp', async (_, change) => {
    const shell = await openWith(change);
    const folder = await folderOf(shell);
    expect(folder).toMatch(/^\/tmp\/straceback\./);
    expect(Buffer.from((await shell.run(step(['echo', 'ran']))).stdout).toString()).toBe('ran\n');
    await shell.close();
    expect(existsSync(folder)).toBe(false);
  });

  test('with no folder to write to is refused', async () => {
    const none = 'for d in /dev/shm /tmp /var/tmp; do mount -t tmpfs -o ro none $d; done; unset TMPDIR';
    const failure = await failureOf(openWith(none));
    expect(failure.code).toBe('host-garbage');
    expect(failure.message).toContain('/dev/shm');
  });
});
