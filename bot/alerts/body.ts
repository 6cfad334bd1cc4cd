import type { IncomingMessage } from 'node:http';

/** Most bytes of one request. PagerDuty's largest is 256 KiB; Alertmanager's grow with the group (`max_alerts`). */
export const MOST_BYTES = 1024 * 1024;

/** Bytes of bodies that are held at one time, of all requests together. */
export interface BodyRoom {
  /** The whole body; or why it was not read: larger than allowed, no room left, or the sender has gone. */
  readonly read: (request: IncomingMessage) => Promise<Uint8Array | 'too-large' | 'no-room' | 'gone'>;
  /** Gives back what a body took. */
  readonly free: (body: Uint8Array) => void;
}

/** Room for `mostHeld` bytes. */
export const bodyRoom = (mostHeld: number): BodyRoom => {
  let held = 0;
  return {
    read: (request) =>
      new Promise((resolve) => {
        const pieces: Buffer[] = [];
        let size = 0;
        const end = (result: Uint8Array | 'too-large' | 'no-room' | 'gone') => {
          request.off('data', take).off('end', whole).off('close', gone).off('error', gone);
          if (typeof result === 'string') held -= size;
          resolve(result);
        };
        const take = (piece: Buffer) => {
          if (size + piece.length > MOST_BYTES) return end('too-large');
          if (held + piece.length > mostHeld) return end('no-room');
          size += piece.length;
          held += piece.length;
          pieces.push(piece);
        };
        const whole = () => end(Buffer.concat(pieces, size));
        const gone = () => end('gone');
        request.on('data', take).once('end', whole).once('close', gone).on('error', gone);
      }),
    free: (body) => {
      held -= body.length;
    },
  };
};
