import { addAbortSignal, PassThrough, Readable } from 'node:stream';

/** What came is held against `most` bytes on the way: a server of someone else's may send without end. The stream fails with more, and when `signal` is aborted. */
export const bounded = (body: Readable, most: number, signal: AbortSignal | undefined): Readable => {
  let seen = 0;
  const passing = new PassThrough();
  body.on('data', (chunk: Uint8Array) => {
    seen += chunk.byteLength;
    if (seen <= most) return;
    passing.destroy(new Error(`more than ${most} bytes`));
    body.destroy();
  });
  body.on('error', (error) => passing.destroy(error));
  body.on('aborted', () => passing.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })));
  if (signal !== undefined) addAbortSignal(signal, passing).on('error', () => body.destroy());
  return body.pipe(passing);
};

/** Reads an object to its end or one byte more than `most`. Throws what cuts it off. */
export const collected = async (body: unknown, most: number, signal: AbortSignal): Promise<Uint8Array> => {
  if (!(body instanceof Readable)) throw new Error('an answer without a body');
  const stream = addAbortSignal(signal, body);
  const chunks: Uint8Array[] = [];
  let room = most + 1;
  for await (const chunk of stream) {
    const bytes = (chunk as Uint8Array).subarray(0, room);
    chunks.push(bytes);
    room -= bytes.byteLength;
    if (room === 0) break;
  }
  return Buffer.concat(chunks);
};

/** Whether an error says that a connection ended in the middle of an answer. */
export const isCutOff = (error: unknown): boolean =>
  error instanceof Error &&
  /ECONNRESET|aborted|socket hang up|premature/i.test(`${'code' in error ? error.code : ''} ${error.message}`);
