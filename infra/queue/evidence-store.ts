import { createHash, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { EvidenceChanged, EvidenceUnavailable, type FarStore, NoEvidence, newName } from '../evidence/far-store.ts';
import type { Log } from '../log.ts';
import type { RedisClient } from './connection.ts';
import type { StoredFile } from './messages.ts';
import { key } from './names.ts';

const KEEP_SECONDS = 24 * 3600;
/** What is kept of one file, before compression. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** What one look may keep, after compression. */
const MAX_LOOK_BYTES = 32 * 1024 * 1024;
/** What one look keeps in Redis while a bucket that was meant for it cannot be used: sites have one so that Redis stays small. */
const MAX_INSTEAD_BYTES = 1024 * 1024;

const compress = promisify(deflate);
const decompress = promisify(inflate);

/** A file of raw evidence as the pipeline hands it over. */
export interface EvidenceFile {
  readonly name: string;
  readonly evidenceId: string;
  readonly content: Uint8Array;
  readonly truncated: boolean;
}

/** Where evidence is kept: Redis alone, or a bucket. */
export interface EvidencePlaces {
  readonly redis: RedisClient;
  readonly far?: FarStore | undefined;
}

interface Packed {
  readonly file: EvidenceFile;
  /** Null when it cannot be kept. */
  readonly bytes: Uint8Array | null;
  readonly cut: boolean;
}

const pack = async (requestId: string, files: readonly EvidenceFile[], log: Log): Promise<Packed[]> => {
  const packed: Packed[] = [];
  let used = 0;
  for (const file of files) {
    const cut = file.content.byteLength > MAX_FILE_BYTES;
    const bytes = await compress(cut ? file.content.subarray(0, MAX_FILE_BYTES) : file.content);
    const fits = used + bytes.byteLength <= MAX_LOOK_BYTES;
    if (fits) used += bytes.byteLength;
    else log.warn({ requestId, file: file.name, bytes: file.content.byteLength }, 'evidence does not fit, not kept');
    packed.push({ file, bytes: fits ? bytes : null, cut });
  }
  return packed;
};

const entry = ({ file, cut }: Packed, stored: string, part?: StoredFile['part']): StoredFile => ({
  name: file.name,
  evidenceId: file.evidenceId,
  bytes: file.content.byteLength,
  truncated: file.truncated || cut || stored === '',
  stored,
  ...(part === undefined ? {} : { part }),
});

/**
 * The key of an object's lease. It lives and expires as the bytes themselves do in Redis, and is held like them while history has
 * not got them; an object without one is deleted when it is old (`evidence-sweep.ts`).
 */
export const leaseOf = (name: string): string => key('evidence-lease', name);

const LEASES = leaseOf('');

const farNameOf = ({ stored }: StoredFile): string | null =>
  stored.startsWith(LEASES) ? stored.slice(LEASES.length) : null;

/** Whether a file is in a bucket, so that Redis is not asked for it. */
export const isFar = (file: StoredFile): boolean => farNameOf(file) !== null;

/** All files of a look as one object: one request, whole or not at all. Throws EvidenceUnavailable. */
const storeFar = async (
  { redis }: EvidencePlaces,
  far: FarStore,
  requestId: string,
  packed: readonly Packed[],
  log: Log,
): Promise<StoredFile[]> => {
  const whole = Buffer.concat(packed.flatMap(({ bytes }) => (bytes === null ? [] : [bytes])));
  const sha256 = createHash('sha256').update(whole).digest('hex');
  // New for every delivery: an answer that won keeps the bytes that it was made with.
  const name = newName(Date.now());
  await far.put(name, whole);
  try {
    await redis.set(leaseOf(name), '', 'EX', KEEP_SECONDS);
  } catch (error) {
    // It is there for a day all the same, and only not held for longer.
    log.warn({ requestId, error: String(error) }, 'evidence is in its bucket, but Redis does not know of it');
  }
  let at = 0;
  return packed.map((each) => {
    if (each.bytes === null) return entry(each, '');
    const part = { at, bytes: each.bytes.byteLength, whole: whole.byteLength, sha256 };
    at += each.bytes.byteLength;
    return entry(each, leaseOf(name), part);
  });
};

const storeNear = async (
  redis: RedisClient,
  requestId: string,
  packed: readonly Packed[],
  most: number,
  log: Log,
): Promise<StoredFile[]> => {
  const delivery = randomUUID();
  const stored: StoredFile[] = [];
  let used = 0;
  for (const [index, each] of packed.entries()) {
    const name = key('evidence', requestId, delivery, index);
    const { bytes, file } = each;
    if (bytes === null || used + bytes.byteLength > most) {
      if (bytes !== null) log.warn({ requestId, file: file.name }, 'evidence is too large for Redis, not kept');
      stored.push(entry(each, ''));
      continue;
    }
    try {
      await redis.set(name, Buffer.from(bytes), 'EX', KEEP_SECONDS);
      used += bytes.byteLength;
      stored.push(entry(each, name));
    } catch (error) {
      log.warn({ requestId, file: file.name, error: String(error) }, 'evidence could not be kept');
      stored.push(entry(each, ''));
    }
  }
  return stored;
};

/**
 * Keeps files for a day, compressed: in the bucket where there is one, else under expiring keys. A file that is too large is cut;
 * one that does not fit, or that Redis refuses (`noeviction` and full), is not kept: the report matters more than its attachments,
 * and says so. While the bucket cannot be used Redis keeps what is small. Never throws.
 */
export const storeFiles = async (
  places: EvidencePlaces,
  requestId: string,
  files: readonly EvidenceFile[],
  log: Log,
): Promise<StoredFile[]> => {
  const packed = await pack(requestId, files, log);
  const { redis, far } = places;
  if (far === undefined || packed.every(({ bytes }) => bytes === null))
    return await storeNear(redis, requestId, packed, MAX_LOOK_BYTES, log);
  try {
    return await storeFar(places, far, requestId, packed, log);
  } catch (error) {
    const why = error instanceof NoEvidence ? error.message : String(error);
    log.warn({ requestId, error: why }, 'evidence could not be put into its bucket; Redis keeps what is small');
    return await storeNear(redis, requestId, packed, MAX_INSTEAD_BYTES, log);
  }
};

/** Sums of objects that are read file by file. */
const sums = new WeakMap<Uint8Array, string>();

const sumOf = (bytes: Uint8Array): string => {
  const sum = sums.get(bytes) ?? createHash('sha256').update(bytes).digest('hex');
  sums.set(bytes, sum);
  return sum;
};

/** Throws EvidenceUnavailable and EvidenceChanged: what comes from a bucket is believed only when it is what was put there. */
const readFar = async (far: FarStore | undefined, name: string, { part }: StoredFile): Promise<Uint8Array | null> => {
  if (far === undefined)
    throw new EvidenceUnavailable('it is in a bucket, and this bot or worker has no evidence.s3 in its configuration');
  if (part === undefined || part.whole > MAX_LOOK_BYTES) return null;
  const whole = await far.get(name, part.whole);
  if (whole === null) return null;
  if (sumOf(whole) !== part.sha256) throw new EvidenceChanged();
  return whole.subarray(part.at, part.at + part.bytes);
};

/**
 * The bytes of a stored file; null when they have expired or were never kept. Throws NoEvidence for those in a bucket, and when Redis does
 * not answer.
 */
export const readStored = async ({ redis, far }: EvidencePlaces, file: StoredFile): Promise<Uint8Array | null> => {
  if (file.stored === '') return null;
  const name = farNameOf(file);
  const packed = name === null ? await redis.getBuffer(file.stored) : await readFar(far, name, file);
  return packed === null ? null : await decompress(packed, { maxOutputLength: MAX_FILE_BYTES });
};
