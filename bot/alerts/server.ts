import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlertIntakeSettings } from '../../infra/alert-intake.ts';
import { BadConfig } from '../../infra/config.ts';
import type { Log } from '../../infra/log.ts';
import type { BotQueue } from '../../infra/queue/bot-side.ts';
import { QueueUnavailable } from '../../infra/queue/connection.ts';
import { visible } from '../../playbooks/reading/text.ts';
import { type BodyRoom, bodyRoom, MOST_BYTES } from './body.ts';
import { type ReadySource, refusedByHeaders, takeAlert } from './intake.ts';
import { readySources } from './ready.ts';
import { seldom } from './seldom.ts';
import type { AlertSource } from './source.ts';

export interface AlertServerOptions {
  readonly settings: AlertIntakeSettings;
  readonly sources: ReadonlyMap<string, AlertSource>;
  readonly queue: Pick<BotQueue, 'accept' | 'notes' | 'pending'>;
  readonly log: Log;
  /** The clock; another one in tests. */
  readonly now?: () => number;
  /** Smaller in tests. */
  readonly limits?: Partial<typeof LIMITS>;
}

export interface AlertServer {
  readonly port: number;
  /** Takes nothing new, lets what was taken end (bounded). Close the queue after it. */
  readonly close: () => Promise<void>;
}

const LIMITS = {
  /** Requests that are read or queued at one time; one more is told to come again. */
  inFlight: 256,
  /** Bytes of bodies held at one time. */
  bytes: 64 * 1024 * 1024,
  /** Messages that wait in the queue; with more, Redis would fill faster than bots can work. */
  backlog: 10_000,
  connections: 2_048,
  /** A request has to be whole by then, ms. */
  requestMs: 10_000,
  /** The queue has to have it by then, ms: some sources wait for a second only. */
  queueMs: 800,
  closeMs: 5_000,
};

/** How long the rest of a request that was refused is still thrown away, so that its sender can read why, ms. */
const LINGER_MS = 1_000;
const BACKLOG_FRESH_MS = 1_000;
const ADDRESS = /^\/alerts\/([a-z][a-z0-9-]{0,40})\/?(?:\?.*)?$/;

