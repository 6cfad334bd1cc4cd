import { type Audit, type AuditNote, AuditUnavailable } from '../infra/audit.ts';
import type { Log } from '../infra/log.ts';
import type { Outcome } from '../infra/queue/messages.ts';
import {
  type Evidence,
  formatImpacts,
  HARMLESS_BY_DEFAULT,
  impactsNotAllowed,
  type Observation,
  type Probe,
  type Request,
  type Target,
} from '../playbooks/model/index.ts';
import { headline } from '../playbooks/report-parts.ts';

/** What a look writes down of its steps with an impact. */
export interface StepAudit {
  /** Before a step starts. Null when it may, else why it may not: what is not written down does no more than slow a process. */
  readonly began: (probe: Probe, target: Target) => Promise<Observation<never> | null>;
  readonly ended: (probe: Probe, target: Target, evidence: Evidence) => Promise<void>;
}

/** What a worker writes down of a look. Trouble with the log never ends a look. */
export interface LookAudit {
  readonly began: (request: Request) => Promise<void>;
  readonly ended: (request: Request, outcome: string) => Promise<void>;
  readonly steps: (request: Request) => StepAudit;
}

/** Who asked for what, as every line about a request has it. */
const about = ({ id, host, pid, playbook, origin }: Request): Omit<AuditNote, 'event'> => ({
  request: id,
  host,
  pid,
  playbook,
  ...(origin.kind === 'slack'
    ? { user: origin.user, team: origin.team, channel: origin.channel, via: origin.via }
    : { via: origin.kind }),
});

/** How a look ended, in a few words. */
export const outcomeWords = (outcome: Outcome): string =>
  outcome.kind === 'report' ? headline(outcome.report) : `${outcome.failure.code}: ${outcome.failure.sentence}`;

const endWords = ({ end, exit, seconds }: Evidence): string =>
  `${end === 'exited' ? `exit ${exit ?? '?'}` : end} after ${seconds.toFixed(1)} s`;

/** A worker's part of the audit log. */
export const lookAudit = (audit: Audit, log: Log): LookAudit => {
  /** Null when it was written, else the sentence that says why not. */
  const write = async (note: AuditNote, durable?: 'durable'): Promise<string | null> => {
    try {
      await audit.write(note, durable);
      return null;
    } catch (error) {
      if (!(error instanceof AuditUnavailable)) throw error;
      log.error({ request: note.request, event: note.event, error: String(error.cause) }, 'audit log not written');
      return error.message;
    }
  };
  return {
    began: async (request) => {
      const { approval, allow } = request;
      const outcome = approval === undefined ? {} : { outcome: `approved by ${approval.by}` };
      await write({ event: 'look-began', ...about(request), impacts: allow, ...outcome });
    },
    ended: async (request, outcome) => {
      await write({ event: 'look-ended', ...about(request), outcome });
    },
    steps: (request) => ({
      began: async ({ id, impacts }, { startTime }) => {
        const note = { ...about(request), probe: id, impacts: [...impacts], startTime };
        const why = await write({ event: 'step-began', ...note }, 'durable');
        if (why === null || impactsNotAllowed(impacts, HARMLESS_BY_DEFAULT).length === 0) return null;
        return {
          seen: false,
          reason: 'not-allowed',
          why: `${id} was not run: what has the impact ${formatImpacts(impacts)} must be written into the audit log first. ${why}`,
        };
      },
      ended: async ({ id, impacts }, { startTime }, evidence) => {
        const note = { ...about(request), probe: id, impacts: [...impacts], startTime };
        await write({ event: 'step-ended', ...note, outcome: endWords(evidence) });
      },
    }),
  };
};
