import type { Client, ClientChannel } from 'ssh2';

/*
 * A session of SSH is a channel that is opened first and told its command then (RFC 4254, 6.1 and 6.5): two ways there and back.
 * One that is open and was told nothing has no process on the host, so one can be kept open for the next look. ssh2 does
 * both in one call, `exec`; apart they are to be had from what lies under it, and where that is not as expected there are none.
 */

/** What ssh2's Client (1.x) is made of, as far as it is needed here. */
interface Inside {
  readonly _chanMgr: { readonly add: (opened: Opened) => number };
  readonly _protocol: {
    readonly session: (id: number, window: number, packet: number) => void;
    readonly exec: (id: number, command: string, wantReply: boolean) => void;
  };
}

interface Opened {
  (error: Error | undefined, channel?: ClientChannel): void;
  type?: string;
}

/** A channel of ssh2 before its command. */
type SessionChannel = ClientChannel & {
  readonly outgoing: { readonly id: number; readonly state: string };
  readonly _callbacks: ((failed: Error | boolean) => void)[];
};

/** The least that ssh2 itself asks for. */
const WINDOW = 2 * 1024 * 1024;
const PACKET = 32 * 1024;

const part = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

const has = (value: unknown, ...names: readonly string[]): boolean =>
  names.every((name) => typeof part(value, name) === 'function');

const isInside = (client: unknown): client is Inside =>
  has(part(client, '_chanMgr'), 'add') && has(part(client, '_protocol'), 'session', 'exec');

const isSession = (channel: ClientChannel | undefined): channel is SessionChannel =>
  typeof part(part(channel, 'outgoing'), 'id') === 'number' && Array.isArray(part(channel, '_callbacks'));

/** A session that has no command yet; null when the host gives none, or ssh2 is not the one that is known. Never rejects. */
export const openSession = (client: Client): Promise<SessionChannel | null> =>
  new Promise((resolve) => {
    const inside: unknown = client;
    if (!isInside(inside)) {
      resolve(null);
      return;
    }
    const opened: Opened = (error, channel) => {
      if (error === undefined && isSession(channel)) {
        // Nobody listens until it is used.
        channel.on('error', () => {});
        resolve(channel);
        return;
      }
      resolve(null);
    };
    opened.type = 'session';
    try {
      const id = inside._chanMgr.add(opened);
      if (id === -1) resolve(null);
      else inside._protocol.session(id, WINDOW, PACKET);
    } catch {
      // The connection has ended.
      resolve(null);
    }
  });

/** Whether a session can still be told its command. */
export const isUsable = (channel: SessionChannel): boolean => channel.outgoing.state === 'open' && channel.writable;

/** Tells an open session its command; calls back as `exec` of ssh2 does. */
export const execIn = (
  client: Client,
  channel: SessionChannel,
  command: string,
  done: (error: Error | undefined, channel: ClientChannel) => void,
): void => {
  const inside: unknown = client;
  if (!isInside(inside)) {
    done(new Error('this session cannot be used'), channel);
    return;
  }
  channel._callbacks.push((failed) => {
    if (failed instanceof Error) done(failed, channel);
    else done(failed === true ? new Error('the command was refused') : undefined, channel);
  });
  inside._protocol.exec(channel.outgoing.id, command, true);
};

/** At most one open session of a connection that waits for the next look. */
export interface SpareSession {
  /** Opens one, unless one is there. */
  readonly prepare: () => void;
  /** The one that is there, if it can still be used; it is nobody else's then. */
  readonly take: () => Promise<SessionChannel | null>;
}

/** Keeps the spare session of `client`. */
export const spareSession = (client: Client): SpareSession => {
  let spare: Promise<SessionChannel | null> | null = null;
  return {
    prepare: () => {
      spare ??= openSession(client);
    },
    take: async () => {
      const taken = spare;
      spare = null;
      const channel = await taken;
      return channel !== null && isUsable(channel) ? channel : null;
    },
  };
};
