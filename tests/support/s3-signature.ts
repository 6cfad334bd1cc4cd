import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import aws4 from 'aws4';

/** Who may ask, and what of. */
export interface S3Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Why a request is refused: an error code of S3 with its HTTP status. */
export interface Refused {
  readonly status: number;
  readonly code: string;
  readonly more?: string;
}

const SKEW_MS = 15 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

const timeOf = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/**
 * Holds a request against Signature Version 4 ("Authenticating Requests: Using the Authorization Header", Amazon S3 API Reference)
 * with the signer of another author than the client's. Null when it is right.
 */
export const signatureFault = (
  request: IncomingMessage,
  body: Uint8Array,
  { keys, region, now }: { keys: readonly S3Key[]; region: string; now: number },
): Refused | null => {
  const { authorization = '', host = '' } = request.headers;
  if (authorization === '') return { status: 403, code: 'AccessDenied' };
  const [, id = '', day = '', where = '', signed = '', signature = ''] = AUTHORIZATION.exec(authorization) ?? [];
  if (signature === '') return { status: 400, code: 'AuthorizationHeaderMalformed' };
  const key = keys.find(({ accessKeyId }) => accessKeyId === id);
  if (key === undefined) return { status: 403, code: 'InvalidAccessKeyId' };
  if (where !== region)
    return { status: 400, code: 'AuthorizationHeaderMalformed', more: `<Region>${region}</Region>` };
  const date = String(request.headers['x-amz-date'] ?? '');
  if (!date.startsWith(day) || !(Math.abs(timeOf(date) - now) <= SKEW_MS))
    return {
      status: 403,
      code: 'RequestTimeTooSkewed',
      more: `<ServerTime>${new Date(now).toISOString()}</ServerTime>`,
    };
  const names = signed.split(';');
  const must = ['host', ...Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))];
  if (must.some((name) => !names.includes(name))) return { status: 403, code: 'AccessDenied' };
  if ((request.headers['x-amz-security-token'] ?? '') !== (key.sessionToken ?? ''))
    return { status: 400, code: 'InvalidToken' };
  const sum = createHash('sha256').update(body).digest('hex');
  // Without the sum of the body in the signature anybody on the way could put another one there.
  if (request.headers['x-amz-content-sha256'] !== sum) return { status: 400, code: 'XAmzContentSHA256Mismatch' };
  const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name] ?? '')]));
  const again = aws4.sign(
    { service: 's3', region, method: request.method ?? 'GET', path: request.url ?? '/', host, headers },
    { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey },
  );
  const expected = /Signature=([0-9a-f]{64})/.exec(String(again.headers?.Authorization))?.[1] ?? '';
  const same = expected.length === signature.length && timingSafeEqual(Buffer.from(expected), Buffer.from(signature));
  return same ? null : { status: 403, code: 'SignatureDoesNotMatch' };
};
