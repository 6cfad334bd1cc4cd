import { Queue } from 'bullmq';
import type { Log } from '../log.ts';
import type { SharedClock } from './clock.ts';
import { type RedisClient, watchErrors } from './connection.ts';
import { storeFiles } from './evidence-store.ts';
import { UNTIL_DONE } from './keep.ts';
import type { Intake } from './messages.ts';
import { INTAKE, jobId, PREFIX } from './names.ts';
import { notesOn } from './notes.ts';
import { type QueueTelemetry, withTelemetry } from './telemetry.ts';
import { endsWithin } from './within.ts';
import type { LookResult } from './worker-side.ts';

/** How long work that was aborted gets to end. */
const ABORT_MS = 5_000;

/** Work that follows an answer and that nobody waits for: lost when the worker dies, and then only that is missing. */
export interface AfterAnswers {
  readonly add: (requestId: string, work: NonNullable<LookResult['afterwards']>) => void;
  /** Aborts what runs, and waits for it, bounded. */
  readonly close: () => Promise<void>;
}

/** Runs such work side by side with the looks, and hands what comes of it to the bots. */
export const afterAnswers = ({
  redis,
  journalRedis,
  clock,
  log,
  telemetry,
}: {
  redis: RedisClient;
  journalRedis: RedisClient;
  clock: SharedClock;
  log: Log;
  telemetry?: QueueTelemetry | undefined;
}): AfterAnswers => {
  const intake = new Queue<Intake>(INTAKE, {
    connection: redis,
    prefix: PREFIX,
    ...withTelemetry(telemetry),
  });
  watchErrors(intake, 'afterwards', log);
  const notes = notesOn(journalRedis, (work) => work());
  const ending = new AbortController();
  const running = new Set<Promise<void>>();

  const run: AfterAnswers['add'] extends (...args: infer Args) => void ? (...args: Args) => Promise<void> : never =
    async (requestId, work) => {
      try {
        const result = await work({ signal: ending.signal, notes });
        if (result === null) return;
        const [file] = await storeFiles({ redis: journalRedis }, requestId, [result.file], log);
        const id = `${result.errand}-${requestId}`;
        const data = { ...result.data, requestId, file };
        const errand: Intake = { kind: 'errand', id, errand: result.errand, data, at: clock.now() };
        await intake.add('message', errand, { ...UNTIL_DONE, jobId: jobId('intake', id) });
      } catch (error) {
        log.warn({ requestId, error: String(error) }, 'work after an answer failed');
      }
    };

  return {
    add: (requestId, work) => {
      const done = run(requestId, work).finally(() => running.delete(done));
      running.add(done);
    },
    close: async () => {
      ending.abort();
      await endsWithin(Promise.all(running), ABORT_MS);
      await intake.close();
    },
  };
};
