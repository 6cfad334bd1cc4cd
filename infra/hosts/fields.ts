import { z } from 'zod';
import { HostName } from '../../playbooks/model/index.ts';

const noControl = /^[^\p{Cc}]+$/u;

/** A path on the worker's machine; `what` is its name in a complaint. */
export const pathOnWorker = (what: string) =>
  z
    .string({ error: `${what} is missing: a path on the worker's machine` })
    .min(1, `${what} must not be empty`)
    .max(4096)
    .regex(noControl, `${what} has control characters`);

/** A DNS name, an IPv4 or an IPv6 address. It ends up in argument lists, so it never starts with a dash. */
export const Address = z
  .string()
  .max(253)
  .regex(
    /^[A-Za-z0-9:]([A-Za-z0-9._:%-]*[A-Za-z0-9])?$/,
    'an address is a DNS name, an IPv4 or an IPv6 address, and never starts with a dash',
  );

/** A login name. It ends up in argument lists, too. */
export const User = z
  .string({ error: 'user is missing: the name to log in with' })
  .max(256)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._@+-]*\$?$/,
    'a user name has only letters, digits and . _ @ + -, and never starts with a dash',
  );

export const Port = z.number().int().min(1).max(65_535);

/** On the diagnosed host: where files that outlive a look (cores) are kept. */
export const KeepFolder = z
  .string()
  .max(4096)
  .regex(/^\/[^\p{Cc}]*$/u, 'keepFolder must be an absolute path without control characters')
  .default('/var/tmp/straceback');

/** `auto`: root through `sudo -n` where that works without a password. `never`: stay the user that logged in. */
export const Sudo = z.enum(['auto', 'never']).default('auto');

/**
 * `installed`: the runner that `infra/host/install.sh` puts on a host, and no other. `sent`: the one that is sent for each look.
 * `auto`, also when left out: the installed one where there is one.
 */
export const Runner = z.enum(['auto', 'installed', 'sent']).optional();

/** Which program carries the bytes to a host. */
export const TransportName = z.enum(['node-ssh', 'openssh']);

/** What may be said for many hosts at once: as default of the site, for a pattern of names, or on a command line. */
export const HostDefaults = z.strictObject({
  transport: TransportName.optional(),
  user: z.string().min(1).optional(),
  port: Port.optional(),
  identityFile: z.string().min(1).optional(),
  agent: z.string().min(1).optional(),
  knownHostsFile: z.string().min(1).optional(),
  configFile: z.string().min(1).optional(),
  jump: HostName.optional(),
  sudo: z.enum(['auto', 'never']).optional(),
  keepFolder: z.string().min(1).optional(),
  runner: Runner,
});
export type HostDefaults = z.infer<typeof HostDefaults>;
