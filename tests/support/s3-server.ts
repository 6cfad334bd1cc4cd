import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { type Refused, type S3Key, signatureFault } from './s3-signature.ts';

export interface S3Object {
  bytes: Buffer;
  type: string;
  /** ms since 1970. */
  at: number;
}

export type S3Operation = 'put' | 'get' | 'delete' | 'list';

/** What goes wrong with a request. */
export type S3Fault =
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string; readonly more?: string }
  /** No answer at all. */
  | { readonly kind: 'hang' }
  /** The connection ends before the answer. */
  | { readonly kind: 'reset' }
  /** It ends in the middle of the object. */
  | { readonly kind: 'cut' }
  /** Another answer, as it stands. */
  | { readonly kind: 'body'; readonly status: number; readonly body: Buffer }
  /** An answer that never ends. */
  | { readonly kind: 'endless'; readonly status: number };

export interface S3Request {
  readonly operation: S3Operation;
  readonly key: string;
  readonly style: 'path' | 'host';
  readonly headers: IncomingMessage['headers'];
}

export interface S3Server {
  readonly endpoint: string;
  readonly port: number;
  readonly key: S3Key;
  readonly bucket: string;
  readonly region: string;
  readonly objects: Map<string, S3Object>;
  /** All that were answered or not, in their order. */
  readonly requests: readonly S3Request[];
  /** Says what goes wrong with each request from now on; nothing for null. */
  fault: ((request: S3Request, nth: number) => S3Fault | null) | null;
  /** What the key may do; all without it. */
  allowed: ReadonlySet<S3Operation>;
  /** The server's clock less ours, ms. */
  clockOff: number;
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
}

export interface S3ServerOptions {
  readonly key?: S3Key;
  readonly bucket?: string;
  readonly region?: string;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Amazon's example keys, which are known to everybody. */
const EXAMPLE: S3Key = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

const xml = (text: string): string => text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`);

const sendXml = (response: ServerResponse, status: number, body: string): void => {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n${body}`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(text) });
  response.end(text);
};

const sendError = (response: ServerResponse, { status, code, more = '' }: Refused): void =>
  sendXml(
    response,
    status,
    `<Error><Code>${code}</Code><Message>${code}</Message>${more}<RequestId>1</RequestId></Error>`,
  );

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

