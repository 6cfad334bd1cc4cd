import { AuditUnavailable } from '../../infra/audit.ts';
import { formatImpacts, type Impact, impactsNotAllowed } from '../../playbooks/model/index.ts';
import type { BotContext, PlaybookSummary } from '../context.ts';
import type { Approvers, Asker } from '../policy.ts';
import { SlackAway } from '../slack/errors.ts';

/** Whether a look may be made as it was asked for. */
export type Gate =
  | { readonly way: 'open'; readonly allow: readonly Impact[] }
  /** Somebody has to say yes to `needs` first; then it may have the impacts `allow`. */
  | {
      readonly way: 'ask';
      readonly allow: readonly Impact[];
      readonly needs: readonly Impact[];
      readonly approvers: Approvers;
    }
  /** Nobody could say yes. `allow` is what it may have all the same. */
  | { readonly way: 'closed'; readonly allow: readonly Impact[]; readonly sentence: string };

/**
 * The impacts without which a playbook is not what was asked for: those of the steps that it runs in any case. Steps that are run
 * only when some cause wants them are left out where they are not allowed, and nobody is asked.
 */
const essential = ({ impacts, harmful }: PlaybookSummary): readonly Impact[] =>
  harmful === undefined
    ? impacts
    : [...new Set(harmful.filter(({ always }) => always).flatMap((step) => step.impacts))];

/** Weighs what was asked for against the policy. Throws SlackAway when a group has to be asked and Slack is away. */
export const gate = async (
  who: Asker,
  { host, playbook }: { readonly host: string; readonly playbook: string },
  { policy, playbooks, audit, log }: Pick<BotContext, 'policy' | 'playbooks' | 'audit' | 'log'>,
): Promise<Gate> => {
  const allow = await policy.allowed(who, host);
  const summary = playbooks.find(({ id }) => id === playbook);
  const needs = summary === undefined ? [] : impactsNotAllowed(essential(summary), allow);
  if (needs.length === 0) return { way: 'open', allow };
  const approvers = await policy.approvers(who.channel, { host, impacts: needs, requester: who.user });
  if (approvers !== null) return { way: 'ask', allow: [...new Set([...allow, ...needs])], needs, approvers };
  const sentence = `I may not do that here: \`${playbook}\` has the impact \`${formatImpacts(needs)}\`, and the policy of this bot allows you \`${formatImpacts(allow)}\` on \`${host}\` and names nobody who could approve more. Run it by hand, or have the policy changed.`;
  try {
    const { user, team, channel } = who;
    await audit.write({ event: 'denied', user, team, channel, host, playbook, impacts: [...needs], outcome: 'policy' });
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    log.error({ host, playbook, error: String(error.cause) }, 'audit log not written');
  }
  return { way: 'closed', allow, sentence };
};

/**
 * The playbooks that would ask for an approval of the steps which are left out of this one; none when nobody could approve them,
 * or when Slack does not say who could: it is a hint, and no look waits for it.
 */
export const couldAsk = async (
  who: Asker,
  { host, playbook }: { readonly host: string; readonly playbook: string },
  allow: readonly Impact[],
  { policy, playbooks }: Pick<BotContext, 'policy' | 'playbooks'>,
): Promise<string[]> => {
  const harmful = playbooks.find(({ id }) => id === playbook)?.harmful ?? [];
  const left = harmful.filter(({ impacts }) => impactsNotAllowed(impacts, allow).length > 0);
  if (left.length === 0) return [];
  const impacts = impactsNotAllowed([...new Set(left.flatMap((step) => step.impacts))], allow);
  try {
    if ((await policy.approvers(who.channel, { host, impacts, requester: who.user })) === null) return [];
  } catch (error) {
    if (error instanceof SlackAway) return [];
    throw error;
  }
  const probes = new Set(left.map(({ probe }) => probe));
  const asksFor = (one: PlaybookSummary) => one.harmful?.some(({ probe, always }) => always && probes.has(probe));
  return playbooks.filter(asksFor).map(({ id }) => id);
};
