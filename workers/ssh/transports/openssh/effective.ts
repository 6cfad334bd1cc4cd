import { userInfo } from 'node:os';
import type { OpenSshHost } from '../../../../infra/hosts.ts';
import { commonArguments, destination, type Way } from './arguments.ts';
import { type Ran, runProgram } from './program.ts';

/** What applies to a host once ssh has read its configuration (`ssh -G`). */
export interface Effective {
  readonly hostname: string;
  readonly port: string;
  readonly user: string;
  /** `alias`, `user@host:port,…`; undefined without one. */
  readonly proxyJump: string | undefined;
  readonly usesProxy: boolean;
  /** Files of keys and certificates that it would try, in its order; `~` is the home folder. */
  readonly identityFiles: readonly string[];
  readonly certificateFiles: readonly string[];
  /** The agent's socket when it is a path. */
  readonly agent: string | undefined;
  readonly knownHostsFiles: readonly string[];
}

const G_MS = 10_000;

const homely = (path: string): string =>
  path.replace(/^~(?=\/)/, userInfo().homedir).replaceAll('%d', userInfo().homedir);

/** Reads what `ssh -G` prints: one setting a line, its name in small letters. Never throws. */
export const parseEffective = (text: string): Effective => {
  const settings = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [name = '', ...words] = line.split(' ');
    if (words.length > 0) settings.set(name, [...(settings.get(name) ?? []), words.join(' ')]);
  }
  const one = (name: string): string | undefined => settings.get(name)?.[0];
  const named = (name: string): string | undefined => (one(name) === 'none' ? undefined : one(name));
  const agent = named('identityagent');
  return {
    hostname: one('hostname') ?? '',
    port: one('port') ?? '22',
    user: one('user') ?? '',
    proxyJump: named('proxyjump'),
    usesProxy: named('proxyjump') !== undefined || named('proxycommand') !== undefined,
    identityFiles: (settings.get('identityfile') ?? []).map(homely),
    certificateFiles: (settings.get('certificatefile') ?? []).map(homely),
    agent: agent?.startsWith('/') === true ? agent : undefined,
    knownHostsFiles: (one('userknownhostsfile') ?? '').split(' ').filter((file) => file !== ''),
  };
};

/**
 * Asks ssh what applies to a host. `siteConfig` is the site's own configuration without what we insist on: only there it shows whether
 * unknown keys are to be learnt. Commands of `Match exec` run as they do for every login.
 */
export const readEffective = async (
  host: OpenSshHost,
  way: Way,
  siteConfig: string | undefined,
): Promise<{ readonly effective: Effective; readonly acceptNew: boolean; readonly ran: Ran }> => {
  const inSite = siteConfig === undefined ? [] : ['-F', siteConfig];
  const [ran, site] = await Promise.all([
    runProgram('ssh', [...commonArguments(host, way), '-G', ...destination(host)], G_MS),
    runProgram(
      'ssh',
      [...inSite, '-G', ...(host.user === undefined ? [] : ['-l', host.user]), ...destination(host)],
      G_MS,
    ),
  ]);
  const acceptNew = site.exit === 0 && /^stricthostkeychecking accept-new$/m.test(site.stdout);
  return { effective: parseEffective(ran.stdout), acceptNew, ran };
};
