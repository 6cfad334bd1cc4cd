import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import type { ServerHostKeyAlgorithm } from 'ssh2';
import type { SshHost } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { atMost } from '../at-most.ts';

/** One line of known_hosts that names the host. */
export interface KnownKey {
  readonly marker: 'none' | 'revoked' | 'authority';
  /** `ssh-ed25519`, `ssh-rsa`, … */
  readonly type: string;
  /** The public key as SSH sends it. */
  readonly blob: Buffer;
}

export type HostKeyVerdict = 'known' | 'unknown' | 'changed' | 'revoked';

const ALGORITHMS: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
};

/** What known_hosts calls a host: the address, with the port in brackets when it is not 22 (sshd(8)). */
export const knownHostsName = (host: Pick<SshHost, 'address' | 'port'>): string =>
  host.port === 22 ? host.address : `[${host.address}]:${host.port}`;

/** Reads what `ssh-keygen -F` prints: lines of known_hosts, between comments. Lines that make no sense are left out. */
export const parseKnownKeys = (text: string): KnownKey[] => {
  const keys: KnownKey[] = [];
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (line.startsWith('#')) continue;
    const marker = words[0] === '@revoked' ? 'revoked' : words[0] === '@cert-authority' ? 'authority' : 'none';
    const [, type, base64] = marker === 'none' ? words : words.slice(1);
    if (type === undefined || base64 === undefined) continue;
    const blob = Buffer.from(base64, 'base64');
    if (keyType(blob) === type) keys.push({ marker, type, blob });
  }
  return keys;
};

/** The type that a public key names itself (RFC 4253, 6.6: it begins with its name as a string); empty if it does not. */
export const keyType = (blob: Buffer): string => {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  return length > 0 && length <= 64 && blob.length >= 4 + length ? blob.toString('latin1', 4, 4 + length) : '';
};

/** A key's fingerprint as ssh-keygen -l writes it. */
export const fingerprint = (blob: Buffer): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;

/** Holds a presented key against the known ones. A host of which only other types are known counts as changed. */
export const judgeHostKey = (known: readonly KnownKey[], presented: Buffer): HostKeyVerdict => {
  const same = known.filter((key) => key.blob.equals(presented));
  if (same.some((key) => key.marker === 'revoked')) return 'revoked';
  if (same.some((key) => key.marker === 'none')) return 'known';
  return known.some((key) => key.marker === 'none') ? 'changed' : 'unknown';
};

/** All algorithms, those of the known keys first: a host known by one kind of key is asked for that one. */
export const hostKeyAlgorithms = (known: readonly KnownKey[]): ServerHostKeyAlgorithm[] => {
  const wanted = known.filter((key) => key.marker === 'none').flatMap((key) => ALGORITHMS[key.type] ?? []);
  return [...new Set([...wanted, ...Object.values(ALGORITHMS).flat()])];
};

/** Hundreds of new connections at once would start as many processes at once, none of which would be done in its time. */
const turn = atMost(8);

const run = (argv: readonly string[]): Promise<{ readonly found: boolean; readonly text: string }> =>
  new Promise((resolve, reject) => {
    const [command = '', ...rest] = argv;
    execFile(command, rest, { timeout: 10_000, maxBuffer: 4 << 20, encoding: 'latin1' }, (error, stdout) => {
      if (error === null) resolve({ found: true, text: stdout });
      else if (error.code === 1) resolve({ found: false, text: '' });
      else reject(error);
    });
  });

/**
 * The keys that `knownHostsFile` has for a host, hashed names included (ssh-keygen(1), -F). Rejects with LookFailed
 * `host-key-unknown` when the file or ssh-keygen is not there.
 */
export const readKnownKeys = async (host: SshHost): Promise<KnownKey[]> => {
  try {
    await access(host.knownHostsFile);
  } catch (error) {
    const sentence = `The known_hosts file ${host.knownHostsFile} cannot be read, so the key of ${host.name} cannot be checked; ${howToLearn(host)}.`;
    throw new LookFailed('host-key-unknown', sentence, error);
  }
  try {
    const { text } = await turn(() => run(['ssh-keygen', '-F', knownHostsName(host), '-f', host.knownHostsFile]));
    return parseKnownKeys(text);
  } catch (error) {
    const sentence = `The known_hosts file ${host.knownHostsFile} could not be searched with ssh-keygen; install openssh-client where the worker runs.`;
    throw new LookFailed('host-key-unknown', sentence, error);
  }
};

/** The exact steps that make a host's key known. */
const howToLearn = (host: SshHost, type?: string): string => {
  const kind = type === undefined ? '' : ` -t ${type.replace(/^ssh-/, '').replace(/^ecdsa-.*/, 'ecdsa')}`;
  const scan = `ssh-keyscan -p ${host.port}${kind} ${host.address}`;
  return `run \`${scan}\`, compare its fingerprint with the one on the host's console (\`ssh-keygen -lf\`), and add the line to ${host.knownHostsFile}`;
};

/** The sentence for a key that is not to be trusted. */
export const hostKeyFailure = (
  host: SshHost,
  verdict: Exclude<HostKeyVerdict, 'known'>,
  presented: Buffer,
): LookFailed => {
  const type = keyType(presented) || 'unknown';
  const shown = `${type} ${fingerprint(presented)}`;
  const where = `${host.name} (${knownHostsName(host)})`;
  if (verdict === 'unknown') {
    const sentence = `The host key of ${where} is not known (it showed ${shown}): ${howToLearn(host, type)}.`;
    return new LookFailed('host-key-unknown', sentence);
  }
  if (verdict === 'revoked') {
    const sentence = `The host key of ${where} (${shown}) is marked @revoked in ${host.knownHostsFile}; do not log in before its owner has explained it.`;
    return new LookFailed('host-key-changed', sentence);
  }
  const remove = `ssh-keygen -R '${knownHostsName(host)}' -f ${host.knownHostsFile}`;
  const sentence = `The host key of ${where} is not the known one (it showed ${shown}): somebody may be in between, or the host was reinstalled; ask its owner, and only if that is so run \`${remove}\` and then ${howToLearn(host, type)}.`;
  return new LookFailed('host-key-changed', sentence);
};
