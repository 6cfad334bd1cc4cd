import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Log } from '../log.ts';
import { isPlainPath, SAFE_HEADERS } from './http-guard.ts';
import type { BoardConfig } from './settings.ts';

/** The board's page brings its own scripts and styles, and asks nobody else for anything. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Its menus and bars place themselves.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** So often somebody may be wrong in `WINDOW_MS`; then it is not looked at what they say until it is over. */
const MOST_WRONG = 10;
const WINDOW_MS = 60_000;
const MOST_PLACES = 10_000;

interface Wrong {
  count: number;
  readonly until: number;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether the request brings user and password. Takes as long for every wrong one. */
const knows = (request: IncomingMessage, { user, password }: BoardConfig): boolean => {
  const [scheme = '', given = ''] = (request.headers.authorization ?? '').split(' ');
  const said = scheme.toLowerCase() === 'basic' ? Buffer.from(given, 'base64').toString('utf8') : '';
  return timingSafeEqual(digest(said), digest(`${user}:${password}`));
};

/** Whom a request counts for: an address, or of IPv6 the network that one customer has. */
const placeOf = (request: IncomingMessage): string => {
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return address.includes(':') ? address.split(':').slice(0, 4).join(':') : address;
};

const refuse = (response: ServerResponse, status: number, text: string, more: Record<string, string> = {}): void => {
  // What else the request may bring is not waited for.
  response.writeHead(status, {
    ...SAFE_HEADERS,
    'content-type': 'text/plain; charset=utf-8',
    connection: 'close',
    ...more,
  });
  response.end(`${text}\n`);
};

/** No job of ours is part of a flow, and asked for one bull-board shows what a job said of its progress as it is. */
const FLOW = /^\/api\/queues\/[^/]+\/[^/]+\/flow$/;
const NO_FLOW = JSON.stringify({ nodeId: null, flowRoot: null, isFlowNode: false });

/**
 * Lets those see `show` who know the password, and lets nobody change anything. Who guesses is not listened to any more for a minute,
 * right or wrong, and the log says so. `now`: ms.
 */
export const boardGuard = (
  board: BoardConfig,
  show: RequestListener,
  log: Log,
  now: () => number = Date.now,
): RequestListener => {
  const wrongs = new Map<string, Wrong>();
  const wrongOf = (place: string): Wrong | undefined => {
    const found = wrongs.get(place);
    return found !== undefined && found.until > now() ? found : undefined;
  };
  const note = (place: string): void => {
    const wrong = wrongOf(place);
    if (wrongs.size >= MOST_PLACES && wrong === undefined) wrongs.clear();
    if (wrong === undefined) wrongs.set(place, { count: 1, until: now() + WINDOW_MS });
    else wrong.count += 1;
    if (wrong?.count === MOST_WRONG)
      log.warn(
        { address: place },
        'somebody tries passwords at the board; who asks from there is refused for a minute',
      );
  };
  return (request, response) => {
    response.on('error', () => undefined);
    const place = placeOf(request);
    const wrong = wrongOf(place);
    if (wrong !== undefined && wrong.count >= MOST_WRONG)
      return refuse(response, 429, 'Too many wrong passwords from your address. Try again in a minute.', {
        'retry-after': String(Math.ceil((wrong.until - now()) / 1000)),
      });
    if (!knows(request, board)) {
      // A browser asks once without one before it asks its user.
      if (request.headers.authorization !== undefined) note(place);
      return refuse(response, 401, 'User and password are needed.', {
        'www-authenticate': 'Basic realm="Straceback", charset="UTF-8"',
      });
    }
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(response, 405, 'The board only shows.', { allow: 'GET, HEAD' });
    const [path = ''] = (request.url ?? '').split('?');
    if (!isPlainPath(request.url)) return refuse(response, 404, 'There is no such page.');
    for (const [name, value] of Object.entries(SAFE_HEADERS)) if (value !== undefined) response.setHeader(name, value);
    response.setHeader('content-security-policy', PAGE_POLICY);
    if (FLOW.test(path)) {
      response.setHeader('content-type', 'application/json');
      response.end(NO_FLOW);
      return;
    }
    show(request, response);
  };
};
