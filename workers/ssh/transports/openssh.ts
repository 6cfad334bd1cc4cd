import { access, constants } from 'node:fs/promises';
import type { HostLookup, OpenSshHost } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { farEndOf } from './far-end.ts';
import { jumpOf } from './jump.ts';
import { commonArguments, destination, passOn, type Way } from './openssh/arguments.ts';
import { findExpired } from './openssh/certificates.ts';
import { type Effective, readEffective } from './openssh/effective.ts';
import { opensshFailure } from './openssh/failure.ts';
import { makePrivateFolder, type PrivateFolder } from './openssh/folder.ts';
import { runProgram, startProgram } from './openssh/program.ts';
import { createPool, type Shared } from './pool.ts';
import { type HostStream, type StreamEnd, startCommand } from './stream.ts';

const IDLE_MS = 60_000;
/** A master whose worker was killed ends by itself after so many seconds without a shell. */
const PERSIST_SECONDS = 90;
const ASK_MS = 5_000;
const SSH_FAILED = 255;
/** All that the far ssh can say when the one in front of it has failed. */
const CLOSED_ONLY =
  /^(?:(?:kex_exchange_identification: |ssh_exchange_identification: )?(?:read: )?Connection (?:closed|reset) by .*\s*)+$/;

/** A connection that ssh keeps in the background (ControlMaster), reached through its socket. */
interface Master {
  readonly host: OpenSshHost;
  readonly way: Way;
  readonly effective: Effective;
  /** Called when it is given up. */
  readonly release: () => void;
}

let folder: PrivateFolder | undefined;
const closing = new Set<Promise<void>>();

const ask = (master: Pick<Master, 'host' | 'way'>, command: 'check' | 'exit') =>
  runProgram('ssh', [...commonArguments(master.host, master.way), '-O', command, ...destination(master.host)], ASK_MS);

const pool = createPool<Master>(
  {
    // Whether it still lives is asked right before each use: it tells nobody when it dies.
    alive: () => true,
    onDeath: () => {},
    close: (master) => {
      const end = ask(master, 'exit').then(() => {
        master.release();
        closing.delete(end);
      });
      closing.add(end);
    },
  },
  IDLE_MS,
);

/** Ends the warm connections of this process and removes its private folder. Never rejects. */
export const closeOpenSsh = async (): Promise<void> => {
  await pool.closeAll();
  // Ending one may release the one that it went through.
  while (closing.size > 0) await Promise.all(closing);
  folder?.remove();
  folder = undefined;
};

const checkKeyFile = async (host: OpenSshHost): Promise<void> => {
  if (host.identityFile === undefined) return;
  try {
    await access(host.identityFile, constants.R_OK);
  } catch (error) {
    const sentence = `The key file ${host.identityFile} for ${host.name} cannot be read by the worker; give the path of a private key that it can read.`;
    throw new LookFailed('bad-key-file', sentence, error);
  }
};

const failureOf = async (
  login: { readonly host: OpenSshHost; readonly effective: Effective; readonly jump: string | undefined },
  said: string,
): Promise<LookFailed> => {
  const refused = /Permission denied|Too many authentication failures/.test(said);
  const expired = refused ? await findExpired(login.host, login.effective, Date.now()) : undefined;
  return opensshFailure({ ...login, said, expired });
};

/** Logs in and leaves the connection in the background. `through` is the jump host of the inventory. */
const connect = async (host: OpenSshHost, through: Shared<Master> | undefined, connectMs: number): Promise<Master> => {
  await checkKeyFile(host);
  folder ??= makePrivateFolder();
  const first: Way = {
    config: folder.configFor(host.configFile),
    socket: folder.nextSocket(),
    through: through === undefined ? undefined : passOn(through.value.host, through.value.way),
    acceptNew: false,
    connectSeconds: Math.max(1, Math.ceil(connectMs / 1000)),
  };
  const { effective, acceptNew, ran: asked } = await readEffective(host, first, host.configFile);
  const login = { host, effective, jump: through?.value.host.name };
  if (asked.missing) {
    const sentence = `${host.name} has the transport openssh, and there is no program \`ssh\` where the worker runs; install openssh-client there.`;
    throw new LookFailed('unreachable', sentence);
  }
  if (asked.exit !== 0) throw await failureOf(login, asked.stderr);
  const way = { ...first, acceptNew };
  const common = commonArguments(host, way);
  const stay = ['-M', '-N', '-o', `ControlPersist=${PERSIST_SECONDS}`];
  for (let again = 1; ; again -= 1) {
    const ran = await runProgram('ssh', [...common, ...stay, ...destination(host)], connectMs);
    if (ran.exit === 0) return { host, way, effective, release: through?.release ?? (() => {}) };
    if (ran.timedOut) {
      const sentence = `${host.name} (${effective.hostname}:${effective.port}) cannot be reached: no SSH login within ${connectMs / 1000} s; check that the host is up and that sshd answers there${effective.usesProxy ? ', and the jump host in front of it' : ''}.`;
      throw new LookFailed('unreachable', sentence);
    }
    const silent = ran.stderr.trim() === '' || (effective.usesProxy && CLOSED_ONLY.test(ran.stderr));
    if (!silent || again === 0) throw await failureOf(login, ran.stderr);
    // A connection that is to stay hides what its proxy says; one that is not to stay lets it be heard.
    const alone = commonArguments(host, { ...way, socket: 'none' });
    const aloud = ['-o', 'ControlMaster=no', '-o', 'LogLevel=INFO', ...destination(host), 'exit 0'];
    const heard = await runProgram('ssh', [...alone, ...aloud], connectMs);
    if (heard.exit === SSH_FAILED) throw await failureOf(login, heard.stderr);
  }
};

