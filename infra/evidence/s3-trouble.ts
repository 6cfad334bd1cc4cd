import type { S3Place } from './far-store.ts';

/** What codes of S3 mean (Amazon S3 API Reference, "Error responses") and what to do, in a clause for a person. */
const CODES: readonly (readonly [RegExp, (place: S3Place) => string])[] = [
  [/^NoSuchBucket$/, ({ bucket }) => `there is no bucket ${bucket} there`],
  [/^InvalidAccessKeyId$/, () => 'it does not know the key of AWS_ACCESS_KEY_ID'],
  [/^SignatureDoesNotMatch$/, () => 'AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID'],
  [/^(?:ExpiredToken|TokenRefreshRequired)$/, () => 'the token of AWS_SESSION_TOKEN has expired'],
  [/^Invalid(?:Token|ClientTokenId)$/, () => 'it does not take the token of AWS_SESSION_TOKEN'],
  [
    /^(?:AccessDenied|AllAccessDisabled|AccountProblem)$/,
    ({ bucket, prefix }) =>
      `it does not allow it; the key needs s3:PutObject, s3:GetObject and s3:DeleteObject on ${bucket}/${prefix}* and s3:ListBucket on ${bucket}`,
  ],
  [/^RequestTimeTooSkewed$/, () => 'the clock of this machine is too far from its own; see that NTP runs'],
  [
    /^(?:PermanentRedirect|TemporaryRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException)$/,
    ({ bucket, region }) => `the bucket ${bucket} is not in the region ${region}; give its own in evidence.s3.region`,
  ],
  [
    /^(?:SlowDown|ServiceUnavailable|Throttling|ThrottlingException|TooManyRequests|RequestLimitExceeded)$/,
    () => 'it is asked for too much at the moment',
  ],
  [/^(?:InternalError|InternalServerError)$/, () => 'it has an error of its own'],
  [
    /^(?:RequestTimeout|IncompleteBody|BadDigest|XAmzContentSHA256Mismatch)$/,
    () => 'what was sent did not arrive whole',
  ],
  [/^(?:EntityTooLarge|QuotaExceeded|XMinioStorageFull|InsufficientStorage)$/, () => 'it has no room for it'],
  [/^CredentialsProviderError$/, () => 'this machine has no role that gives keys (evidence.s3.credentials: role)'],
];

const CONNECTING: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN/, 'nothing answers there'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name cannot be resolved'],
  [/ETIMEDOUT|TimeoutError|AbortError|too long|ESOCKETTIMEDOUT/, 'it did not answer in time'],
  [
    /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|CERT_UNTRUSTED/,
    'its certificate is by an authority that is not known here; give that in evidence.s3.ca',
  ],
  [/CERT_HAS_EXPIRED/, 'its certificate has expired'],
  [/CERT_NOT_YET_VALID/, 'its certificate is not valid yet; see that this machine’s clock is right'],
  [/ERR_TLS_CERT_ALTNAME_INVALID/, 'its certificate is for another name than that of evidence.s3.endpoint'],
  [
    /EPROTO|WRONG_VERSION_NUMBER|Parse Error|HPE_/,
    'it does not speak there as evidence.s3.endpoint says (http or https)',
  ],
  [/ECONNRESET|EPIPE|aborted|socket hang up|premature/i, 'it ended the connection in the middle'],
  [/more than .* bytes/, 'it answered with more than belongs there'],
];

const CODE = /^[A-Za-z][A-Za-z0-9]{1,60}$/;

const wordsOf = (error: unknown, depth = 0): string => {
  if (!(error instanceof Error) || depth > 3) return '';
  const code = 'code' in error ? String(error.code) : '';
  return `${error.name} ${code} ${error.message} ${wordsOf(error.cause, depth + 1)}`;
};

const statusOf = (error: unknown): number => {
  if (!(error instanceof Error) || !('$metadata' in error)) return 0;
  const { $metadata: metadata } = error;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return 0;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : 0;
};

/** Where the store is, for people. */
export const placeText = ({ bucket, endpoint, region }: S3Place): string =>
  `the bucket ${bucket} ${endpoint === undefined ? `of Amazon S3 in ${region}` : `at ${URL.canParse(endpoint) ? new URL(endpoint).host : endpoint}`}`;

/** What is wrong, in a clause for a person. Of what the server said only its code gets through, if it is one. */
export const troubleOfS3 = (error: unknown, place: S3Place): string => {
  const name = error instanceof Error ? error.name : '';
  const known = CODES.find(([code]) => code.test(name))?.[1](place);
  if (known !== undefined) return `${placeText(place)} cannot be used: ${known}`;
  const status = statusOf(error);
  if (status >= 300) {
    const said = CODE.test(name) && !/^(?:Error|Unknown\w*)$/.test(name) ? ` and ${name}` : '';
    // An answer to HEAD has no body, and with some stores other errors have none either.
    if (status === 403) return `${placeText(place)} cannot be used: it refuses us (HTTP 403${said})`;
    return `${placeText(place)} cannot be used: it answers HTTP ${status}${said}`;
  }
  const words = wordsOf(error);
  const meaning = CONNECTING.find(([pattern]) => pattern.test(words))?.[1];
  return `${placeText(place)} cannot be used: ${meaning ?? 'it answers what cannot be read'}`;
};
