import type { IncomingMessage } from 'node:http';

/**
 * Whether a request to the page's side may be answered: addressed to this server by its own name (a foreign name that
 * resolves to 127.0.0.1 is DNS rebinding), and sent by this page or typed by the person (another site's page may not act
 * in somebody's name). Returns why not, or undefined.
 */
export function whyNotFromPage(request: IncomingMessage, port: number): string | undefined {
  const names = [`127.0.0.1:${port}`, `localhost:${port}`];
  const { host = '', origin } = request.headers;
  if (!names.includes(host)) return `this server is not called ${host.slice(0, 100)}`;
  if (origin !== undefined && !names.some((name) => origin === `http://${name}`)) return 'another site may not ask';
  const site = request.headers['sec-fetch-site'];
  const isNavigation = request.headers['sec-fetch-mode'] === 'navigate' && request.method === 'GET';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation)
    return 'another site may not ask';
  // JSON cannot be sent across origins without asking first, a form can.
  const type = request.headers['content-type']?.split(';')[0];
  if (request.method === 'POST' && type !== 'application/json') return 'only JSON is taken';
  return undefined;
}

/** Headers that keep a page from loading or running anything that is not this server's. */
export const PAGE_HEADERS: Record<string, string> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** Headers for a file that somebody uploaded: shown as text or saved, never run. */
export const FILE_HEADERS: Record<string, string> = {
  ...PAGE_HEADERS,
  'content-security-policy': "sandbox; default-src 'none'",
};
