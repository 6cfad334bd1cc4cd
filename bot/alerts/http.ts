import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { MOST_BYTES } from './body.ts';

/** How long the rest of a request that was refused is still thrown away, so that its sender can read why, ms. */
const LINGER_MS = 1_000;

/** What a sender is told; `sentence` goes out as JSON. */
export interface Answer {
  readonly status: number;
  readonly sentence: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = 'application/json; charset=utf-8';
const bodyOf = ({ status, sentence }: Answer): string =>
  `${JSON.stringify(status < 300 ? { ok: true, message: sentence } : { ok: false, error: sentence })}\n`;

/**
 * An answer after which sources try again; `seconds`: not before. Never 429: Alertmanager takes that for a refusal and gives the
 * notification up (Retrier.Check in its notify/util.go tries again after 5xx alone, whatever Retry-After says).
 */
export const comeAgain = (sentence: string, seconds: number): Answer => ({
  status: 503,
  sentence,
  headers: { 'retry-after': String(seconds) },
});

/** Answers that say the same to everybody. */
export const TOO_LARGE: Answer = { status: 413, sentence: `The body is larger than ${MOST_BYTES / 1024 / 1024} MiB.` };
export const NOBODY: Answer = {
  status: 404,
  sentence: 'Nothing is here. Alerts go to /alerts/SOURCE, for a source that is set up.',
};
export const FULL = comeAgain('Too many alerts at once; send it again.', 2);
export const AWAY = comeAgain('The queue does not take it now; send it again.', 5);
export const WAITING = comeAgain('Too many alerts wait to be worked on; send it again.', 30);

/** What is wrong with a request before it is known who sends it. */
export const refusedByForm = (request: IncomingMessage): Answer | null => {
  const { headers } = request;
  if (request.method !== 'POST') {
    return { status: 405, sentence: 'Alerts are sent with POST.', headers: { allow: 'POST' } };
  }
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding !== 'identity') return { status: 415, sentence: 'The body must not be compressed (Content-Encoding).' };
  if (!/^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(headers['content-type'] ?? '')) {
    return { status: 415, sentence: 'Content-Type has to be application/json, in UTF-8.' };
  }
  return Number(headers['content-length'] ?? 0) > MOST_BYTES ? TOO_LARGE : null;
};

/** Sends an answer. Of a request that was not read to its end, a little is still thrown away and then the connection is cut. */
export const send = (request: IncomingMessage, response: ServerResponse, answer: Answer): void => {
  if (response.headersSent || response.destroyed) return;
  const text = bodyOf(answer);
  response.writeHead(answer.status, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(text),
    ...(answer.status === 401 ? { 'www-authenticate': 'Bearer, Basic realm="alerts"' } : {}),
    ...answer.headers,
  });
  response.end(text);
  if (request.complete) return;
  const cutOff = setTimeout(() => request.socket.destroy(), LINGER_MS);
  request.once('end', () => clearTimeout(cutOff));
  request.once('close', () => clearTimeout(cutOff));
  request.on('error', () => undefined);
  request.resume();
};

/** What cannot be read as HTTP, or did not come in time: said on the bare connection. */
export const refuseConnection = (error: Error & { code?: string }, socket: Socket): void => {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const status = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }[error.code ?? ''] ?? 400;
  const text = bodyOf({ status, sentence: `${STATUS_CODES[status]}.` });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
    () => socket.destroy(),
  );
};
