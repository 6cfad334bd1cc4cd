import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';

/** A TCP proxy on 127.0.0.1 that stands for a long way. */
export interface DelayingProxy {
  readonly port: number;
  /** Bytes that went through it, from whoever dialled and back. */
  readonly bytes: () => { readonly there: number; readonly back: number };
  readonly close: () => Promise<void>;
}

/** Hands pieces on in their order, each `ms` after it came and none before `notBefore` (performance.now()). */
const handOn = (from: Socket, to: Socket, ms: number, notBefore: number, count: (bytes: number) => void): void => {
  const at = (act: () => void) => {
    const due = Math.max(performance.now() + ms, notBefore);
    setTimeout(act, due - performance.now());
  };
  from.on('data', (piece) => {
    count(piece.length);
    at(() => void (to.writable && to.write(piece)));
  });
  from.on('end', () => at(() => to.end()));
  from.on('close', () => at(() => to.destroy()));
};

/**
 * Starts a proxy to `port` of 127.0.0.1 over which a round trip takes `roundTripMs` longer. The handshake of TCP is the
 * kernel's and is done at once; so what comes after it is held back by as long as the handshake would have taken: the far
 * side hears of the connection after one and a half round trips. No bandwidth is limited.
 */
export const startDelayingProxy = async (port: number, roundTripMs: number): Promise<DelayingProxy> => {
  const open = new Set<Socket>();
  const bytes = { there: 0, back: 0 };
  const server = createServer({ noDelay: true }, (near) => {
    const accepted = performance.now() + 1.5 * roundTripMs;
    open.add(near);
    const far = dial({ port, host: '127.0.0.1', noDelay: true, autoSelectFamily: false });
    open.add(far);
    for (const socket of [near, far]) socket.on('error', () => {}).once('close', () => open.delete(socket));
    handOn(near, far, roundTripMs / 2, accepted, (more) => {
      bytes.there += more;
    });
    handOn(far, near, roundTripMs / 2, accepted + roundTripMs / 2, (more) => {
      bytes.back += more;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return {
    port: address.port,
    bytes: () => ({ ...bytes }),
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
};
