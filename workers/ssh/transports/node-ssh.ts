import type { Duplex } from 'node:stream';
import { NodeSSH } from 'node-ssh';
import type { Client, ClientChannel, ConnectConfig } from 'ssh2';
import type { HostLookup, SshHost } from '../../../infra/hosts.ts';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { type FarEnd, farEndOf } from './far-end.ts';
import { jumpOf } from './jump.ts';
import { hostKeyAlgorithms, hostKeyFailure, judgeHostKey, readKnownKeys } from './known-hosts.ts';
import { readLoginKey } from './login-key.ts';
import { createPool, type Shared } from './pool.ts';
import { execIn, type SpareSession, spareSession } from './spare-session.ts';
import { connectFailure } from './ssh-failure.ts';
import { type HostStream, type StreamEnd, startCommand } from './stream.ts';

const CHANNEL_MS = 10_000;
const IDLE_MS = 60_000;
const KEEPALIVE_MS = 5_000;
const KEEPALIVE_MISSES = 3;

/** One connection, and whether it can still be used. */
interface Connection {
  readonly client: Client;
  alive: boolean;
  readonly spare: SpareSession;
  /** Resolves when it is gone. */
  readonly gone: Promise<void>;
}

const pool = createPool<Connection>(
  {
    alive: (connection) => connection.alive,
    onDeath: (connection, died) => void connection.gone.then(died),
    close: (connection) => {
      connection.alive = false;
      connection.client.end();
    },
  },
  IDLE_MS,
);

/** Ends the warm connections of this process, so that nothing keeps it from ending. */
export const closeNodeSsh = (): Promise<void> => pool.closeAll();

const within = <Value>(ms: number, work: Promise<Value>, late: () => Error): Promise<Value> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });

/** Logs in. `sock` is the way through a jump host. */
const connect = async (host: SshHost, sock: Duplex | undefined, connectMs: number): Promise<Connection> => {
  const [known, privateKey] = await Promise.all([readKnownKeys(host), readLoginKey(host)]);
  let refusal: LookFailed | undefined;
  const config: ConnectConfig = {
    host: host.address,
    port: host.port,
    username: host.user,
    readyTimeout: connectMs,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_MISSES,
    algorithms: { serverHostKey: hostKeyAlgorithms(known) },
    hostVerifier: (key: Buffer): boolean => {
      const verdict = judgeHostKey(known, key);
      if (verdict !== 'known') refusal = hostKeyFailure(host, verdict, key);
      return verdict === 'known';
    },
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(host.agent === undefined ? {} : { agent: host.agent }),
    ...(sock === undefined ? {} : { sock }),
    // ssh2 would ask for `none` first, to hear what is allowed: a round trip that tells nothing about what we have.
    authHandler: [
      ...(privateKey === undefined ? [] : (['publickey'] as const)),
      ...(host.agent === undefined ? [] : (['agent'] as const)),
    ],
  };
  const ssh = new NodeSSH();
  const ready = ssh.connect(config as Parameters<NodeSSH['connect']>[0]);
  // Set as soon as connect is called, and null again when the connection has ended.
  const client = ssh.connection;
  if (client === null) {
    await ready;
    throw new LookFailed('internal', `The connection to ${host.name} was not there after the login.`);
  }
  let end: () => void = () => {};
  const connection: Connection = {
    client,
    alive: true,
    spare: spareSession(client),
    gone: new Promise((resolve) => {
      end = resolve;
    }),
  };
  const die = () => {
    connection.alive = false;
    end();
  };
  // Without a listener an error after the login would end the process.
  client.on('error', die).on('end', die).on('close', die);
  client.on('connect', () => client.setNoDelay(true));
  try {
    await ready;
  } catch (error) {
    client.destroy();
    throw refusal ?? connectFailure(host, error, connectMs / 1000);
  }
  client.setNoDelay(true);
  return connection;
};

const poolKey = (host: SshHost, hosts: HostLookup): string => {
  const jump = host.jump === undefined ? undefined : hosts(host.jump);
  const { address, port, user, identityFile, agent, knownHostsFile } = host;
  const through = jump?.transport === 'node-ssh' && jump.name !== host.name ? jump : undefined;
  return JSON.stringify([address, port, user, identityFile, agent, knownHostsFile, through]);
};

