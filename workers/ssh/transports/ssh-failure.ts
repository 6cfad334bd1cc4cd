import type { SshHost } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';

/** What ssh2 and the operating system attach to errors. */
interface Details {
  readonly level: string;
  readonly code: string;
  readonly message: string;
}

const detailsOf = (error: unknown): Details => {
  const of = (name: string): string => {
    const value = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
    return typeof value === 'string' ? value : '';
  };
  return { level: of('level'), code: of('code'), message: of('message') };
};

const loginWith = (host: SshHost): string => {
  const ways = [];
  if (host.identityFile !== undefined) ways.push(`the key ${host.identityFile}`);
  if (host.agent !== undefined) ways.push(`the agent ${host.agent}`);
  return ways.join(' and ');
};

const SOCKET: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; check the address, the port and that sshd runs',
  ENOTFOUND: 'the name cannot be resolved; check the address in the list of hosts and the DNS',
  EAI_AGAIN: 'the DNS did not answer; check the name servers of the worker',
  EHOSTUNREACH: 'there is no way to it; check that the host is up and the route to it',
  ENETUNREACH: 'there is no way to its network; check the route to it',
  ETIMEDOUT: 'it does not answer; check that the host is up and that the firewall lets the worker in',
  ECONNRESET:
    'it closed the connection before the login; check that sshd listens there, and its log (MaxStartups, fail2ban, firewall)',
};

/** Why a connection to `host` could not be made or logged in, as one sentence; `seconds` is how long it was waited for. */
export const connectFailure = (host: SshHost, error: unknown, seconds: number): LookFailed => {
  if (error instanceof LookFailed) return error;
  const { level, code, message } = detailsOf(error);
  const where = `${host.name} (${host.address}:${host.port})`;
  const fail = (failure: ConstructorParameters<typeof LookFailed>[0], why: string) =>
    new LookFailed(failure, `${why}.`, error);
  if (level === 'client-authentication') {
    const why = `${where} refused to let ${host.user} in with ${loginWith(host)}; add the public key to that user's authorized_keys there, or correct user and key`;
    return fail('login-refused', why);
  }
  if (level === 'agent') {
    return fail(
      'bad-key-file',
      `The SSH agent at ${host.agent} for ${host.name} did not answer; start it and load the key with ssh-add`,
    );
  }
  if (level === 'client-dns' || (level === 'client-socket' && SOCKET[code] !== undefined)) {
    return fail('unreachable', `${where} cannot be reached: ${SOCKET[code] ?? SOCKET.ENOTFOUND}`);
  }
  if (level === 'client-timeout') {
    return fail(
      'unreachable',
      `${where} cannot be reached: no SSH login within ${seconds} s; check that the host is up and that sshd answers there`,
    );
  }
  const cannot = `${where} cannot be reached`;
  // ssh2 and node-ssh have these two for a far end that goes away in the middle of the handshake.
  if (message === 'Connection lost before handshake' || (level === '' && code === 'ETIMEDOUT')) {
    return fail('unreachable', `${cannot}: ${SOCKET.ECONNRESET}`);
  }
  if (level === 'handshake' && /no matching/i.test(message)) {
    return fail('host-garbage', `${where} speaks no SSH that is safe to use (${message}); update its sshd`);
  }
  if (level === 'protocol' || level === 'handshake' || /packet|identification|greeting|header/i.test(message)) {
    const why = `What answers at ${where} is not a usable SSH server (${message}); check address and port`;
    return fail('host-garbage', why);
  }
  const byHand = `try \`ssh -p ${host.port} ${host.user}@${host.address}\` from the worker`;
  return fail('unreachable', `${cannot}: ${message || 'no reason was given'}; ${byHand}`);
};
