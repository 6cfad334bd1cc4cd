import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** The folder of this process for control sockets and configurations; nobody else may look into it. */
export interface PrivateFolder {
  /** A path for a control socket that nobody has had yet. */
  readonly nextSocket: () => string;
  /** The configuration for `ssh -F`: what we insist on, then the site's (`configFile`, else the user's and the system's). */
  readonly configFor: (configFile: string | undefined) => string;
  readonly remove: () => void;
}

/** A socket's path has at most 107 bytes (unix(7)); ssh binds it under a longer name first. */
const LONGEST_BASE = 40;
const PREFIX = 'straceback-ssh-';

/**
 * In ssh_config the first value counts, so these win over the site's for the host and for the jump hosts of a ProxyJump, which get the same
 * file. No questions, no unchecked host key, nothing of ours forwarded to a sick host, nothing that a login by hand would start, one place that
 * keeps connections; a dead connection is noticed after 15 seconds.
 */
const INSISTED = `IgnoreUnknown ForkAfterAuthentication,StdinNull,SessionType,EnableEscapeCommandline
Match all
  BatchMode yes
  StrictHostKeyChecking yes
  UpdateHostKeys no
  LogLevel ERROR
  ServerAliveInterval 5
  ServerAliveCountMax 3
  RequestTTY no
  RemoteCommand none
  SessionType default
  StdinNull no
  ForkAfterAuthentication no
  PermitLocalCommand no
  ClearAllForwardings yes
  ForwardAgent no
  ForwardX11 no
  Tunnel no
  AddKeysToAgent no
  EscapeChar none
  VisualHostKey no
`;

const quoted = (path: string): string => `"${path}"`;

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/** Folders of our user whose process was killed: its connections ended by themselves, their files stayed. */
const removeLeftOvers = (base: string): void => {
  for (const name of readdirSync(base)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : 0;
    if (!Number.isSafeInteger(pid) || pid < 1 || isAlive(pid)) continue;
    try {
      if (statSync(join(base, name)).uid === process.getuid?.()) rmSync(join(base, name), { recursive: true });
    } catch {
      // Another worker was quicker.
    }
  }
};

/** Makes the private folder. Throws as the file system does. */
export const makePrivateFolder = (): PrivateFolder => {
  const base = tmpdir().length <= LONGEST_BASE ? tmpdir() : '/tmp';
  removeLeftOvers(base);
  const folder = mkdtempSync(join(base, `${PREFIX}${process.pid}-`));
  const configs = new Map<string, string>();
  let sockets = 0;
  return {
    nextSocket: () => {
      sockets += 1;
      return join(folder, `c${sockets}`);
    },
    configFor: (configFile) => {
      const known = configs.get(configFile ?? '');
      if (known !== undefined) return known;
      const file = join(folder, `config${configs.size}`);
      const included = configFile === undefined ? sshConfigFiles().filter((each) => existsSync(each)) : [configFile];
      // Each is read as if nothing stood before it: a Host line of the first is no condition for the second.
      const text = included.map((each) => `Match all\n  Include ${quoted(each)}\n`).join('');
      writeFileSync(file, `${INSISTED}${text}`, { mode: 0o600 });
      configs.set(configFile ?? '', file);
      return file;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};

/** What ssh reads when it is not told otherwise; it takes the home folder from the password file, not from HOME. */
export const sshConfigFiles = (): readonly string[] => [
  join(userInfo().homedir, '.ssh', 'config'),
  '/etc/ssh/ssh_config',
];
