import type { OpenSshHost } from '../../../../infra/hosts.ts';
import { type FailureCode, LookFailed } from '../../../../playbooks/model/index.ts';
import { plainText } from '../../frames.ts';
import type { Effective } from './effective.ts';

/** What is known when a login has failed. */
export interface FailedLogin {
  readonly host: OpenSshHost;
  readonly effective: Effective;
  /** Name of the jump host of the inventory, if it goes through one. */
  readonly jump: string | undefined;
  /** All that ssh wrote on its standard error. */
  readonly said: string;
  /** A certificate of ours whose time is over, as file or agent and the end of its time. */
  readonly expired: { readonly where: string; readonly until: string } | undefined;
}

type Words = (match: RegExpExecArray, login: FailedLogin) => string;
type Rule = readonly [pattern: RegExp, code: FailureCode, words: Words];

const whereOf = ({ host, effective }: FailedLogin): string => {
  const user = effective.user === '' ? '' : `${effective.user}@`;
  return `${host.name} (${user}${effective.hostname || host.address}:${effective.port})`;
};

/** Whether a name in ssh's words is the host itself, or one on the way to it. */
const who = (name: string, login: FailedLogin): string => {
  const { host, effective } = login;
  const itself = [host.name, host.address, effective.hostname].some(
    (each) => each.toLowerCase() === name.toLowerCase(),
  );
  if (itself || !(effective.usesProxy || login.jump !== undefined)) return `${whereOf(login)} cannot be reached`;
  return `${whereOf(login)} cannot be reached through its jump host ${name}`;
};

const CONNECT: Readonly<Record<string, string>> = {
  'Connection refused': 'nothing listens there; check the address, the port and that sshd runs',
  'No route to host': 'there is no way to it; check that the host is up and the route to it',
  'Network is unreachable': 'there is no way to its network; check the route to it',
  'Connection timed out': 'it does not answer; check that the host is up and that the firewall lets the worker in',
};

/** How to learn the key that ssh did not know: of the host, or of one on the way that it names as known_hosts does. */
const learnKey = ({ host, effective }: FailedLogin, named: string | undefined): string => {
  const inBrackets = /^\[([^\]\s]+)\]:(\d+)$/.exec(named ?? '');
  const [address, port] = inBrackets?.slice(1) ?? [
    named ?? (effective.hostname || host.address),
    named === undefined ? effective.port : '22',
  ];
  const file = effective.knownHostsFiles[0] ?? 'known_hosts';
  return `run \`ssh-keyscan${port === '22' ? '' : ` -p ${port}`} ${address}\`, compare its fingerprint with the one on the host's console (\`ssh-keygen -lf\`), and add the line to ${file}, or have its key signed by an authority that is there`;
};

const keysOf = ({ effective, host }: FailedLogin): string => {
  const key =
    host.identityFile === undefined ? 'the keys, certificates and agent of its ssh configuration' : host.identityFile;
  return effective.agent !== undefined && host.identityFile === undefined ? `${key} (agent ${effective.agent})` : key;
};

