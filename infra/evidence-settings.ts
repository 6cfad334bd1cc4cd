import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { S3Place } from './evidence/far-store.ts';

/** Amazon's rules for names of buckets, which the other makers' are within: 3 to 63 of `a-z 0-9 . -`. */
const BUCKET = /^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9]|[.-](?![.-])){1,61}(?<![.-])$/;
/** Ends in a slash, so that no other name of the bucket begins like it by chance. */
const PREFIX = /^(?:[A-Za-z0-9_-][A-Za-z0-9_.-]{0,60}\/){1,8}$/;

/** A bucket that keeps raw evidence in place of Redis. Keys come from the environment. */
export const S3Settings = z.strictObject({
  bucket: z.string().regex(BUCKET, 'is no name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens'),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/, 'is no region: eu-central-1, for example')
    .default('us-east-1'),
  /** Left out: Amazon's own of the region. */
  endpoint: z.string().min(1).optional(),
  /** Whatever is below it is the program's, and is deleted when it is old. */
  prefix: z
    .string()
    .regex(PREFIX, 'is no prefix: folders of letters, digits, dots, underscores and hyphens, with a slash at the end')
    .default('straceback/'),
  /** The bucket in the path, not in the name of the host. True by default where an endpoint is given. */
  forcePathStyle: z.boolean().optional(),
  /** PEM file of the authority that the endpoint's certificate is by. */
  ca: z.string().min(1).optional(),
  /** `role`: those of the machine, container or pod, as Amazon's SDKs find them. */
  credentials: z.enum(['environment', 'role']).default('environment'),
});

/** `evidence:` of the configuration. Without a bucket Redis keeps evidence. */
export const EvidenceSettings = z.strictObject({ s3: S3Settings.optional() });
export type EvidenceSettings = z.infer<typeof EvidenceSettings>;

/** A fault in these settings, with where it is. */
export interface EvidenceFault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const given = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

const endpointFault = (text: string): string | null => {
  if (!URL.canParse(text)) return 'is no address: https://HOST or https://HOST:PORT';
  const { protocol, username, password, pathname, search, hash } = new URL(text);
  if (!/^https?:$/.test(protocol)) return 'is no address: https://HOST or https://HOST:PORT';
  if (username !== '' || password !== '') return 'holds a key; put it into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  if (pathname !== '/' || search !== '' || hash !== '')
    return 'holds more than the host and its port; the bucket goes into bucket, folders go into prefix';
  return null;
};

const caOf = (file: string, fault: (message: string) => void): string | undefined => {
  try {
    const text = readFileSync(file, 'utf8');
    try {
      new X509Certificate(text);
    } catch {
      fault('is no certificate in PEM form');
    }
    return text;
  } catch (error) {
    fault(`cannot be read (${error instanceof Error ? error.message : String(error)})`);
    return undefined;
  }
};

/** The store of the configuration with its keys; undefined without one. Relative files are looked for in `base`. */
export const evidenceFrom = (
  { s3 }: EvidenceSettings,
  env: Environment,
  base: string,
  faults: EvidenceFault[],
): S3Place | undefined => {
  if (s3 === undefined) return undefined;
  const fault = (name: string | null, message: string) =>
    faults.push({ path: name === null ? ['s3'] : ['s3', name], message });
  const wrong = s3.endpoint === undefined ? null : endpointFault(s3.endpoint);
  if (wrong !== null) fault('endpoint', wrong);
  if (s3.ca !== undefined && s3.endpoint?.startsWith('http://') === true)
    fault('ca', 'is of no use: the endpoint is http://, without TLS');
  const ca = s3.ca === undefined ? undefined : caOf(path.resolve(base, s3.ca), (message) => fault('ca', message));
  const [accessKeyId, secretAccessKey] = [given(env.AWS_ACCESS_KEY_ID), given(env.AWS_SECRET_ACCESS_KEY)];
  const sessionToken = given(env.AWS_SESSION_TOKEN);
  if (s3.credentials === 'environment' && (accessKeyId === undefined || secretAccessKey === undefined))
    fault(
      null,
      'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set; set them, or say credentials: role where the machine has a role',
    );
  return {
    bucket: s3.bucket,
    region: s3.region,
    endpoint: s3.endpoint,
    prefix: s3.prefix,
    forcePathStyle: s3.forcePathStyle ?? s3.endpoint !== undefined,
    ca,
    keys:
      s3.credentials === 'role'
        ? undefined
        : {
            accessKeyId: accessKeyId ?? '',
            secretAccessKey: secretAccessKey ?? '',
            ...(sessionToken === undefined ? {} : { sessionToken }),
          },
  };
};
