import { z } from 'zod';
import { UnitId } from './request.ts';

/** One step of a playbook. Its phase and impact are the probe's. */
export const PlaybookStep = z.strictObject({
  probe: UnitId,
  /** `always`: run it. `wanted`: only if a cause says that it would decide something. Default: by the probe's phase. */
  when: z.enum(['always', 'wanted']).optional(),
  options: z.record(z.string(), z.unknown()).default({}),
});
export type PlaybookStep = z.infer<typeof PlaybookStep>;

/** An ordered list of probe steps for a symptom. A YAML file whose name is its id. */
export const Playbook = z.strictObject({
  id: UnitId,
  title: z.string().min(1).max(120),
  description: z.string().min(1).max(500),
  /** The probe whose output is the answer: this is a tool that somebody asks for, not a diagnosis. */
  shows: UnitId.optional(),
  windowSeconds: z.number().min(0.5).max(60).default(3),
  steps: z.array(PlaybookStep).min(1).max(40),
});
export type Playbook = z.infer<typeof Playbook>;
