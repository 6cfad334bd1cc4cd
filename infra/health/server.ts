import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { BadConfig } from '../config.ts';
import { isForUs, MOST_CONNECTIONS, SAFE_HEADERS, SERVER_LIMITS } from './http-guard.ts';
import type { Readiness } from './readiness.ts';
import type { HealthSettings } from './settings.ts';

/** What is told to who asks. */
export interface HealthAnswers {
  readonly ready: () => Promise<Readiness>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface HealthServer {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const send = (response: ServerResponse, status: number, type: string, text: string): void => {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    ...SAFE_HEADERS,
    // What else the request may bring is not waited for.
    ...(status === 405 ? { connection: 'close' } : {}),
  });
  response.end(text);
};

const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';

const answer = async (request: IncomingMessage, response: ServerResponse, answers: HealthAnswers): Promise<void> => {
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, TEXT_TYPE, 'Only GET.\n');
  switch ((request.url ?? '').split('?')[0]) {
    case '/healthz':
      // That it is answered at all is the answer: the event loop turns.
      return send(response, 200, TEXT_TYPE, 'ok\n');
    case '/readyz': {
      const readiness = await answers.ready();
      return send(response, readiness.ready ? 200 : 503, JSON_TYPE, `${JSON.stringify(readiness, null, 2)}\n`);
    }
    case '/metrics': {
      const { contentType, text } = await answers.metrics();
      return send(response, 200, contentType, text);
    }
    default:
      return send(response, 404, TEXT_TYPE, 'There are /healthz, /readyz and /metrics.\n');
  }
};

/** Who asks while another one waits for the answer is given the same: however many ask, the parts are asked once at a time. */
const atOnce = <T>(ask: () => Promise<T>): (() => Promise<T>) => {
  let running: Promise<T> | null = null;
  return () => {
    running ??= ask().finally(() => {
      running = null;
    });
    return running;
  };
};

/** Listens for those who look after the program. Throws BadConfig for an address that is taken. */
export const startHealthServer = async (
  { port, address }: HealthSettings,
  answers: HealthAnswers,
): Promise<HealthServer> => {
  const server = createServer(SERVER_LIMITS);
  server.maxConnections = MOST_CONNECTIONS;
  const shared: HealthAnswers = { ready: atOnce(answers.ready), metrics: atOnce(answers.metrics) };
  server.on('request', (request, response) => {
    response.on('error', () => undefined);
    if (!isForUs(request, address)) return send(response, 421, TEXT_TYPE, 'Ask by the address, or as localhost.\n');
    void answer(request, response, shared).catch(() => {
      if (!response.headersSent) send(response, 500, TEXT_TYPE, 'That failed.\n');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new BadConfig([`Cannot listen for health checks at ${address}, port ${port}: ${error.message}`])),
    );
    server.listen({ port, host: address }, () => resolve());
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
};
