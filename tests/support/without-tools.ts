import { spawnSync } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import type { Probe } from '../../playbooks/model/index.ts';

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Whether this machine lets tests hide tools: it takes root and mount namespaces. */
export const canHideTools = (): boolean =>
  process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0;

const pathsOf = (tool: string): string[] =>
  FOLDERS.flatMap((folder) => {
    try {
      accessSync(`${folder}/${tool}`, constants.X_OK);
      return [realpathSync(`${folder}/${tool}`)];
    } catch {
      return [];
    }
  });

/**
 * The same probe on a host without these tools: its command runs in a mount namespace of its own, in which something
 * that cannot be executed lies over each of them.
 */
export const withoutTools = <Data>(probe: Probe<Data>, tools: readonly string[]): Probe<Data> => ({
  ...probe,
  command: (step) => {
    const { argv, ...rest } = probe.command(step);
    const hidden = [...new Set(tools.flatMap(pathsOf))];
    const hide = 'while [ "$1" != -- ]; do mount --bind /dev/null "$1" || exit 99; shift; done; shift; exec "$@"';
    return { ...rest, argv: ['unshare', '-m', 'sh', '-c', hide, 'sh', ...hidden, '--', ...argv] };
  },
});
