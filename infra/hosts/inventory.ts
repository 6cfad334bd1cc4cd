import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { environmentForPrograms } from '../config-environment.ts';
import { type HostLookup, HostSettings } from '../hosts.ts';
import type { Log } from '../log.ts';
import { type HostEntry, parseHostList, readSshConfigNames } from './host-lists.ts';

const Source = z.union([
  /** JSON, YAML (.yaml, .yml) or lines. */
  z.strictObject({ file: z.string().min(1) }),
  /** The names of an ssh_config; its hosts are reached with transport openssh, as that file says. */
  z.strictObject({ sshConfig: z.string().min(1) }),
  z.strictObject({
    /** A program and its arguments, no shell; it prints JSON or lines. */
    command: z.array(z.string().min(1)).min(1).max(100),
    timeoutSeconds: z.number().min(1).max(300).default(20),
    /** Variables of our environment that it gets beside paths, agent and Kerberos. */
    environment: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is no name of a variable')).default([]),
  }),
]);
type Source = z.infer<typeof Source>;

/** Where further hosts come from, beside `hosts` in the configuration. */
export const InventorySettings = z.strictObject({
  /** The first source that has a name decides. */
  sources: z.array(Source).max(20).default([]),
  refreshSeconds: z.number().min(5).max(86_400).default(300),
});
export type InventorySettings = z.infer<typeof InventorySettings>;

/** The hosts of all sources, as they were read last. */
export interface Inventory {
  readonly lookup: HostLookup;
  readonly names: () => readonly string[];
  /** Whether there is any source. */
  readonly any: boolean;
  /**
   * Reads all sources anew. A source that fails keeps the hosts that it had. Returns the faults that were not there before, one sentence
   * each. Never rejects.
   */
  readonly refresh: () => Promise<readonly string[]>;
  /** How it went when they were read last. Not well: a source could not be read and has no hosts of an earlier time. */
  readonly state: () => { readonly ok: boolean; readonly why: string };
  /** Reads them now and then every `refreshSeconds`, with faults in the log. Resolves after the first time. */
  readonly keepFresh: (log: Log) => Promise<{ readonly close: () => Promise<void> }>;
}

interface Known {
  hosts: ReadonlyMap<string, HostSettings>;
  fault: string;
}

const MOST_BYTES = 16 << 20;
const TOO_MUCH = `it holds more than ${MOST_BYTES >> 20} MiB`;
const FAULTS_TOLD = 3;
const NOT_RUN: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such program',
  EACCES: 'it may not be run; see its mode (chmod +x) and owner',
};

const readText = async (file: string): Promise<string> => {
  const handle = await open(file);
  try {
    const chunks: Buffer[] = [];
    // One byte more says that there is more.
    for await (const chunk of handle.createReadStream({ end: MOST_BYTES, autoClose: false })) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (bytes.length > MOST_BYTES) throw new Error(TOO_MUCH);
    return bytes.toString('utf8');
  } finally {
    await handle.close();
  }
};

const nameOf = (source: Source): string =>
  'file' in source ? source.file : 'sshConfig' in source ? source.sshConfig : `the command ${source.command[0]}`;

/** Its standard output. It is ended together with all that it started: one that hangs would leave something behind at each refresh. */
const runCommand = (command: readonly string[], seconds: number, environment: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const [program = '', ...args] = command;
    const env = environmentForPrograms(environment);
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const stdout: Buffer[] = [];
    let size = 0;
    let complaint = '';
    let why: string | null = null;
    const end = (reason: string) => {
      why ??= reason;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // All of it has ended.
      }
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const timer = setTimeout(() => end(`it did not end within ${seconds} s`), seconds * 1000);
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MOST_BYTES) end(TOO_MUCH);
      else stdout.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-2_000);
    });
    child.on('error', (error) => {
      const code = 'code' in error ? String(error.code) : error.message;
      why ??= NOT_RUN[code] ?? `it could not be run (${code})`;
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (why === null && code === 0) return resolve(Buffer.concat(stdout).toString('utf8'));
      const said = complaint.trim().split('\n').at(-1)?.replace(/\p{C}/gu, ' ').slice(0, 200);
      const how = why ?? `it ended with ${code ?? 'a signal'}`;
      reject(new Error(said ? `${how} (${said})` : how));
    });
  });

