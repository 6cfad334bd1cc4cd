import { readFile } from 'node:fs/promises';
import ssh2 from 'ssh2';
import type { SshHost } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';

const unreadable = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by the worker';
  if (code === 'EISDIR') return 'is a folder';
  return 'could not be read';
};

/**
 * The private key of a host's settings as text; undefined when it logs in by agent only. Rejects with LookFailed
 * `bad-key-file` for a key file that is missing, unreadable, encrypted, a public key or no key at all.
 */
export const readLoginKey = async (host: SshHost): Promise<string | undefined> => {
  const file = host.identityFile;
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const sentence = `The key file ${file} for ${host.name} ${unreadable(error)}; give the path of a private key that the worker can read.`;
    throw new LookFailed('bad-key-file', sentence, error);
  }
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) {
    const encrypted = /encrypted/i.test(key.message);
    const sentence = encrypted
      ? `The key file ${file} for ${host.name} is protected by a passphrase; load it into an ssh-agent and give the agent's socket, or use a key without one.`
      : `The key file ${file} for ${host.name} holds no private key that can be used; give an OpenSSH or PEM private key.`;
    throw new LookFailed('bad-key-file', sentence, key);
  }
  if (!(Array.isArray(key) ? key[0] : key)?.isPrivateKey()) {
    const sentence = `The key file ${file} for ${host.name} is a public key; give the private one, which has no .pub at its end.`;
    throw new LookFailed('bad-key-file', sentence);
  }
  return text;
};
