import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlertIntakeSettings } from '../../infra/alert-intake.ts';
import { BadConfig } from '../../infra/config.ts';
import type { Log } from '../../infra/log.ts';
import { type Counts, noCounts } from '../../infra/metrics/counts.ts';
import type { BotQueue } from '../../infra/queue/bot-side.ts';
import { QueueUnavailable } from '../../infra/queue/connection.ts';
import { NO_SITE_RULES, type SiteRules } from '../../infra/redact/redactor.ts';
import { scanForSecrets } from '../../infra/redact/scan.ts';
import { visible } from '../../playbooks/reading/text.ts';
import { type BodyRoom, bodyRoom } from './body.ts';
import {
  type Answer,
  AWAY,
  comeAgain,
  FULL,
  NOBODY,
  refuseConnection,
  refusedByForm,
  send,
  TOO_LARGE,
  WAITING,
} from './http.ts';
import { type ReadySource, refusedByHeaders, takeAlert } from './intake.ts';
import type { Notice } from './notice.ts';
import { readySources } from './ready.ts';
import { seldom } from './seldom.ts';
import type { AlertSource } from './source.ts';
import { withoutSecrets } from './without-secrets.ts';

export interface AlertServerOptions {
  readonly settings: AlertIntakeSettings;
  readonly sources: ReadonlyMap<string, AlertSource>;
  readonly queue: Pick<BotQueue, 'accept' | 'notes' | 'pending'>;
  readonly log: Log;
  /** What is counted; nothing when absent. */
  readonly counts?: Pick<Counts, 'alert'>;
  /** What the site knows to be secret. */
  readonly redaction?: SiteRules;
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

const BACKLOG_FRESH_MS = 1_000;
const ADDRESS = /^\/alerts\/([a-z][a-z0-9-]{0,40})\/?(?:\?.*)?$/;

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

/** What a request of a source counts as. */
const endOf = (status: number): string => {
  if (status < 300) return 'taken';
  if (status === 401 || status === 403) return 'not-proven';
  if (status >= 500) return 'put-off';
  return 'refused';
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
  const { settings, queue, log, counts = noCounts, now = Date.now } = options;
  const limits = { ...LIMITS, ...options.limits };
  const ready = readySources(settings, options.sources);
  const room: BodyRoom = bodyRoom(limits.bytes);
  const backlog = backlogOf(queue);
  const say = seldom(log);
  let inFlight = 0;
  const cleaned = (notice: Notice) =>
    withoutSecrets(notice, options.redaction ?? NO_SITE_RULES, (why) =>
      log.error(
        { error: String(why), source: notice.source },
        'an alert could not be checked for secrets: its words are withheld',
      ),
    );
  // Loads the rules, so that the first alert need not wait for them; when that fails, each alert says so.
  await scanForSecrets([]).catch(() => undefined);
  let closing = false;

  const read = async (request: IncomingMessage): Promise<Uint8Array | Answer | null> => {
    const body = await room.read(request);
    if (body === 'gone') return null;
    if (body === 'too-large') return TOO_LARGE;
    return body === 'no-room' ? FULL : body;
  };

  /** Gives its place back when the work has ended, not when its sender is told that it takes too long. */
  const take = async (source: ReadySource, body: Uint8Array, headers: IncomingMessage['headers']): Promise<Answer> => {
    try {
      const { groups, ...answer } = await takeAlert(source, { body, headers, now: now() }, queue, cleaned);
      for (const group of groups) log.debug({ source: source.unit.source, group: visible(group) }, 'alert taken');
      return answer;
    } finally {
      room.free(body);
      inFlight -= 1;
    }
  };

  const answerTo = async (request: IncomingMessage, source: ReadySource | undefined): Promise<Answer | null> => {
    if (source === undefined) return NOBODY;
    const refused = refusedByForm(request) ?? refusedByHeaders(source, { headers: request.headers, now: now() });
    if (refused !== null) return refused;
    if (closing) return comeAgain('This bot ends; send it again.', 1);
    if (backlog() >= limits.backlog) return WAITING;
    if (inFlight >= limits.inFlight) return FULL;
    inFlight += 1;
    const body = await read(request);
    if (!(body instanceof Uint8Array)) {
      inFlight -= 1;
      return body;
    }
    try {
      return await within(take(source, body, request.headers), limits.queueMs);
    } catch (error) {
      if (!(error instanceof QueueUnavailable)) log.error({ error: String(error) }, 'an alert could not be taken');
      return AWAY;
    }
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('error', () => undefined);
    const source = ready.get(ADDRESS.exec(request.url ?? '')?.[1] ?? '');
    const answer = await answerTo(request, source);
    counts.alert(source?.unit.source ?? 'unknown', answer === null ? 'cut-off' : endOf(answer.status));
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
