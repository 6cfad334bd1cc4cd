import type { Log } from '../infra/log.ts';
import type { HostRecord } from '../infra/queue/lately.ts';
import type { FailureCode } from '../playbooks/model/index.ts';
import { LookFailed } from '../playbooks/model/index.ts';
import { type Diagnosis, examineHost } from './doctor.ts';
import type { HostShell } from './ssh/shell.ts';

/** Tells people which hosts can be looked at, from looks that went there. Nothing here delays a look or fails it. */
export interface HostRounds {
  /** A look at this host has ended; `failed` is why there was no report, or null. */
  readonly after: (host: string, failed: LookFailed | null) => void;
  /** Begins nothing more and waits for what runs, whose steps are bounded. */
  readonly close: () => Promise<void>;
}

export interface HostRoundsOptions {
  readonly openShell: (host: string) => Promise<HostShell>;
  readonly record: HostRecord;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A host is examined again after an hour: tools and rights seldom change. */
const EVERY_SECONDS = 3_600;
/** Hosts that are examined at once by one worker. What comes meanwhile is left to a later look. */
const AT_ONCE = 2;

/** Failures that are the host's, not the process's. */
const OF_THE_HOST: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'unreachable',
  'host-key-unknown',
  'host-key-changed',
  'login-refused',
  'bad-key-file',
  'host-garbage',
  'not-linux',
]);

/** What `doctor` found, in one line. */
export const inOneLine = ({ distribution, kernel, root, missing, install }: Diagnosis): string => {
  const rights = root ? 'root' : 'not root: only own processes can be looked at';
  const tools = missing.length === 0 ? 'nothing is missing' : `missing: ${missing.map(({ tool }) => tool).join(', ')}`;
  return `${distribution}, kernel ${kernel}, ${rights}; ${tools}${install === null ? '' : ` (${install})`}`;
};

/** Opens the rounds. Trouble with Redis or a host only means that nothing new is known of it. */
export const hostRounds = ({ openShell, record, log, now }: HostRoundsOptions): HostRounds => {
  const running = new Set<Promise<void>>();
  let closed = false;

  const examine = async (host: string): Promise<void> => {
    const shell = await openShell(host);
    try {
      await record.tell({ host, at: now(), reachable: true, words: inOneLine(await examineHost(host, shell)) });
    } finally {
      await shell.close();
    }
  };

  const round = async (host: string, failed: LookFailed | null): Promise<void> => {
    if (failed !== null && OF_THE_HOST.has(failed.code)) {
      await record.tell({ host, at: now(), reachable: false, words: failed.message });
      return;
    }
    const known = await record.last(host);
    // One that was out of reach and answers again is told at once.
    if (known?.reachable === false || (await record.due(host, EVERY_SECONDS))) await examine(host);
  };

  return {
    after: (host, failed) => {
      if (closed || running.size >= AT_ONCE) return;
      const one = round(host, failed).catch((error: unknown) => {
        log.info({ host, error: error instanceof LookFailed ? error.message : String(error) }, 'host not examined');
      });
      running.add(one);
      void one.finally(() => running.delete(one));
    },
    close: async () => {
      closed = true;
      await Promise.all(running);
    },
  };
};