const entriesOf = async (source: Source): Promise<readonly HostEntry[]> => {
  if ('file' in source) {
    return parseHostList(await readText(source.file), /\.ya?ml$/.test(source.file));
  }
  if ('command' in source) {
    return parseHostList(await runCommand(source.command, source.timeoutSeconds, source.environment));
  }
  // Without -F ssh reads the user's own and then the system's; with it, that file alone.
  const own = path.join(userInfo().homedir, '.ssh', 'config');
  const configFile = source.sshConfig === own ? {} : { configFile: source.sshConfig };
  const names = await readSshConfigNames(source.sshConfig);
  return names.map((name) => ({ name, transport: 'openssh', ...configFile }));
};

/** `complete` adds to a host's own settings what the site says for all. Paths are absolute. Reads nothing yet. */
export const openInventory = (
  settings: InventorySettings,
  complete: (entry: HostEntry, isSshConfig: boolean) => Record<string, unknown>,
): Inventory => {
  const all = settings.sources.map((source): { source: Source; known: Known } => ({
    source,
    known: { hosts: new Map(), fault: '' },
  }));

  const read = async (source: Source, known: Known): Promise<string> => {
    let entries: readonly HostEntry[];
    try {
      entries = await entriesOf(source);
    } catch (error) {
      const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
      const kept = known.hosts.size === 0 ? 'it has no hosts' : `its last ${known.hosts.size} hosts stay known`;
      return `The inventory from ${nameOf(source)} could not be read: ${why}; ${kept}.`;
    }
    const hosts = new Map<string, HostSettings>();
    const bad: string[] = [];
    for (const entry of entries) {
      const parsed = HostSettings.safeParse(complete(entry, 'sshConfig' in source));
      if (parsed.success && !hosts.has(parsed.data.name)) hosts.set(parsed.data.name, parsed.data);
      if (!parsed.success)
        bad.push(`${JSON.stringify(entry.name ?? null).slice(0, 80)}: ${parsed.error.issues[0]?.message}`);
    }
    known.hosts = hosts;
    if (bad.length === 0) return '';
    const rest = bad.length > FAULTS_TOLD ? `; and ${bad.length - FAULTS_TOLD} more` : '';
    return `${bad.length} of ${entries.length} hosts of the inventory from ${nameOf(source)} were left out: ${bad.slice(0, FAULTS_TOLD).join('; ')}${rest}.`;
  };

  const refresh = async (): Promise<readonly string[]> => {
    const faults = await Promise.all(
      all.map(async ({ source, known }) => {
        const fault = await read(source, known);
        const isNew = fault !== '' && fault !== known.fault;
        known.fault = fault;
        return isNew ? [fault] : [];
      }),
    );
    return faults.flat();
  };

  return {
    any: all.length > 0,
    lookup: (name) => all.map(({ known }) => known.hosts.get(name)).find((host) => host !== undefined),
    names: () => [...new Set(all.flatMap(({ known }) => [...known.hosts.keys()]))],
    refresh,
    state: () => {
      const faults = all.filter(({ known }) => known.fault !== '');
      const why = faults.map(({ known }) => known.fault).join(' ');
      return { ok: faults.every(({ known }) => known.hosts.size > 0), why };
    },
    keepFresh: async (log) => {
      let running: Promise<void> = Promise.resolve();
      const again = () => {
        running = refresh().then((faults) => {
          for (const fault of faults) log.warn({}, fault);
        });
        return running;
      };
      if (all.length > 0) await again();
      // The next one is set when the last is done, so that a slow command never runs twice at once.
      let timer: NodeJS.Timeout | undefined;
      let closed = false;
      const later = () => {
        if (closed || all.length === 0) return;
        timer = setTimeout(() => void again().then(later), settings.refreshSeconds * 1000).unref();
      };
      later();
      return {
        close: async () => {
          closed = true;
          clearTimeout(timer);
          await running;
        },
      };
    },
  };
};

/** The settings with relative paths taken from the configuration's folder; `~/` is the home folder. A command's program only if it has a slash. */
export const inSiteFolder = (settings: InventorySettings, folder: string): InventorySettings => {
  const resolved = (file: string): string => path.resolve(folder, file.replace(/^~(?=\/)/, userInfo().homedir));
  return {
    ...settings,
    sources: settings.sources.map((source): Source => {
      if ('file' in source) return { file: resolved(source.file) };
      if ('sshConfig' in source) return { sshConfig: resolved(source.sshConfig) };
      const [program = '', ...args] = source.command;
      return { ...source, command: [program.includes('/') ? resolved(program) : program, ...args] };
    }),
  };
};
