import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import path from 'node:path';
import type { HostDefaults } from './fields.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Keys that ssh(1) tries by itself, in its order. */
const DEFAULT_KEYS = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/** What applies to every host when nothing else is said: this user, this agent or key, this user's known_hosts. */
export const personalDefaults = (env: Environment): HostDefaults => {
  const folder = path.join(env.HOME ?? homedir(), '.ssh');
  const identityFile = DEFAULT_KEYS.map((name) => path.join(folder, name)).find((file) => existsSync(file));
  return {
    user: env.USER ?? userInfo().username,
    knownHostsFile: path.join(folder, 'known_hosts'),
    ...(identityFile === undefined ? {} : { identityFile }),
    ...(env.SSH_AUTH_SOCK === undefined || env.SSH_AUTH_SOCK === '' ? {} : { agent: env.SSH_AUTH_SOCK }),
  };
};

/** `value` without the properties that are undefined. */
export const withoutUndefined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;

/**
 * A host's own settings with what the site says for many. To a host of openssh nothing personal is added: ssh finds this user's
 * keys, agent and known_hosts by itself, as its configuration says.
 */
export const completeHost = (
  own: Readonly<Record<string, unknown>>,
  site: HostDefaults,
  personal: HostDefaults,
): Record<string, unknown> => {
  if (own.transport === 'local') return { ...own };
  const given: Record<string, unknown> = { ...withoutUndefined(site), ...own };
  if (given.transport === 'openssh') return given;
  const { configFile: _, ...siteOfNodeSsh } = withoutUndefined(site);
  return { ...personal, ...siteOfNodeSsh, ...own };
};
