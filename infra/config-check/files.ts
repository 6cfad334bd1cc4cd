import { accessSync, constants, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import type { ExaminedConfig } from '../config.ts';
import type { ConfigFault } from '../config-faults.ts';

interface Named {
  readonly path: readonly PropertyKey[];
  readonly file: string;
  readonly kind: 'file' | 'private' | 'socket';
}

const KINDS = { identityFile: 'private', knownHostsFile: 'file', configFile: 'file', agent: 'socket' } as const;

/** Files that settings of hosts name. They are taken as they stand there, from the folder where the program runs. */
const ofHost = (settings: Readonly<Record<string, unknown>>, at: readonly PropertyKey[]): Named[] =>
  Object.entries(KINDS).flatMap(([key, kind]): Named[] => {
    const file = settings[key];
    return typeof file === 'string' && file !== '' ? [{ path: [...at, key], file, kind }] : [];
  });

const mayRead = (file: string): boolean => {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
};

const statOf = (file: string): Stats | string => {
  try {
    return statSync(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT')
      return file.startsWith('~') ? 'is not there; ~ means nothing here, give the whole path' : 'is not there';
    return code === 'EACCES' ? 'is in a folder that this user may not read' : `cannot be read (${code})`;
  }
};

const faultOf = ({ file, kind }: Named): string | null => {
  const stat = statOf(file);
  if (typeof stat === 'string') return stat;
  if (kind === 'socket') return stat.isSocket() ? null : 'is no socket of an agent';
  if (!stat.isFile()) return 'is no file';
  if (!mayRead(file)) return 'may not be read by this user';
  // ssh(1) refuses such a key, and here nobody would notice that it is everybody's.
  const mode = (stat.mode & 0o777).toString(8).padStart(3, '0');
  return kind === 'private' && (stat.mode & 0o077) !== 0
    ? `can be read or changed by others (mode ${mode}): chmod 600`
    : null;
};

/** A folder that does not have to be there, but has to be one that can be made and written into. */
const folderFault = (folder: string): string | null => {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const stat = statOf(at);
    if (typeof stat === 'string' && at !== path.dirname(at)) continue;
    if (typeof stat === 'string' || !stat.isDirectory()) return `${at} is no folder`;
    try {
      accessSync(at, constants.W_OK);
      return null;
    } catch {
      return `nothing can be written into ${at} by this user`;
    }
  }
};

const HOW_MANY_TOLD = 200;

/** Files that the configuration names and that are not there, not readable, or not private where they have to be. */
export const fileFaults = ({ data, base, config }: ExaminedConfig, reachesHosts: boolean): ConfigFault[] => {
  const ofHosts = reachesHosts
    ? [
        ...ofHost(data.hostDefaults, ['hostDefaults']),
        ...data.hostRules.flatMap((rule, index) => ofHost(rule, ['hostRules', index])),
        ...data.hosts.flatMap((host, index) => ofHost(host, ['hosts', index])),
      ]
    : [];
  const tls = (['ca', 'cert', 'key'] as const).flatMap((key): Named[] => {
    const file = data.redis.tls?.[key];
    if (file === undefined) return [];
    return [{ path: ['redis', 'tls', key], file: path.resolve(base, file), kind: key === 'key' ? 'private' : 'file' }];
  });
  const folders = [
    { path: ['dataFolder'], folder: config.dataFolder },
    ...(data.audit.folder === undefined
      ? []
      : [{ path: ['audit', 'folder'], folder: path.resolve(base, data.audit.folder) }]),
  ];
  return [
    ...[...ofHosts, ...tls].flatMap((named) => {
      const fault = faultOf(named);
      return fault === null ? [] : [{ path: named.path, message: `${named.file} ${fault}` }];
    }),
    ...folders.flatMap(({ path: at, folder }) => {
      const fault = folderFault(folder);
      return fault === null ? [] : [{ path: at, message: fault }];
    }),
  ].slice(0, HOW_MANY_TOLD);
};
