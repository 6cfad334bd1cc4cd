import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { type Sshd, type SshdOptions, startSshd } from '../../infra/sandbox/sshd.ts';

const cleanUps: (() => Promise<void> | void)[] = [];

/** Ends what the functions of this file have started, last first. For `afterEach` or `afterAll`. */
export const endSshd = async (): Promise<void> => {
  for (let next = cleanUps.pop(); next !== undefined; next = cleanUps.pop()) await next();
};

/** Has `endSshd` do something more. */
export const atEnd = (cleanUp: () => Promise<void> | void): void => {
  cleanUps.push(cleanUp);
};

/** A throw-away sshd that `endSshd` stops. */
export const testSshd = async (options: SshdOptions = {}): Promise<Sshd> => {
  const sshd = await startSshd(options);
  cleanUps.push(sshd.stop);
  return sshd;
};

/** A TCP port that passes everything on until it is cut. */
export interface Wire {
  readonly port: number;
  /** Breaks every connection with a reset, as a network that goes away does; new ones are let through again. */
  readonly cut: () => void;
  /** From now on bytes are swallowed, and nobody is told. */
  readonly swallow: () => void;
}

/** Listens on a free port of 127.0.0.1 and passes connections on to `port`. */
export const testWire = async (port: number): Promise<Wire> => {
  const sockets = new Set<Socket>();
  let silent = false;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => {});
      from.on('data', (bytes) => {
        if (!silent) to.write(bytes);
      });
      from.on('end', () => {
        if (!silent) to.end();
      });
      from.on('close', () => {
        sockets.delete(from);
        if (!silent) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
    silent = false;
  };
  cleanUps.push(() => {
    cut();
    server.close();
  });
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut,
    swallow: () => {
      silent = true;
    },
  };
};

/** A port that answers every connection in its own way: something that is no sshd. */
export const testPort = async (answer: (socket: Socket) => void): Promise<number> => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

/** Whether throw-away users can be made here. */
export const canMakeUsers = process.getuid?.() === 0;

/**
 * A user that exists until `endSshd`, with a home folder. `sudo`: may become root without a password; a text is one more
 * default of sudoers(5) for that user. Needs root.
 */
export const testUser = (options: { readonly sudo: boolean | string; readonly shell?: string }): string => {
  const name = `sb-test-${randomBytes(4).toString('hex')}`;
  // `*` is a password that nobody has; the default `!` would count as locked without PAM.
  execFileSync('useradd', ['-m', '-p', '*', '-s', options.shell ?? '/bin/sh', name]);
  const rules = `/etc/sudoers.d/${name}`;
  cleanUps.push(() => {
    rmSync(rules, { force: true });
    execFileSync('userdel', ['-r', '-f', name], { stdio: 'ignore' });
  });
  if (options.sudo !== false) {
    const defaults = typeof options.sudo === 'string' ? `Defaults:${name} ${options.sudo}\n` : '';
    writeFileSync(rules, `${defaults}${name} ALL=(ALL) NOPASSWD: ALL\n`, { mode: 0o440 });
  }
  return name;
};
