/** A server's address. */
export interface Node {
  readonly host: string;
  readonly port: number;
}

/** TLS to Redis; all of it PEM texts. Empty: the certificates that Node.js trusts. */
export interface RedisTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate is held against, where it is not the one that is connected to. */
  readonly servername?: string | undefined;
  /** The certificates and the key as they are now; left out where they do not change. */
  readonly again?: (() => { readonly ca?: string; readonly cert?: string; readonly key?: string }) | undefined;
  /** Sentinel: false where the sentinels themselves are reached without TLS. */
  readonly sentinels?: boolean | undefined;
}

/** Where Redis is and how it is reached. Holds passwords: keep it out of logs, and say `placeName` instead. */
export interface RedisPlace {
  readonly kind: 'standalone' | 'sentinel' | 'cluster';
  /** Standalone: the server. Sentinel: the sentinels. Cluster: some of its nodes. */
  readonly nodes: readonly Node[];
  /** Sentinel: what the master is called. */
  readonly master?: string | undefined;
  readonly db: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly sentinelUsername?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  /** Undefined: no TLS. */
  readonly tls?: RedisTls | undefined;
}

/** An address in a URL's form, or what the configuration made of it. */
export type RedisAddress = string | RedisPlace;

/** The address cannot be understood. `message` is a sentence for a person and holds no password. */
export class BadRedisUrl extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = 'BadRedisUrl';
  }
}

const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:(.*)@)?([^/?#@]*)(?:\/([^/?#]*))?(?:\/(\d+))?\/?$/s;
const NODE = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/i;
const PORTS = { standalone: 6379, sentinel: 26_379, cluster: 6379 } as const;

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BadRedisUrl('the user name or password in REDIS_URL is not percent-encoded properly');
  }
};

const nodesOf = (text: string, port: number): Node[] =>
  (text === '' ? '127.0.0.1' : text).split(',').map((each) => {
    const found = NODE.exec(each);
    const host = found?.[1] ?? found?.[2];
    const own = found?.[3] === undefined ? port : Number(found[3]);
    if (host === undefined || own < 1 || own > 65_535)
      throw new BadRedisUrl('an address in REDIS_URL is not HOST or HOST:PORT');
    return { host, port: own };
  });

const FORMS =
  'REDIS_URL is none of redis://HOST:PORT/DB, redis+sentinel://HOST:PORT,HOST:PORT/MASTER and redis+cluster://HOST:PORT,HOST:PORT (rediss… for TLS)';

/**
 * Reads an address: `redis://[user:password@]host[:port][/db]`, `redis+sentinel://[user:password@]host:port,host:port/master[/db]`,
 * `redis+cluster://[user:password@]host:port,host:port`; each with `rediss` for TLS. What is in a URL has to be
 * percent-encoded there. Throws BadRedisUrl.
 */
export const readRedisUrl = (url: string): RedisPlace => {
  const found = FORM.exec(url.trim());
  if (found === null) throw new BadRedisUrl(FORMS);
  const [, scheme, kindWord, credentials, hosts = '', first = '', second] = found;
  const kind = kindWord === 'sentinel' || kindWord === 'cluster' ? kindWord : 'standalone';
  const nodes = nodesOf(hosts, PORTS[kind]);
  const [user = '', ...password] = (credentials ?? '').split(':');
  const base = {
    kind,
    nodes,
    ...(user === '' ? {} : { username: decoded(user) }),
    ...(password.length === 0 ? {} : { password: decoded(password.join(':')) }),
    ...(scheme === 'rediss' ? { tls: {} } : {}),
  } as const;
  if (kind === 'sentinel') {
    if (first === '')
      throw new BadRedisUrl('REDIS_URL names sentinels but no master: redis+sentinel://HOST:PORT/MASTER');
    return { ...base, master: decoded(first), db: Number(second ?? 0) };
  }
  const db = first === '' ? 0 : Number(first);
  if (!Number.isInteger(db) || second !== undefined) throw new BadRedisUrl(FORMS);
  if (kind === 'cluster' && db !== 0) throw new BadRedisUrl('a Redis Cluster has only the database 0');
  if (kind === 'standalone' && nodes.length > 1)
    throw new BadRedisUrl('REDIS_URL names several servers: is it redis+sentinel:// or redis+cluster://?');
  return { ...base, db };
};

/** The place that an address means. Throws BadRedisUrl. */
export const placeOf = (address: RedisAddress): RedisPlace =>
  typeof address === 'string' ? readRedisUrl(address) : address;

const KINDS = { standalone: '', sentinel: ' (Sentinel)', cluster: ' (Cluster)' } as const;

/** Where it is in words, without any secret: `10.0.0.5:6379`, `10.0.0.5:26379, 10.0.0.6:26379 (Sentinel)`. */
export const placeName = ({ kind, nodes }: RedisPlace): string =>
  nodes.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)).join(', ') +
  KINDS[kind];
