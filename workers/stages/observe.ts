import {
  type Evidence,
  evidenceErrorText,
  type Observation,
  type Parsed,
  type StepContext,
} from '../../playbooks/model/index.ts';
import type { PlannedStep } from './plan.ts';

const endings: Record<Exclude<Evidence['end'], 'exited'>, (probe: string) => Observation<never>> = {
  'timed-out': (probe) => ({
    seen: false,
    reason: 'timed-out',
    why: `${probe} did not finish in its time and was ended`,
  }),
  'target-gone': (probe) => ({
    seen: false,
    reason: 'target-gone',
    why: `the process had ended before ${probe} could look`,
  }),
  'connection-lost': (probe) => ({
    seen: false,
    reason: 'connection-lost',
    why: `the connection to the host was lost while ${probe} ran`,
  }),
};

/** A parser must not throw; if one does, that is an answer too and not the end of the look. */
const safeParse = (step: PlannedStep, evidence: Evidence, context: StepContext): Parsed<unknown> => {
  try {
    return step.probe.parse(evidence, context);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, reason: 'not-parsable', why: `the output of ${step.probe.id} could not be read (${why})` };
  }
};

/**
 * Reads an observation out of evidence. What a step printed before its time was up, or before its target ended, is
 * read too when it can be, and then marked as partial.
 */
export const observe = (step: PlannedStep, evidence: Evidence, context: StepContext): Observation<unknown> => {
  const { probe } = step;
  const cutShort = evidence.end === 'exited' ? null : endings[evidence.end](probe.id);
  if (cutShort !== null && evidence.stdout.length === 0) return cutShort;
  const parsed = safeParse(step, evidence, context);
  if (!parsed.ok) {
    if (cutShort !== null) return cutShort;
    const said = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200);
    const missing = evidence.exit === 127 && parsed.reason === 'not-parsable';
    return {
      seen: false,
      reason: missing ? 'missing-tool' : parsed.reason,
      why: said !== undefined && said !== '' && missing ? `${parsed.why}: ${said}` : parsed.why,
    };
  }
  const checked = probe.data.safeParse(parsed.data);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    return {
      seen: false,
      reason: 'not-parsable',
      why: `the output of ${probe.id} makes no sense at ${issue?.path.join('.') ?? 'its start'} (${issue?.message ?? 'unknown'})`,
    };
  }
  const partly = [...(parsed.partly ?? [])];
  if (cutShort !== null && !cutShort.seen) partly.push(cutShort.why);
  if (evidence.dropped > 0) partly.push(`the output of ${probe.id} was cut: ${evidence.dropped} bytes are missing`);
  return { seen: true, evidenceId: evidence.id, data: checked.data, partly };
};
