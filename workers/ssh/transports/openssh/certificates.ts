import { access } from 'node:fs/promises';
import type { OpenSshHost } from '../../../../infra/hosts.ts';
import type { Effective } from './effective.ts';
import { runProgram } from './program.ts';

const MS = 5_000;
const MOST_FILES = 20;

/** The end of a certificate's time in what `ssh-keygen -L` prints, when it is before `now` (milliseconds); it is in local time there. */
export const expiryIn = (text: string, now: number): string | undefined => {
  const until = /^\s*Valid: from \S+ to (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)$/m.exec(text)?.[1];
  if (until === undefined) return undefined;
  const at = Date.parse(until);
  return Number.isFinite(at) && at < now ? until : undefined;
};

/**
 * The first certificate of ours, in files or in the agent, whose time is over: a server says nothing but "Permission denied" to it.
 * Undefined when there is none, or none can be read. Never rejects.
 */
export const findExpired = async (
  host: OpenSshHost,
  effective: Effective,
  now: number,
): Promise<{ readonly where: string; readonly until: string } | undefined> => {
  const besides = [...(host.identityFile === undefined ? [] : [host.identityFile]), ...effective.identityFiles];
  const files = [...new Set([...effective.certificateFiles, ...besides.map((file) => `${file}-cert.pub`)])];
  for (const file of files.slice(0, MOST_FILES)) {
    const there = await access(file).then(
      () => true,
      () => false,
    );
    const until = there ? expiryIn((await runProgram('ssh-keygen', ['-L', '-f', file], MS)).stdout, now) : undefined;
    if (until !== undefined) return { where: file, until };
  }
  const agent = host.agent ?? effective.agent;
  const listed = await runProgram(
    'env',
    [...(agent === undefined ? [] : [`SSH_AUTH_SOCK=${agent}`]), 'ssh-add', '-L'],
    MS,
  );
  for (const line of listed.stdout.split('\n').slice(0, MOST_FILES)) {
    if (!line.includes('-cert-v01@openssh.com ')) continue;
    const until = expiryIn((await runProgram('ssh-keygen', ['-L', '-f', '-'], MS, `${line}\n`)).stdout, now);
    if (until !== undefined) return { where: 'in the agent', until };
  }
  return undefined;
};