/** ListObjectsV2, with pages. */
const listing = (server: S3Server, query: URLSearchParams): string => {
  const prefix = query.get('prefix') ?? '';
  const most = Math.min(Number(query.get('max-keys') ?? 1_000), 1_000);
  const after = query.get('start-after') ?? '';
  const names = [...server.objects.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
  const page = names.slice(0, most).map((name) => {
    const { bytes, at } = server.objects.get(name) ?? { bytes: Buffer.alloc(0), at: 0 };
    const time = new Date(at).toISOString();
    return `<Contents><Key>${xml(name)}</Key><LastModified>${time}</LastModified><Size>${bytes.byteLength}</Size></Contents>`;
  });
  const truncated = names.length > page.length;
  return `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${server.bucket}</Name><Prefix>${xml(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><MaxKeys>${most}</MaxKeys><IsTruncated>${truncated}</IsTruncated>${page.join('')}</ListBucketResult>`;
};

const operationOf = (method: string, query: URLSearchParams): S3Operation | null => {
  if (method === 'PUT') return 'put';
  if (method === 'DELETE') return 'delete';
  if (method === 'GET') return query.get('list-type') === '2' ? 'list' : 'get';
  return null;
};

const answer = (
  server: S3Server,
  operation: S3Operation,
  key: string,
  body: Buffer,
  asked: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): void => {
  switch (operation) {
    case 'list':
      sendXml(response, 200, listing(server, query));
      return;
    case 'put': {
      const at = Math.floor((Date.now() + server.clockOff) / 1000) * 1000;
      server.objects.set(key, { bytes: body, type: asked.headers['content-type'] ?? '', at });
      response.writeHead(200, { etag: `"${createHash('md5').update(body).digest('hex')}"` }).end();
      return;
    }
    case 'delete':
      server.objects.delete(key);
      response.writeHead(204).end();
      return;
    case 'get': {
      const found = server.objects.get(key);
      if (found === undefined) {
        sendError(response, { status: 404, code: 'NoSuchKey' });
        return;
      }
      response.writeHead(200, { 'content-type': found.type, 'content-length': found.bytes.byteLength });
      response.end(found.bytes);
    }
  }
};

const goWrong = (server: S3Server, fault: S3Fault, key: string, response: ServerResponse): void => {
  const socket = response.socket;
  switch (fault.kind) {
    case 'refuse':
      sendError(response, fault);
      return;
    case 'hang':
      return;
    case 'reset':
      socket?.resetAndDestroy();
      return;
    case 'cut': {
      const bytes = server.objects.get(key)?.bytes ?? Buffer.from('cut');
      response.writeHead(200, { 'content-length': bytes.byteLength + 1 });
      response.write(bytes, () => socket?.destroy());
      return;
    }
    case 'body':
      response.writeHead(fault.status, { 'content-type': 'application/xml', 'content-length': fault.body.byteLength });
      response.end(fault.body);
      return;
    case 'endless': {
      response.writeHead(fault.status, { 'content-type': 'application/xml' });
      const chunk = Buffer.alloc(64 * 1024, '<a>');
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    }
  }
};

/**
 * A server of S3's protocol on loopback, for one test: the four requests that are made of it, both styles of address, signatures
 * checked strictly, errors as Amazon's documentation has them ("Error responses"). It forgets nothing when it is stopped.
 */
export const s3ForTest = async (options: S3ServerOptions = {}): Promise<S3Server> => {
  const { key = EXAMPLE, bucket = 'evidence', region = 'eu-central-1', tls } = options;
  const requests: S3Request[] = [];
  const listener: RequestListener = (asked, response) => {
    response.on('error', () => undefined);
    void take(asked, response).catch(() => response.destroy());
  };
  const web = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const sockets = new Set<Socket>();
  web.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  });
  const listen = (port: number) => new Promise<void>((resolve) => web.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = web.address() as AddressInfo;
  const stop = async () => {
    const closed = new Promise((resolve) => web.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };

  const server: S3Server = {
    endpoint: `${tls === undefined ? 'http' : 'https'}://localhost:${port}`,
    port,
    key,
    bucket,
    region,
    objects: new Map(),
    requests,
    fault: null,
    allowed: new Set<S3Operation>(['put', 'get', 'delete', 'list']),
    clockOff: 0,
    stop,
    start: () => listen(port),
  };

  const take = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(asked);
    const url = new URL(asked.url ?? '/', 'http://any');
    const host = (asked.headers.host ?? '').split(':')[0] ?? '';
    const style = host.endsWith('.localhost') ? 'host' : 'path';
    const [, first = '', ...rest] = decodeURIComponent(url.pathname).split('/');
    const wanted = style === 'host' ? host.slice(0, -'.localhost'.length) : first;
    const name = style === 'host' ? [first, ...rest].join('/') : rest.join('/');
    const operation = operationOf(asked.method ?? '', url.searchParams);
    if (operation === null) return sendError(response, { status: 405, code: 'MethodNotAllowed' });
    const request: S3Request = { operation, key: name, style, headers: asked.headers };
    requests.push(request);
    const fault = server.fault?.(request, requests.length) ?? null;
    if (fault !== null) return goWrong(server, fault, name, response);
    const refused = signatureFault(asked, body, { keys: [key], region, now: Date.now() + server.clockOff });
    response.setHeader('date', new Date(Date.now() + server.clockOff).toUTCString());
    if (refused !== null) return sendError(response, refused);
    if (wanted !== bucket) return sendError(response, { status: 404, code: 'NoSuchBucket' });
    if (!server.allowed.has(operation)) return sendError(response, { status: 403, code: 'AccessDenied' });
    answer(server, operation, name, body, asked, response, url.searchParams);
  };

  onTestFinished(async () => {
    if (web.listening) await stop();
  });
  return server;
};
