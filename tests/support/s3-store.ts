import { onTestFinished } from 'vitest';
import type { FarStore, S3Place } from '../../infra/evidence/far-store.ts';
import { remembering } from '../../infra/evidence/remembering.ts';
import { openS3, type S3Options } from '../../infra/evidence/s3.ts';
import { silentLog } from '../../infra/log.ts';
import type { S3Server } from './s3-server.ts';

export const placeOn = (server: S3Server): S3Place => ({
  bucket: server.bucket,
  region: server.region,
  endpoint: server.endpoint,
  prefix: 'straceback/',
  forcePathStyle: true,
  ca: undefined,
  keys: server.key,
});

/** The bucket as bots and workers have it, without pauses after a failure; closed after the test. */
export const farForTest = (server: S3Server, options: Partial<S3Options> = {}): FarStore => {
  const store = remembering(
    openS3(placeOn(server), { log: silentLog, pauseMs: [0, 0], withinMs: 5_000, silentMs: 1_000, ...options }),
  );
  onTestFinished(store.close);
  return store;
};
