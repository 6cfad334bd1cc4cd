import { Agent } from 'node:https';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Log } from '../log.ts';
import { bounded, collected, isCutOff } from './bounded.ts';
import { EvidenceUnavailable, type FarStore, isOurName, newName, type S3Place } from './far-store.ts';
import { placeText, troubleOfS3 } from './s3-trouble.ts';

export interface S3Options {
  readonly log: Log;
  /** How each request ended; counted. */
  readonly count?: (operation: Operation, outcome: 'done' | 'failed') => void;
  /** How long one operation may take beside a second for each MiB, its repetitions included, ms. Default 15,000. Shorter in tests. */
  readonly withinMs?: number;
  /** How long nothing may come over a connection, ms. Default 6,000. */
  readonly silentMs?: number;
  /** How long nothing is tried after a failure, at first and at most, ms. Default 2,000 and 30,000. */
  readonly pauseMs?: readonly [number, number];
}

export type Operation = 'put' | 'get' | 'delete' | 'list';

const ATTEMPTS = 3;
const CONNECT_MS = 3_000;
/** An answer that holds no object: a list of a thousand names takes a few hundred bytes each. */
const MOST_ANSWER = 4 * 1024 * 1024;
const PAGE = 1_000;
const MIB = 1024 * 1024;

/** The SDK reads every answer but an object's into memory, however long it is or takes. */
class BoundedHandler extends NodeHttpHandler {
  override async handle(...[request, options]: Parameters<NodeHttpHandler['handle']>) {
    const answered = await super.handle(request, options);
    const { response } = answered;
    const isObject =
      request.method === 'GET' && request.query?.['list-type'] === undefined && response.statusCode < 300;
    const body: unknown = response.body;
    if (!isObject && body instanceof Readable) {
      const signal = options?.abortSignal;
      response.body = bounded(body, MOST_ANSWER, signal instanceof AbortSignal ? signal : undefined);
    }
    return answered;
  }
}

/** Everything is said, so that the SDK looks for nothing in the environment or in ~/.aws beside what a role needs. */
const clientConfig = (place: S3Place, silentMs: number): S3ClientConfig => ({
  region: place.region,
  ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
  ...(place.keys === undefined ? {} : { credentials: place.keys }),
  forcePathStyle: place.forcePathStyle,
  followRegionRedirects: place.endpoint === undefined,
  useArnRegion: false,
  // What others than Amazon take: the sum in the signature, and none of the newer ones.
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
  defaultsMode: 'standard',
  retryMode: 'standard',
  maxAttempts: ATTEMPTS,
  userAgentAppId: 'straceback',
  requestHandler: new BoundedHandler({
    connectionTimeout: CONNECT_MS,
    socketTimeout: silentMs,
    socketAcquisitionWarningTimeout: 0x7fffffff,
    httpsAgent: new Agent({ keepAlive: true, maxSockets: 32, ...(place.ca === undefined ? {} : { ca: place.ca }) }),
  }),
});