/** A connection to `host` from the pool, opened through its jump hosts when there is none. */
const take = async (
  host: SshHost,
  hosts: HostLookup,
  connectMs: number,
  way: readonly string[] = [host.name],
): Promise<Shared<Connection>> => {
  const jump = jumpOf(host, hosts, way);
  return pool.take(poolKey(host, hosts), async () => {
    if (jump === undefined) return connect(host, undefined, connectMs);
    const through = await take(jump, hosts, connectMs, [...way, jump.name]);
    try {
      const connection = await connect(host, await forward(through.value, jump, host), connectMs);
      void connection.gone.then(through.release);
      return connection;
    } catch (error) {
      through.release();
      throw error;
    }
  });
};

const forward = (through: Connection, jump: SshHost, host: SshHost): Promise<Duplex> => {
  const why = `${host.name} (${host.address}:${host.port}) cannot be reached through ${jump.name}`;
  const opening = new Promise<Duplex>((resolve, reject) => {
    through.client.forwardOut('127.0.0.1', 0, host.address, host.port, (error, channel) => {
      if (error === undefined || error === null) resolve(channel);
      else {
        const sentence = `${why}: ${error.message}; check the address as ${jump.name} sees it, and that its sshd allows forwarding.`;
        reject(new LookFailed('unreachable', sentence, error));
      }
    });
  });
  return within(CHANNEL_MS, opening, () => {
    return new LookFailed('unreachable', `${why}: no answer within ${CHANNEL_MS / 1000} s; check that the host is up.`);
  });
};

const execOn = (connection: Connection, host: SshHost, command: string): Promise<ClientChannel> => {
  let late = false;
  const start = async (): Promise<ClientChannel> => {
    const spare = await connection.spare.take();
    return new Promise((resolve, reject) => {
      const started = (error: Error | undefined | null, channel: ClientChannel) => {
        if (error !== undefined && error !== null) reject(error);
        else if (late) channel.close();
        else resolve(channel);
      };
      if (spare === null) connection.client.exec(command, started);
      else execIn(connection.client, spare, command, started);
    });
  };
  const opening = start();
  return within(CHANNEL_MS, opening, () => {
    late = true;
    return new LookFailed('connection-lost', `${host.name} stopped answering; ask again when it is back.`);
  });
};

const asStream = (channel: ClientChannel, connection: Shared<Connection>, farEnd: FarEnd): HostStream => {
  let exit: number | null = null;
  channel.on('exit', (code: number | null) => {
    exit = code;
  });
  channel.on('error', () => {});
  const closed = new Promise<StreamEnd>((resolve) => channel.once('close', () => resolve({ exit })));
  const end = Promise.race([closed, connection.value.gone.then((): StreamEnd => ({ exit: null }))]);
  void end.then(() => {
    // The next look then need not wait for it. It takes up no place that a look could want: a look takes it first.
    if (connection.value.alive) connection.value.spare.prepare();
    connection.release();
  });
  return {
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    closed: end,
    farEnd,
    destroy: () => channel.close(),
  };
};

/**
 * A shell on `host` over a warm, shared SSH connection, made within `connectMs` when there is none. The host's key is
 * always checked. Rejects with LookFailed, see `openShell`.
 */
export const openNodeSsh = async (host: SshHost, hosts: HostLookup, connectMs: number): Promise<HostStream> => {
  const command = startCommand(host.sudo);
  // A connection that died unseen, or one whose sshd gives no further channel (MaxSessions), makes room for a new one.
  for (let again = 2; ; again -= 1) {
    const connection = await take(host, hosts, connectMs);
    try {
      const channel = await execOn(connection.value, host, command);
      return asStream(channel, connection, farEndOf(poolKey(host, hosts)));
    } catch (error) {
      pool.retire(poolKey(host, hosts), connection.value);
      connection.release();
      if (again > 0) continue;
      if (error instanceof LookFailed) throw error;
      const said = error instanceof Error ? error.message : String(error);
      const sentence = `${host.name} let ${host.user} in but gave no shell (${said}); check what its sshd allows that user.`;
      throw new LookFailed('login-refused', sentence, error);
    }
  }
};
