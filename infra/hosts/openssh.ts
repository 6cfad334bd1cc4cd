import { z } from 'zod';
import { HostName } from '../../playbooks/model/index.ts';
import { Address, KeepFolder, Port, pathOnWorker, Runner, Sudo, User } from './fields.ts';

/**
 * A host that is reached by the program `ssh`. What is left out here is what ssh_config(5) says for `address`: user, port, keys,
 * certificates, agent, hardware keys, ProxyJump, known_hosts.
 */
export const OpenSshHost = z
  .strictObject({
    name: HostName,
    transport: z.literal('openssh'),
    /** What ssh is asked for: an alias of ssh_config, a DNS name or an address; the name itself when left out. */
    address: Address.optional(),
    port: Port.optional(),
    user: User.optional(),
    /** Tried before what ssh_config names; FILE-cert.pub beside it is used as its certificate. */
    identityFile: pathOnWorker('identityFile').optional(),
    agent: pathOnWorker('agent').optional(),
    knownHostsFile: pathOnWorker('knownHostsFile').optional(),
    /** An ssh_config to read in place of the user's and the system's (`ssh -F`). */
    configFile: pathOnWorker('configFile').optional(),
    /** Name of a host of the inventory through which this one is reached, in place of ssh_config's ProxyJump. */
    jump: HostName.optional(),
    sudo: Sudo,
    keepFolder: KeepFolder,
    runner: Runner,
  })
  .refine((host) => host.jump !== host.name, { message: 'a host cannot be its own jump host', path: ['jump'] })
  .transform((host) => ({ ...host, address: host.address ?? host.name }));
export type OpenSshHost = z.infer<typeof OpenSshHost>;