const poolKey = (host: OpenSshHost, hosts: HostLookup, depth = 0): string => {
  const { name: _name, sudo: _sudo, keepFolder: _keep, ...reach } = host;
  const jump = host.jump === undefined || depth > 8 ? undefined : hosts(host.jump);
  const through = jump?.transport === 'openssh' ? poolKey(jump, hosts, depth + 1) : undefined;
  return JSON.stringify([Object.entries(reach).sort(), through]);
};

/** A living connection to `host` from the pool, opened through its jump hosts when there is none. */
const take = async (
  host: OpenSshHost,
  hosts: HostLookup,
  connectMs: number,
  names: readonly string[] = [host.name],
): Promise<Shared<Master>> => {
  const key = poolKey(host, hosts);
  const jump = jumpOf(host, hosts, names);
  for (;;) {
    let fresh = false;
    const shared = await pool.take(key, async () => {
      fresh = true;
      if (jump === undefined) return connect(host, undefined, connectMs);
      const through = await take(jump, hosts, connectMs, [...names, jump.name]);
      try {
        return await connect(host, through, connectMs);
      } catch (error) {
        through.release();
        throw error;
      }
    });
    if (fresh || (await ask(shared.value, 'check')).exit === 0) return shared;
    pool.retire(key, shared.value);
    shared.release();
  }
};

/** What the end of the client's ssh means when the far side never spoke; undefined when it was not ssh's own end. */
const explain =
  (master: Master, jump: string | undefined) =>
  (end: StreamEnd, said: string): LookFailed | undefined => {
    if (end.exit !== SSH_FAILED) return undefined;
    const { host, effective } = master;
    if (/open failed|open refused|session request failed|Session open/i.test(said)) {
      const sentence = `${host.name} let ${effective.user} in but gave no shell; check what its sshd allows that user (MaxSessions, forced commands).`;
      return new LookFailed('login-refused', sentence, said);
    }
    if (/^\s*$|mux_client|Broken pipe|Timeout, server|closed by remote/.test(said)) {
      return new LookFailed('connection-lost', `${host.name} stopped answering; ask again when it is back.`, said);
    }
    return opensshFailure({ host, effective, jump, said, expired: undefined });
  };

/**
 * A shell on `host` over a warm, shared connection that the program ssh keeps, made within `connectMs` when there is none. Where sshd gives no
 * further shell on it, ssh makes one of its own for this shell. Rejects with LookFailed, see `openShell`.
 */
export const openOpenSsh = async (host: OpenSshHost, hosts: HostLookup, connectMs: number): Promise<HostStream> => {
  const shared = await take(host, hosts, connectMs);
  const master = shared.value;
  const client = ['-o', 'ControlMaster=no', ...destination(host), startCommand(host.sudo)];
  const child = startProgram('ssh', [...commonArguments(host, master.way), ...client]);
  const closed = new Promise<StreamEnd>((resolve) => {
    child.once('close', (exit) => resolve({ exit }));
    child.once('error', () => resolve({ exit: null }));
  });
  void closed.then(shared.release);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    closed,
    farEnd: farEndOf(poolKey(host, hosts)),
    explain: explain(master, host.jump),
    destroy: () => {
      child.stdin.destroy();
      child.stdout.destroy();
      child.stderr.destroy();
      child.kill('SIGTERM');
    },
  };
};
