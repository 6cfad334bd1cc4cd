import { z } from 'zod';
import { HARMLESS_BY_DEFAULT, Impact } from '../playbooks/model/index.ts';
import { HostPattern } from './globs.ts';

const ids = (letters: string, what: string) =>
  z
    .array(z.string().regex(new RegExp(`^[${letters}][A-Z0-9]{2,20}$`), `is not ${what}`))
    .min(1, 'must name at least one; leave it out to mean all');

const Impacts = z.array(Impact);

/**
 * One rule: these people, in these channels, on these hosts, may have these impacts (`allow`), and may say yes to them for others
 * (`approve`). What is left out means all; what is given must not be empty, so that a slip never means everybody.
 */
export const PolicyRule = z
  .strictObject({
    /** Slack's ids of people. */
    people: ids('UW', "a person's id as Slack shows it in a profile (U…)").optional(),
    /** Slack's ids of user groups. Who is in one is asked of Slack, at most every five minutes. */
    groups: ids('S', "a user group's id as Slack has it (S…)").optional(),
    channels: ids('CGD', "a channel's id as Slack shows it in the channel's details (C…)").optional(),
    hosts: z.array(HostPattern).min(1, 'must name at least one; leave it out to mean all').optional(),
    allow: Impacts.default([]),
    approve: Impacts.default([]),
  })
  .refine(({ allow, approve }) => allow.length + approve.length > 0, {
    message: 'gives nothing: add allow or approve',
  });
export type PolicyRule = z.infer<typeof PolicyRule>;

/** Who may do what to which host. */
export const PolicySettings = z.strictObject({
  /** What every member may do to every host without anybody's yes. */
  allow: Impacts.default([...HARMLESS_BY_DEFAULT]),
  /** Whether somebody who may approve may approve what they asked for themselves. For small teams. */
  selfApproval: z.boolean().default(false),
  /** How long an approval can be given, and how long after it the look must begin. */
  approvalSeconds: z.number().int().min(30).max(3600).default(600),
  rules: z.array(PolicyRule).max(500).default([]),
});
export type PolicySettings = z.infer<typeof PolicySettings>;
