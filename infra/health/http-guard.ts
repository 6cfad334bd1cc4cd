import type { IncomingMessage, OutgoingHttpHeaders, ServerOptions } from 'node:http';

/** Limits of servers that only those shall reach who look after the program, and that others may reach all the same. */
export const SERVER_LIMITS: ServerOptions = {
  // A request that comes byte by byte holds one of few connections.
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
};
export const MOST_CONNECTIONS = 64;

/** What every answer carries: nothing is kept, framed, guessed at or given to other sites. */
export const SAFE_HEADERS: OutgoingHttpHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/**
 * Whether the path is one that means the same to whoever reads it: a slash first, no empty or dotted steps, no slashes in disguise,
 * nothing that cannot be decoded.
 */
export const isPlainPath = (url: string | undefined): boolean => {
  const [path = ''] = (url ?? '').split('?');
  if (!/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$/.test(path) || /\/\/|%(?:2f|5c|00)/i.test(path)) return false;
  try {
    return !decodeURIComponent(path)
      .split('/')
      .some((step) => step === '.' || step === '..');
  } catch {
    return false;
  }
};

const isLoopback = (address: string): boolean => /^(?:127\.|::1$|localhost$)/.test(address);

/**
 * Whether the request may be meant for a server that listens at `address`. One on the loopback interface is asked by its address or as
 * localhost; a name with a dot there is a page's own, which it has had resolved to this machine (DNS rebinding).
 */
export const isForUs = (request: IncomingMessage, address: string): boolean => {
  if (!isLoopback(address)) return true;
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/\.$/, '');
  return /^\d+(?:\.\d+){3}$/.test(host) || !host.includes('.');
};
