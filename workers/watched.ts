import type { LookCount } from '../infra/metrics/counts.ts';
import type { LookResult } from '../infra/queue/worker-side.ts';
import type { Report } from '../playbooks/model/index.ts';

/** Findings that are weaker are hints. */
const SURE = 0.5;

const ofReport = ({ findings, impact }: Report): Omit<LookCount, 'seconds'> => {
  const [first] = findings;
  const stallMs = impact.longestStallMs;
  if (first === undefined || first.confidence < SURE) return { outcome: 'unclear', cause: 'none', stallMs };
  return { outcome: first.cause === 'healthy' ? 'healthy' : 'fault', cause: first.cause, stallMs };
};

/** What a look counts as. */
export const lookCount = ({ outcome }: LookResult, seconds: number): LookCount =>
  outcome.kind === 'report'
    ? { ...ofReport(outcome.report), seconds }
    : { outcome: outcome.failure.code, cause: 'none', stallMs: null, seconds };
