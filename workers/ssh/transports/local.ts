import { spawn } from 'node:child_process';
import type { LocalHost } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { type HostStream, type StreamEnd, startCommand } from './stream.ts';

/**
 * A shell on this machine, in a session of its own so that a Ctrl-C meant for us does not reach the tools it runs.
 * Rejects with LookFailed `unreachable` when there is no `sh`.
 */
export const openLocal = (host: Pick<LocalHost, 'sudo'>): Promise<HostStream> =>
  new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', startCommand(host.sudo)], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const closed = new Promise<StreamEnd>((end) => child.once('close', (exit) => end({ exit })));
    child.once('error', (error) =>
      reject(new LookFailed('unreachable', `No shell could be started on this machine: ${error.message}.`, error)),
    );
    child.once('spawn', () =>
      resolve({
        stdin: child.stdin,
        stdout: child.stdout,
        stderr: child.stderr,
        closed,
        // Its end of standard input is what the runner clears up after; a signal would only disturb it.
        destroy: () => {
          child.stdin.destroy();
          child.stdout.destroy();
          child.stderr.destroy();
        },
      }),
    );
  });
