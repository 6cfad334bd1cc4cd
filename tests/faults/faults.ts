import { setTimeout as sleep } from 'node:timers/promises';
import type { Asker } from './asking.ts';
import type { Host } from './hosts.ts';
import type { Parts } from './parts.ts';
import type { FaultKind, PlannedFault } from './plan.ts';

/** Makes faults, and counts them. */
export interface FaultMaker {
  /** Begins a fault; what takes its time goes on meanwhile. */
  readonly make: (fault: PlannedFault) => void;
  /** Ends those that were to last until this request. */
  readonly passed: (index: number) => void;
  /** Ends all that last, and waits for what was begun: servers and processes are up again. Throws what could not be started again. */
  readonly over: () => Promise<void>;
  readonly made: ReadonlyMap<FaultKind, number>;
}

/** Disks stay full for so many requests. */
const FULL_FOR = 3;
/** The longest that a connection which could be cut is waited for, ms. */
const LONGEST_WAIT_MS = 30_000;

const at = <Value>(values: readonly Value[], index: number): Value => {
  const value = values[index % values.length];
  if (value === undefined) throw new Error('there is none of them');
  return value;
};

/** Kills the processes of a host's connections, as soon as there are any. False when there were none for long. */
const cutConnections = async ({ sshd }: Host, over: () => boolean): Promise<boolean> => {
  for (const end = Date.now() + LONGEST_WAIT_MS; !over() && Date.now() < end; await sleep(100)) {
    const sessions = await sshd.sessions();
    for (const pid of sessions) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
    if (sessions.length > 0) return true;
  }
  return false;
};

/** The faults of a run on its parts. */
export const openFaults = (parts: Parts, asker: Asker): FaultMaker => {
  const { slack, hosts, bots, workers } = parts;
  const made = new Map<FaultKind, number>();
  const lasting: { until: number; end: () => void }[] = [];
  /** One thing after the other for each server and process, side by side for several. */
  const lines = new Map<object, Promise<void>>();
  const inLine = (part: object, work: () => Promise<void>): void => {
    const next = (lines.get(part) ?? Promise.resolve()).then(work);
    // Thrown by `over`; until then nobody listens.
    next.catch(() => undefined);
    lines.set(part, next);
  };
  let ending = false;
  const count = (kind: FaultKind) => made.set(kind, (made.get(kind) ?? 0) + 1);
  const cut = async (host: Host) => {
    if (await cutConnections(host, () => ending)) count('connection cut');
  };
  const full = (fault: PlannedFault, end: () => void) =>
    void lasting.push({ until: fault.at + FULL_FOR * fault.amount, end });

  /** False when there was nothing that it could strike (yet). */
  const begin = (fault: PlannedFault): boolean => {
    const { kind, which, amount } = fault;
    const host = at(hosts, which);
    switch (kind) {
      case 'worker killed':
      case 'bot killed': {
        const side = at(kind === 'bot killed' ? bots : workers, which);
        inLine(side, () => side.killed());
        return true;
      }
      case 'clock moved': {
        const side = at([...workers, ...bots], which);
        inLine(side, () => side.killed(amount));
        return true;
      }
      case 'connection cut':
        // Counted once it is done.
        inLine(host, () => cut(host));
        return false;
      case 'sshd restarted':
        inLine(host, host.sshd.restart);
        return true;
      case 'Redis killed':
        inLine(parts.redis, parts.redis.killed);
        return true;
      case 'PostgreSQL restarted':
        if (parts.postgres === null) return false;
        inLine(parts.postgres, parts.postgres.restart);
        return true;
      case 'Slack 429':
        slack.faults.add({ kind: '429', retryAfter: 1, times: amount });
        return true;
      case 'Slack 500':
        slack.faults.add({ kind: '500', times: amount });
        return true;
      case 'Slack 500 after the work':
        slack.faults.add({ kind: 'after-effect-500', method: 'chat.postMessage', times: amount });
        return true;
      case 'Slack slow':
        slack.faults.add({ kind: 'slow', delayMs: 3_000, times: amount });
        return true;
      case 'Slack cut after the work':
        slack.faults.add({ kind: 'after-effect-drop', times: amount });
        return true;
      case 'socket dropped':
        return slack.sockets.drop(amount) > 0;
      case 'event repeated':
        asker.repeatMentions(amount);
        return true;
      case 'acknowledgement lost':
        slack.sockets.loseAcks(amount);
        return true;
      case 'host memory disk full':
        full(fault, host.fill('memory'));
        return true;
      case 'keep folder full':
        full(fault, host.fill('keep'));
        return true;
      case 'data folder full':
        full(fault, parts.fillData(which));
        return true;
    }
  };

  return {
    made,
    make: (fault) => {
      if (begin(fault)) count(fault.kind);
    },
    passed: (index) => {
      for (const one of lasting) if (one.until <= index) one.end();
    },
    over: async () => {
      ending = true;
      for (const { end } of lasting) end();
      slack.faults.clear();
      await Promise.all(lines.values());
    },
  };
};