/** Opens a bucket. Nothing is connected to before it is used. */
export const openS3 = (place: S3Place, options: S3Options): FarStore => {
  const { log, count = () => undefined, withinMs = 15_000, silentMs = 6_000, pauseMs = [2_000, 30_000] } = options;
  const client = new S3Client(clientConfig(place, silentMs));
  const { bucket: Bucket, prefix } = place;
  const well = `Evidence is kept in ${placeText(place)}.`;
  let trouble: { readonly why: string; readonly pause: number; readonly until: number } | null = null;
  let used = false;
  let closed = false;
  const running = new Set<AbortController>();

  const failed = (error: unknown): EvidenceUnavailable => {
    const why = troubleOfS3(error, place);
    const pause = trouble === null ? pauseMs[0] : Math.min(trouble.pause * 2, pauseMs[1]);
    if (trouble?.why !== why && !closed) log.warn({ evidence: why }, 'evidence store: trouble');
    trouble = { why, pause, until: performance.now() + pause };
    return new EvidenceUnavailable(why);
  };

  /** `anyway`: also while nothing is tried after a failure. */
  const use = async <T>(
    operation: Operation,
    bytes: number,
    work: (signal: AbortSignal) => Promise<T>,
    anyway = false,
  ): Promise<T> => {
    if (trouble !== null && !anyway && performance.now() < trouble.until) throw new EvidenceUnavailable(trouble.why);
    const ending = new AbortController();
    const { signal } = ending;
    running.add(ending);
    const timer = setTimeout(
      () => ending.abort(Object.assign(new Error('it took too long'), { name: 'TimeoutError' })),
      withinMs + (bytes / MIB) * 1_000,
    );
    try {
      // What does not listen to the signal is left behind.
      const aborted = new Promise<never>((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      );
      const done = await Promise.race([work(signal), aborted]);
      count(operation, 'done');
      if (trouble !== null) log.info({ evidence: well }, 'evidence store: works again');
      trouble = null;
      used = true;
      return done;
    } catch (error) {
      count(operation, 'failed');
      throw failed(signal.aborted ? signal.reason : error);
    } finally {
      clearTimeout(timer);
      running.delete(ending);
    }
  };

  const keyOf = (name: string): string => {
    // Whatever becomes of the callers, nothing else in the bucket is ever read, written or deleted.
    if (!isOurName(name)) throw new Error('not a name of ours');
    return prefix + name;
  };

  const put = (name: string, bytes: Uint8Array, anyway?: boolean) => {
    const Key = keyOf(name);
    return use(
      'put',
      bytes.byteLength,
      async (abortSignal) => {
        const command = new PutObjectCommand({
          Bucket,
          Key,
          Body: bytes,
          ContentType: 'application/octet-stream',
          ContentLength: bytes.byteLength,
        });
        await client.send(command, { abortSignal });
      },
      anyway,
    );
  };

  const get = (name: string, most: number, anyway?: boolean) => {
    const Key = keyOf(name);
    return use(
      'get',
      most,
      async (abortSignal) => {
        for (let attempt = 1; ; attempt += 1) {
          try {
            const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }), { abortSignal });
            return await collected(Body, most, abortSignal);
          } catch (error) {
            if (error instanceof NoSuchKey) return null;
            // The SDK repeats what fails before the body; what is cut in its middle comes to us.
            if (attempt >= ATTEMPTS || abortSignal.aborted || !isCutOff(error)) throw error;
            await sleep(100 * 2 ** attempt * Math.random(), undefined, { signal: abortSignal });
          }
        }
      },
      anyway,
    );
  };

  const remove = (name: string, anyway?: boolean) => {
    const Key = keyOf(name);
    return use(
      'delete',
      0,
      async (abortSignal) => void (await client.send(new DeleteObjectCommand({ Bucket, Key }), { abortSignal })),
      anyway,
    );
  };

  const list = (after: string, most = PAGE, anyway?: boolean) =>
    use(
      'list',
      0,
      async (abortSignal) => {
        const StartAfter = after === '' ? {} : { StartAfter: prefix + after };
        const command = new ListObjectsV2Command({ Bucket, Prefix: prefix, MaxKeys: most, ...StartAfter });
        const { Contents = [], IsTruncated } = await client.send(command, { abortSignal });
        const named = Contents.flatMap(({ Key = '', LastModified }) =>
          Key.startsWith(prefix) ? [{ name: Key.slice(prefix.length), at: LastModified?.getTime() ?? Number.NaN }] : [],
        );
        const objects = named.filter(({ name, at }) => isOurName(name) && Number.isFinite(at));
        const last = named.at(-1)?.name ?? null;
        // A server that gives the same page again would be asked for ever.
        return { objects, last: IsTruncated === true && last !== null && last > after ? last : null };
      },
      anyway,
    );

  const state = () => {
    if (trouble !== null)
      return {
        ok: false,
        why: `Evidence cannot be kept as it should be: ${trouble.why}. What is small stays in Redis meanwhile; reports go out and say what is missing.`,
      };
    return { ok: true, why: used ? well : `${well} It has not been used yet.` };
  };

  const probe = async () => {
    const name = newName(Date.now());
    try {
      await put(name, Buffer.from('probe'), true);
      await get(name, 5, true);
      await list('', 1, true);
      await remove(name, true);
    } catch (error) {
      if (!(error instanceof EvidenceUnavailable)) failed(error);
    }
    return state();
  };

  return {
    put: (name, bytes) => put(name, bytes),
    get: (name, most) => get(name, most),
    remove: (name) => remove(name),
    list: (after) => list(after),
    state,
    probe,
    close: () => {
      closed = true;
      for (const each of running) each.abort(new Error('closed'));
      client.destroy();
    },
  };
};
