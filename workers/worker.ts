import { openAudit } from '../infra/audit.ts';
import type { Config } from '../infra/config.ts';
import type { FarStore } from '../infra/evidence/far-store.ts';
import { handToOutbox, relayedAudit } from '../infra/history/relay.ts';
import type { Log } from '../infra/log.ts';
import { type Counts, noCounts } from '../infra/metrics/counts.ts';
import { openOutboxes } from '../infra/queue/outbox.ts';
import type { RedisAddress } from '../infra/queue/place.ts';
import type { QueueTelemetry } from '../infra/queue/telemetry.ts';
import { type LookResult, type LookTools, openWorkerQueue } from '../infra/queue/worker-side.ts';
import { noTrace, type Trace } from '../infra/tracing/trace.ts';
import { LookFailed, type Request } from '../playbooks/model/index.ts';
import { lookAudit, outcomeWords } from './audit.ts';
import { findProcesses } from './finding/find.ts';
import { hostRounds } from './host-rounds.ts';
import { investigate } from './investigate.ts';
import type { Knowledge } from './knowledge.ts';
import { proseAfterwards } from './prose/afterwards.ts';
import { questionHandler } from './questions/take.ts';
import { keepFolderOf, shellOpener } from './reach.ts';
import { openConnections } from './ssh/transports/pool.ts';
import { lookCount } from './watched.ts';

/** A worker that takes looks from the queue until it is closed. */
export interface RunningWorker {
  readonly close: () => Promise<void>;
}

export interface WorkerOptions {
  readonly config: Config;
  readonly redisUrl: RedisAddress;
  readonly knowledge: Knowledge;
  readonly log: Log;
  /** What is counted, and where work shows in traces; nowhere when absent. */
  readonly counts?: Counts;
  readonly trace?: Trace;
  readonly telemetry?: QueueTelemetry | undefined;
  /** Where evidence is kept in place of Redis. */
  readonly evidence?: FarStore | undefined;
}

const about = ({ id, playbook }: Request) => ({ 'straceback.request': id, 'straceback.playbook': playbook });

/** Starts to consume requests, `concurrency` at once, one at a time for each process. */
export const startWorker = (options: WorkerOptions): RunningWorker => {
  const { config, redisUrl, knowledge, log, counts = noCounts, trace = noTrace, telemetry, evidence: far } = options;
  const queue = openWorkerQueue({ redisUrl, concurrency: config.worker.concurrency, log, telemetry, far });
  counts.hostConnections(openConnections);
  const { openShell, close: closeConnections } = shellOpener(config.hosts);
  const keepFolder = keepFolderOf(config.hosts);
  const outboxes = config.history === undefined ? undefined : openOutboxes(redisUrl, log);
  const written = openAudit({ folder: config.audit.folder, side: 'worker' });
  const audit = lookAudit(
    outboxes === undefined ? written : relayedAudit(written, 'worker', handToOutbox(outboxes.notes, log)),
    log,
  );

  const rounds = hostRounds({ openShell, record: queue.hosts, log, now: Date.now });

  const prose = proseAfterwards(config.model, { counts, trace });

  const look = async (request: Request, tools: LookTools, lost: AbortSignal): Promise<LookResult> => {
    const { report, files } = await investigate(
      { ...request, requestedAt: tools.askedAt },
      {
        ...knowledge,
        openShell,
        keepFolder,
        progress: tools.progress,
        journal: tools.journal,
        audit: audit.steps(request),
        signal: AbortSignal.any([tools.signal, lost]),
        now: Date.now,
        trace,
        counts,
      },
    );
    const encoder = new TextEncoder();
    const afterwards = prose(request, report);
    return {
      outcome: { kind: 'report', report },
      ...(afterwards === undefined ? {} : { afterwards }),
      files: files.map((file) => ({
        name: `${file.id}-${file.probe}.txt`,
        evidenceId: file.id,
        content: encoder.encode(file.text),
        truncated: file.truncated,
      })),
    };
  };

  const handle = async (request: Request, tools: LookTools): Promise<LookResult> => {
    const began = Date.now();
    await audit.began(request);
    try {
      const result = await tools.withTargetLock(
        {
          host: request.host,
          pid: request.pid,
          doing: `a ${request.playbook} look`,
          signal: tools.signal,
          onWait: (doing) =>
            tools.progress({
              requestId: request.id,
              doing: `Waiting: ${doing} is running on this process`,
              probes: [],
              percent: 0,
              seconds: (Date.now() - began) / 1000,
            }),
        },
        (lost) => trace.span('look', about(request), () => look(request, tools, lost)),
      );
      counts.look(lookCount(result, (Date.now() - began) / 1000));
      log.info({ requestId: request.id, host: request.host, pid: request.pid, ms: Date.now() - began }, 'look done');
      rounds.after(request.host, null);
      await audit.ended(request, outcomeWords(result.outcome));
      return result;
    } catch (error) {
      if (!(error instanceof LookFailed)) {
        log.error(
          { requestId: request.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
          'look broke',
        );
        counts.look({ outcome: 'internal', cause: 'none', stallMs: null, seconds: (Date.now() - began) / 1000 });
        await audit.ended(request, 'failed through an error of Straceback’s own');
        throw error;
      }
      log.info({ requestId: request.id, host: request.host, pid: request.pid, code: error.code }, 'look failed');
      rounds.after(request.host, error);
      await audit.ended(request, `${error.code}: ${error.message}`);
      const failed: LookResult = { outcome: { kind: 'failure', failure: error.toFailure() }, files: [] };
      counts.look(lookCount(failed, (Date.now() - began) / 1000));
      return failed;
    }
  };

  queue.work(handle);
  queue.find(({ host, selector }, signal) => findProcesses(host, selector, { openShell, signal }));
  queue.question(questionHandler(config.model, knowledge, Date.now, { counts, trace }));
  return {
    close: async () => {
      await rounds.close();
      await queue.close();
      await outboxes?.close();
      await closeConnections();
    },
  };
};
