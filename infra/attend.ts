import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import type { FarStore } from './evidence/far-store.ts';
import { type Attendance, attend } from './health/attend.ts';
import type { Log } from './log.ts';
import { ignoreLateAlerts } from './queue/late-alerts.ts';
import type { RedisAddress } from './queue/place.ts';
import type { QueueTelemetry } from './queue/telemetry.ts';
import { noTrace, type Trace } from './tracing/trace.ts';

/** What looks after the program while it runs: health, metrics, traces, the board. */
export interface Surroundings extends Pick<Attendance, 'counts' | 'parts'> {
  readonly trace: Trace;
  /** How messages carry their traces; undefined without traces. */
  readonly telemetry: QueueTelemetry | undefined;
  /** The bucket that evidence is kept in; undefined without one. */
  readonly evidence: FarStore | undefined;
  readonly close: () => Promise<void>;
}

const closeAll = async (closers: readonly (() => Promise<void>)[]): Promise<void> => {
  for (const close of closers) await close();
};

/** The package's own, which is one folder higher when the program runs as it was built. */
const version = (): string => {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const { name, version: said }: { name?: unknown; version?: unknown } = JSON.parse(
        readFileSync(new URL(place, import.meta.url), 'utf8'),
      );
      if (name === 'straceback' && typeof said === 'string') return said;
    } catch {
      // Not there.
    }
  }
  return 'unknown';
};

/**
 * Starts what the configuration asks for, and loads nothing that it does not. It has to be the first of what knows the queue and
 * the last to end. Throws BadConfig for an address that is taken.
 */
export const openSurroundings = async (config: Config, redis: RedisAddress, log: Log): Promise<Surroundings> => {
  const loud = ignoreLateAlerts(log);
  const closers: (() => Promise<void>)[] = [async () => loud()];
  try {
    let trace: Trace = noTrace;
    let telemetry: QueueTelemetry | undefined;
    if (config.tracing !== undefined) {
      const [{ openTracing, QUEUE_TRACER }, { openTelemetry }] = await Promise.all([
        import('./tracing/open.ts'),
        import('./queue/telemetry.ts'),
      ]);
      const tracing = openTracing(config.tracing, version());
      closers.unshift(tracing.close);
      trace = tracing.trace;
      telemetry = await openTelemetry(QUEUE_TRACER);
    }
    const attendance = await attend({ health: config.health, redis, version: version(), log });
    closers.unshift(attendance.close);
    const { counts, parts } = attendance;
    parts.ask('hosts', () => {
      const { ok, why } = config.inventory.state();
      const known = `${config.hostNames.length} hosts and ${config.hostPatterns.length} patterns of hosts are known.`;
      return { ok, why: why === '' ? known : `${known} ${why}` };
    });
    let evidence: FarStore | undefined;
    if (config.evidence !== undefined) {
      const { openEvidence } = await import('./evidence/open.ts');
      const opened = openEvidence(config.evidence, log, counts);
      closers.unshift(opened.close);
      // Reports go out without it, so it keeps nobody from working.
      parts.ask('evidence', () => ({ ok: true, why: opened.far.state().why }));
      evidence = opened.far;
    }
    if (config.board !== undefined) {
      const { startBoard } = await import('./queue/board.ts');
      closers.unshift((await startBoard(config.board, redis, log)).close);
    }
    return { counts, parts, trace, telemetry, evidence, close: () => closeAll(closers) };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
};
