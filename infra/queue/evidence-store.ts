import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import type { Log } from '../log.ts';
import type { RedisClient } from './connection.ts';
import type { StoredFile } from './messages.ts';
import { key } from './names.ts';

const KEEP_SECONDS = 24 * 3600;
/** What is kept of one file, before compression. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** What one look may keep in Redis, after compression. */
const MAX_LOOK_BYTES = 32 * 1024 * 1024;

const compress = promisify(deflate);
const decompress = promisify(inflate);

/** A file of raw evidence as the pipeline hands it over. */
export interface EvidenceFile {
  readonly name: string;
  readonly evidenceId: string;
  readonly content: Uint8Array;
  readonly truncated: boolean;
}

/**
 * Keeps files under expiring keys, compressed. A file that is too large is cut, one that does not fit or that Redis
 * refuses (`noeviction` and full) is not kept: the report matters more than its attachments, and says so.
 * Never throws.
 */
export const storeFiles = async (
  redis: RedisClient,
  requestId: string,
  files: readonly EvidenceFile[],
  log: Log,
): Promise<StoredFile[]> => {
  // The name is new for every delivery: an answer that won keeps the bytes that it was made with.
  const delivery = randomUUID();
  const stored: StoredFile[] = [];
  let used = 0;
  for (const [index, file] of files.entries()) {
    const cut = file.content.byteLength > MAX_FILE_BYTES;
    const name = key('evidence', requestId, delivery, index);
    const base = { name: file.name, evidenceId: file.evidenceId, bytes: file.content.byteLength };
    try {
      const packed = await compress(cut ? file.content.subarray(0, MAX_FILE_BYTES) : file.content);
      if (used + packed.byteLength > MAX_LOOK_BYTES) {
        log.warn({ requestId, file: file.name, bytes: file.content.byteLength }, 'evidence does not fit, not kept');
        stored.push({ ...base, truncated: true, stored: '' });
        continue;
      }
      await redis.set(name, packed, 'EX', KEEP_SECONDS);
      used += packed.byteLength;
      stored.push({ ...base, truncated: file.truncated || cut, stored: name });
    } catch (error) {
      log.warn({ requestId, file: file.name, error: String(error) }, 'evidence could not be kept');
      stored.push({ ...base, truncated: true, stored: '' });
    }
  }
  return stored;
};

/** The bytes of a stored file; null when they have expired or were never kept. Throws when Redis does not answer. */
export const readStored = async (redis: RedisClient, file: StoredFile): Promise<Uint8Array | null> => {
  if (file.stored === '') return null;
  const packed = await redis.getBuffer(file.stored);
  return packed === null ? null : await decompress(packed, { maxOutputLength: MAX_FILE_BYTES });
};