interface Answer {
  readonly status: number;
  readonly sentence: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = 'application/json; charset=utf-8';
const bodyOf = ({ status, sentence }: Answer): string =>
  `${JSON.stringify(status < 300 ? { ok: true, message: sentence } : { ok: false, error: sentence })}\n`;

const comeAgain = (status: 429 | 503, sentence: string, seconds: number): Answer => ({
  status,
  sentence,
  headers: { 'retry-after': String(seconds) },
});

/** What is wrong with a request before it is known who sends it. */
const refusedByForm = (request: IncomingMessage): Answer | null => {
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
const TOO_LARGE: Answer = { status: 413, sentence: `The body is larger than ${MOST_BYTES / 1024 / 1024} MiB.` };
const NOBODY: Answer = {
  status: 404,
  sentence: 'Nothing is here. Alerts go to /alerts/SOURCE, for a source that is set up.',
};
const FULL = comeAgain(429, 'Too many alerts at once; send it again.', 2);
const AWAY = comeAgain(503, 'The queue does not take it now; send it again.', 5);

/** Sends an answer. Of a request that was not read to its end, a little is still thrown away and then the connection is cut. */
const send = (request: IncomingMessage, response: ServerResponse, answer: Answer): void => {
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
const refuseConnection = (error: Error & { code?: string }, socket: Socket): void => {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const status = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }[error.code ?? ''] ?? 400;
  const text = bodyOf({ status, sentence: `${STATUS_CODES[status]}.` });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
    () => socket.destroy(),
  );
};

const within = async <T>(work: Promise<T>, ms: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new QueueUnavailable()), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * How much waited in the queue when it was last asked, which is at most once a second however many want to know; nobody waits
 * for it.
 */
const backlogOf = (queue: AlertServerOptions['queue']): (() => number) => {
  let waiting = 0;
  let askedAt = Number.NEGATIVE_INFINITY;
  const ask = async () => {
    askedAt = performance.now();
    try {
      waiting = (await queue.pending()).intake;
    } catch {
      // Redis is away: queueing will say so.
    }
  };
  return () => {
    if (performance.now() - askedAt > BACKLOG_FRESH_MS) void ask();
    return waiting;
  };
};

/**
 * Listens for alerts. A request is answered with 2xx only when its alerts are in the queue; otherwise with one sentence as JSON.
 * Memory is bounded: so many requests at a time, so many bytes of them, and no more once the queue has its fill. Throws
 * BadConfig for settings that cannot work and for an address that is taken.
 */
export const startAlertServer = async (options: AlertServerOptions): Promise<AlertServer> => {
  const { settings, queue, log, now = Date.now } = options;
  const limits = { ...LIMITS, ...options.limits };
  const ready = readySources(settings, options.sources);
  const room: BodyRoom = bodyRoom(limits.bytes);
  const backlog = backlogOf(queue);
  const say = seldom(log);
  let inFlight = 0;
  let closing = false;

  const take = async (source: ReadySource, request: IncomingMessage): Promise<Answer | null> => {
    if (backlog() >= limits.backlog) {
      return comeAgain(429, 'Too many alerts wait to be worked on; send it again.', 30);
    }
    const body = await room.read(request);
    if (body === 'gone') return null;
    if (body === 'too-large') return TOO_LARGE;
    if (body === 'no-room') return FULL;
    try {
      const call = { body, headers: request.headers, now: now() };
      const { groups, ...answer } = await within(takeAlert(source, call, queue), limits.queueMs);
      for (const group of groups) log.debug({ source: source.unit.source, group: visible(group) }, 'alert taken');
      return answer;
    } finally {
      room.free(body);
    }
  };

  const answerTo = async (request: IncomingMessage, source: ReadySource | undefined): Promise<Answer | null> => {
    if (source === undefined) return NOBODY;
    const refused = refusedByForm(request) ?? refusedByHeaders(source, { headers: request.headers, now: now() });
    if (refused !== null) return refused;
    if (closing) return comeAgain(503, 'This bot ends; send it again.', 1);
    if (inFlight >= limits.inFlight) return FULL;
    inFlight += 1;
    try {
      return await take(source, request);
    } catch (error) {
      if (!(error instanceof QueueUnavailable)) log.error({ error: String(error) }, 'an alert could not be taken');
      return AWAY;
    } finally {
      inFlight -= 1;
    }
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('error', () => undefined);
    const source = ready.get(ADDRESS.exec(request.url ?? '')?.[1] ?? '');
    const answer = await answerTo(request, source);
    if (answer === null) return void request.socket.destroy();
    if (answer.status >= 400) say(`${source?.unit.source ?? 'nobody'} ${answer.status}`);
    send(request, response, closing ? { ...answer, headers: { ...answer.headers, connection: 'close' } } : answer);
  };

  const server = createServer({
    headersTimeout: Math.min(5_000, limits.requestMs),
    requestTimeout: limits.requestMs,
    keepAliveTimeout: 30_000,
    connectionsCheckingInterval: 500,
    maxHeaderSize: 16 * 1024,
  });
  server.maxConnections = limits.connections;
  server.on('request', (request, response) => void handle(request, response));
  // A body that was announced is asked for only when it may come.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (refusedByForm(request) === null) response.writeContinue();
    void handle(request, response);
  });
  server.on('clientError', refuseConnection);
  await new Promise<void>((resolve, reject) => {
    const cannot = (error: Error) =>
      reject(new BadConfig([`Cannot listen for alerts at ${settings.host}, port ${settings.port}: ${error.message}`]));
    server.once('error', cannot).listen({ port: settings.port, host: settings.host }, () => {
      server
        .off('error', cannot)
        .on('error', (error) => log.error({ error: error.message }, 'the server for alerts failed'));
      resolve();
    });
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : settings.port;
  log.info({ host: settings.host, port, sources: [...ready.keys()] }, 'listening for alerts');
  return {
    port,
    close: async () => {
      closing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const late = new AbortController();
      await Promise.race([closed, sleep(limits.closeMs, undefined, { signal: late.signal }).catch(() => undefined)]);
      late.abort();
      server.closeAllConnections();
      await closed;
    },
  };
};
