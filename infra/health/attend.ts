import type { Log } from '../log.ts';
import { type Counts, noCounts } from '../metrics/counts.ts';
import type { RedisAddress } from '../queue/place.ts';
import { openParts, type Parts } from './readiness.ts';
import type { HealthSettings } from './settings.ts';

/** What the program hands its parts, and where they say how they are. */
export interface Attendance {
  readonly counts: Counts;
  /** The part `start` is not well until the program says that it is up. */
  readonly parts: Parts;
  /** Where it listens; null when it does not. */
  readonly port: number | null;
  readonly close: () => Promise<void>;
}

const CLOCK_EVERY_MS = 10 * 60_000;

/**
 * Looks after the program: listens for health checks and keeps its metrics when it is told where, and watches the clock in any
 * case. What that takes is loaded only then. Throws BadConfig for an address that is taken.
 */
export const attend = async (options: {
  readonly health: HealthSettings | undefined;
  readonly redis: RedisAddress;
  readonly version: string;
  readonly log: Log;
}): Promise<Attendance> => {
  const { health, redis, version, log } = options;
  const parts = openParts();
  parts.tell('start', { ok: false, why: 'It is starting.' });
  const { observeQueue } = await import('../queue/observer.ts');
  const observer = observeQueue(redis, log);
  parts.ask('redis', observer.state);
  parts.ask('clock', observer.clockState);
  // Says it in the log when it is wrong, at the start and later.
  void observer.clockState();
  const clock = setInterval(() => void observer.clockState(), CLOCK_EVERY_MS);
  clock.unref();
  const end = async () => {
    clearInterval(clock);
    await observer.close();
  };
  if (health === undefined) return { counts: noCounts, parts, port: null, close: end };
  const [{ openMetrics }, { startHealthServer }] = await Promise.all([
    import('../metrics/prometheus.ts'),
    import('./server.ts'),
  ]);
  const metrics = openMetrics(version);
  const asked = async () => ({
    depths: await observer.depths(),
    oldest: await observer.oldest(),
    clockOff: await observer.clockOff(),
  });
  try {
    const server = await startHealthServer(health, {
      ready: parts.all,
      metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text(asked) }),
    });
    log.info({ address: health.address, port: server.port }, 'listening for health checks');
    return {
      counts: metrics.counts,
      parts,
      port: server.port,
      close: async () => {
        await server.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
};
