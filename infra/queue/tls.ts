import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import type { RedisTls } from './place.ts';

/**
 * What a client connects with. ioredis copies it at each attempt (`Object.assign`, its connectors), and so takes the certificates
 * as they are by then.
 */
export const tlsOptions = ({ ca, cert, key, servername, again }: RedisTls): ConnectionOptions => {
  const fixed: ConnectionOptions = servername === undefined ? {} : { servername };
  if (again === undefined) {
    for (const [name, text] of Object.entries({ ca, cert, key }))
      if (text !== undefined) Object.assign(fixed, { [name]: text });
    return fixed;
  }
  for (const name of ['ca', 'cert', 'key'] as const)
    Object.defineProperty(fixed, name, { enumerable: true, get: () => again()[name] });
  return fixed;
};

const OURS_EXPIRED =
  'our client certificate has expired; renew the files in redis.tls.cert and key, they are read again';

/** Words of OpenSSL and Node.js, or their codes, and what they mean to a person. The first that is found counts. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/alert certificate expired|CERTIFICATE_EXPIRED/, OURS_EXPIRED],
  [
    /certificate has expired|CERT_HAS_EXPIRED/,
    'its certificate, or that of its authority, has expired; renew it, or set the clock of this machine',
  ],
  [/not yet valid|CERT_NOT_YET_VALID/, 'its certificate is not valid yet; set the clocks of both machines (NTP)'],
  [
    /does not match certificate's altnames|ALTNAME_INVALID/,
    'its certificate is for another name; give that name in redis.tls.serverName, or the address in the certificate',
  ],
  [
    /self[- ]signed certificate|unable to (?:get (?:local )?issuer|verify the first)|UNABLE_TO_(?:GET_ISSUER|VERIFY)|SELF_SIGNED/,
    'its certificate is by an authority that is not trusted here; give the file of that authority in redis.tls.ca',
  ],
  [
    /alert (?:certificate required|handshake failure)|CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/,
    'it wants a certificate of this client; give one in redis.tls.cert and key',
  ],
  [
    /alert (?:unknown ca|bad certificate|unsupported certificate|certificate (?:revoked|unknown))|ALERT_UNKNOWN_CA|BAD_CERTIFICATE/,
    'it does not accept our client certificate; give one by an authority that it knows in redis.tls.cert and key',
  ],
  [
    /wrong version number|packet length too long|WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/,
    'it does not speak TLS there; give the port on which it does, or leave TLS out',
  ],
  [/No such master/, 'the sentinels know no master of the name at the end of REDIS_URL'],
  [/WRONGPASS|NOAUTH|invalid (?:username-)?password/i, 'it does not take our user name or password'],
];

const wordsOf = (error: unknown): string => {
  if (!(error instanceof Error)) return '';
  const [code, node] = [
    'code' in error ? String(error.code) : '',
    'lastNodeError' in error ? error.lastNodeError : null,
  ];
  return `${error.message} ${code} ${wordsOf(node)} ${wordsOf(error.cause)}`.trim();
};

/** Since TLS 1.3 a server judges our certificate after we think that all is well, and then often just ends the connection. */
const ended = (tls: RedisTls): string => {
  const cert = tls.again?.().cert ?? tls.cert;
  if (cert === undefined)
    return 'it ended the connection; see whether it wants a client certificate in redis.tls.cert and key';
  try {
    if (new Date(new X509Certificate(cert).validTo).getTime() < Date.now()) return OURS_EXPIRED;
  } catch {
    // Not for us to judge.
  }
  return 'it ended the connection; see whether it accepts the client certificate in redis.tls.cert and key';
};

/** What a connection's error says, in a clause for a person with the words of the error behind it. `tls`: how it was made. */
export const troubleOf = (error: unknown, tls?: RedisTls): string => {
  const words = wordsOf(error);
  let meaning = MEANINGS.find(([pattern]) => pattern.test(words))?.[1];
  if (tls !== undefined && /ECONNRESET|EPIPE/.test(words)) meaning ??= ended(tls);
  if (tls !== undefined && /ETIMEDOUT/.test(words))
    meaning ??= 'nothing answers by TLS there; see that it is the port for TLS';
  const text = error instanceof Error ? error.message : '';
  // OpenSSL's own form is a line of places in its source.
  const said = /SSL routines:[^:]*:([^:\n]+)/.exec(text)?.[1] ?? text.trim().split('\n')[0] ?? '';
  return meaning === undefined ? said : `${meaning}: ${said}`;
};