/** In this order: a jump host's own trouble is said before what the far ssh makes of it. */
const RULES: readonly Rule[] = [
  [
    /Bad owner or permissions on (\S+)/,
    'unreachable',
    (match, login) =>
      `${whereOf(login)} cannot be reached: ssh does not take its configuration ${match[1]}, which others could change; make it the worker's or root's own and run \`chmod go-w\` on it`,
  ],
  [
    /Bad configuration option|Can't open user config|terminating, \d+ bad config|keyword .* extra arguments/,
    'unreachable',
    (_, login) =>
      `${whereOf(login)} cannot be reached: ssh does not take its configuration; run \`ssh -G ${login.host.address}\` where the worker runs`,
  ],
  [
    /REVOKED HOST KEY/,
    'host-key-changed',
    (_, login) =>
      `The host key of ${whereOf(login)} is marked as revoked; do not log in before its owner has explained it`,
  ],
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    'host-key-changed',
    (_, login) => {
      const shown = /SHA256:[A-Za-z0-9+/]+/.exec(login.said)?.[0];
      const place = /Offending .* in (\S+?):(\d+)/.exec(login.said);
      const line = place === null ? '' : ` (line ${place[2]} of ${place[1]} has another)`;
      const of = /Host key for (\S+) has changed/.exec(login.said)?.[1] ?? login.host.address;
      return `The host key of ${of}, on the way to or at ${whereOf(login)}, is not the known one${shown === undefined ? '' : `: it showed ${shown}`}${line}; somebody may be in between, or the host was reinstalled: ask its owner, and only if that is so remove the old key with \`ssh-keygen -R '${of}'\` and learn the new one`;
    },
  ],
  [
    /Certificate invalid: ([^\n\r]+)/,
    'host-key-unknown',
    (match, login) =>
      `The host certificate of ${whereOf(login)} is not valid (${plainText(Buffer.from(match[1] ?? ''), 200)}); have the host's key signed again, for this name and a time that is not over`,
  ],
  [
    /No \S+ host key is known for (\S+)|Host key verification failed/,
    'host-key-unknown',
    (match, login) =>
      `The host key of ${match[1] ?? whereOf(login)} is not known, so ${whereOf(login)} is not logged in to: ${learnKey(login, match[1])}`,
  ],
  [
    /Could not resolve hostname (\S+): ([^\n\r]+)/,
    'unreachable',
    (match, login) => {
      const again = /Temporary failure/.test(match[2] ?? '');
      return `${who(match[1] ?? '', login)}: ${again ? 'the DNS did not answer; check the name servers of the worker' : 'the name cannot be resolved; check the address in the inventory or ssh_config, and the DNS'}`;
    },
  ],
  [
    /connect to host (\S+) port \d+: (Connection refused|No route to host|Network is unreachable|Connection timed out)/,
    'unreachable',
    (match, login) => `${who(match[1] ?? '', login)}: ${CONNECT[match[2] ?? '']}`,
  ],
  [
    /channel \d+: open failed: (connect failed|administratively prohibited)(?:: ([^\n\r]*))?/,
    'unreachable',
    (match, login) => {
      const through = login.jump ?? login.effective.proxyJump ?? 'its jump host';
      const why =
        match[1] === 'connect failed'
          ? plainText(Buffer.from(match[2] ?? 'connect failed'), 120)
          : 'forwarding is not allowed there';
      return `${whereOf(login)} cannot be reached through ${through}: ${why}; check the address as ${through} sees it, and that its sshd allows forwarding`;
    },
  ],
  [
    /^Permissions \d+ for '([^'\n]+)' are too open/m,
    'bad-key-file',
    (match, login) =>
      `The key file ${match[1]} for ${login.host.name} may be read by others, so ssh does not use it; run \`chmod 600\` on it`,
  ],
  [
    /Load key "([^"\n]+)": ([^\n\r]+)/,
    'bad-key-file',
    (match, login) =>
      `The key file ${match[1]} for ${login.host.name} cannot be used (${plainText(Buffer.from(match[2] ?? ''), 120)}); give a private key that the worker can read, or load it into an agent`,
  ],
  [
    /signing failed for \S+ "?([^"\n]*)"?(?: from agent)?: ([^\n\r]+)/,
    'login-refused',
    (match, login) =>
      `The agent did not sign with the key ${plainText(Buffer.from(match[1] ?? ''), 200)} for ${login.host.name} (${plainText(Buffer.from(match[2] ?? ''), 120)}); unlock it, or touch the hardware key and ask again`,
  ],
  [
    /Permission denied|Too many authentication failures|No supported authentication methods/,
    'login-refused',
    (match, login) => {
      if (login.expired !== undefined) {
        return `${whereOf(login)} let nobody in: the certificate ${login.expired.where} expired at ${login.expired.until}; have the key signed again`;
      }
      if (match[0].startsWith('Too many')) {
        return `${whereOf(login)} refused the login after too many keys; name the one to use with identityFile (or IdentitiesOnly in ssh_config)`;
      }
      return `${whereOf(login)} refused to let ${login.effective.user || 'us'} in with ${keysOf(login)}; add the public key (or the authority of its certificate) there, or correct user and key`;
    },
  ],
  [
    /Unable to negotiate with [^:\n]+: ([^\n\r]+)/,
    'host-garbage',
    (match, login) =>
      `${whereOf(login)} speaks no SSH that is safe to use (${plainText(Buffer.from(match[1] ?? ''), 200)}); update its sshd`,
  ],
  [
    /Connection timed out during banner exchange|Connection to \S+ port \d+ timed out|Timeout, server/,
    'unreachable',
    (_, login) =>
      `${whereOf(login)} cannot be reached: it was silent for too long; check that the host is up and that sshd answers there`,
  ],
  [
    /invalid characters|Bad packet length|Protocol major versions differ|message authentication code incorrect|ssh_dispatch_run_fatal/,
    'host-garbage',
    (_, login) => `What answers at ${whereOf(login)} is not a usable SSH server; check address and port`,
  ],
  [
    /[Cc]onnection (?:closed|reset) by|kex_exchange_identification|Broken pipe/,
    'unreachable',
    (_, login) =>
      `${whereOf(login)} cannot be reached: the connection was closed before the login; check that sshd listens there, and its log (MaxStartups, fail2ban, firewall)${login.effective.usesProxy ? ', and the jump host or proxy command in front of it' : ''}`,
  ],
];

/** What ssh said, as one sentence that says what to do. What it has no sentence for is quoted. Pure. */
export const opensshFailure = (login: FailedLogin): LookFailed => {
  for (const [pattern, code, words] of RULES) {
    const match = pattern.exec(login.said);
    if (match !== null)
      return new LookFailed(code, `${plainText(Buffer.from(words(match, login)), 1_000)}.`, login.said);
  }
  const said = plainText(Buffer.from(login.said)).replace(/[.\s]+$/, '');
  const why = said === '' ? 'ssh ended without a word' : `ssh said “${said}”`;
  return new LookFailed(
    'unreachable',
    `${whereOf(login)} cannot be reached: ${why}; try \`ssh ${login.host.address}\` where the worker runs.`,
  );
};
