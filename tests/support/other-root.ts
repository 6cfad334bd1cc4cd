import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LiveProcess, startProcess } from './live-process.ts';

/**
 * Builds a root on a tmpfs that only the program's own mount namespace has, with the host's libraries and a copy of its
 * Python that is nowhere on the host, and runs the program there.
 */
const ENTER = `
set -e
mount -t tmpfs none "$1"
cd "$1"
mkdir usr proc dev tmp opt
mount --rbind /usr usr
mount -t proc proc proc
mount --rbind /dev dev
for folder in bin sbin lib lib64; do
  if [ -L /$folder ]; then ln -s usr/$folder $folder; elif [ -d /$folder ]; then mkdir $folder; mount --bind /$folder $folder; fi
done
cp "$(readlink -f /usr/bin/python3)" opt/interpreter
exec chroot . /opt/interpreter -u -c "$2"
`;

/** Whether this machine lets tests change the root of a process: it takes root and mount namespaces. */
export const canChangeRoot = (): boolean =>
  process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0;

/**
 * Runs Python source text as a container runtime does: a root, mounts and process ids of its own, in which it is process 1. Resolves once it
 * has written `ready`, with its process id as the host sees it.
 */
export const startInContainer = async (
  source: string,
): Promise<{ readonly live: LiveProcess; readonly pid: number }> => {
  const root = mkdtempSync(join(tmpdir(), 'straceback-root-'));
  const live = await startProcess('unshare', [
    '-m',
    '-p',
    '-f',
    '--kill-child',
    'sh',
    '-c',
    ENTER.replaceAll('interpreter', 'python3'),
    'sh',
    root,
    source,
  ]);
  live.child.once('close', () => rmdirSync(root));
  await live.line(/^ready/);
  const [first = ''] = readFileSync(`/proc/${live.pid}/task/${live.pid}/children`, 'utf8').split(' ');
  return { live, pid: Number(first) };
};

/** Runs Python source text as in a container without its own pid namespace; resolves once it has written `ready`. */
export const startInOtherRoot = async (source: string): Promise<LiveProcess> => {
  const root = mkdtempSync(join(tmpdir(), 'straceback-root-'));
  const live = await startProcess('unshare', ['-m', 'sh', '-c', ENTER, 'sh', root, source]);
  // Seen from here it is an empty folder: what lies on it is mounted in the namespace of the program.
  live.child.once('close', () => rmdirSync(root));
  await live.line(/^ready/);
  return live;
};
