import type { Log } from '../log.ts';
import type { Counts } from '../metrics/counts.ts';
import type { FarStore, S3Place } from './far-store.ts';
import { remembering } from './remembering.ts';
import { openS3 } from './s3.ts';

/** How often a store in trouble is tried when nobody uses it, so that its state is true. */
const PROBE_MS = 30_000;

/** Opens the bucket of the configuration, tries it, and goes on trying while it is in trouble. Never throws and does not wait. */
export const openEvidence = (
  place: S3Place,
  log: Log,
  counts: Pick<Counts, 'evidence'>,
): { readonly far: FarStore; readonly close: () => Promise<void> } => {
  const far = remembering(openS3(place, { log, count: counts.evidence }));
  let probing: Promise<unknown> = far.probe();
  const timer = setInterval(() => {
    if (!far.state().ok) probing = far.probe();
  }, PROBE_MS);
  timer.unref();
  return {
    far,
    close: async () => {
      clearInterval(timer);
      far.close();
      await probing;
    },
  };
};
