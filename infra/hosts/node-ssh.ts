import { z } from 'zod';
import { HostName } from '../../playbooks/model/index.ts';
import { Address, KeepFolder, Port, pathOnWorker, Runner, Sudo, User } from './fields.ts';

/** A host that is reached over SSH by node-ssh. Its key is always checked against `knownHostsFile`. */
export const SshHost = z
  .strictObject({
    name: HostName,
    transport: z.literal('node-ssh'),
    /** Where it listens; the name itself when left out. */
    address: Address.optional(),
    port: Port.default(22),
    user: User,
    /** Private key on the worker's machine, not encrypted. */
    identityFile: pathOnWorker('identityFile').optional(),
    /** Socket of an SSH agent on the worker's machine (what SSH_AUTH_SOCK holds). */
    agent: pathOnWorker('agent').optional(),
    knownHostsFile: pathOnWorker('knownHostsFile'),
    /** Name of the host through which this one is reached. */
    jump: HostName.optional(),
    sudo: Sudo,
    keepFolder: KeepFolder,
    runner: Runner,
  })
  .refine((host) => host.identityFile !== undefined || host.agent !== undefined, {
    message: 'give identityFile or agent: without either there is nothing to log in with',
    path: ['identityFile'],
  })
  .refine((host) => host.jump !== host.name, { message: 'a host cannot be its own jump host', path: ['jump'] })
  .transform((host) => ({ ...host, address: host.address ?? host.name }));
export type SshHost = z.infer<typeof SshHost>;
