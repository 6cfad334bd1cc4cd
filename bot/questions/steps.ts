import { impactsNotAllowed, type Step } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp } from '../follow-up.ts';
import type { Asker } from '../policy.ts';

/** The thread commands that run a playbook which this site has, with all that it may do to the process. */
const tools = ({ followUps, playbooks }: Pick<BotContext, 'followUps' | 'playbooks'>) =>
  [...followUps.values()].flatMap((followUp) => {
    const playbook = playbooks.find(({ id }) => id === followUp.playbook);
    return playbook === undefined ? [] : [{ followUp, playbook }];
  });

const stepOf = ({ verb, summary, takes }: FollowUp, playbook: string): Step => ({
  verb,
  playbook,
  summary,
  ...(takes === undefined ? {} : { takes }),
});

/** What a model may ask for by itself: tools of which no step can be noticed by the process. */
export const harmlessSteps = (bot: Pick<BotContext, 'followUps' | 'playbooks'>): Step[] =>
  tools(bot)
    .filter(({ playbook }) => playbook.impacts.every((impact) => impact === 'none'))
    .map(({ followUp, playbook }) => stepOf(followUp, playbook.id));

/** What this person can be offered here: what they may have, at once or when somebody says yes. Throws SlackAway. */
export const offeredSteps = async (who: Asker, host: string, bot: BotContext): Promise<Step[]> => {
  const allowed = await bot.policy.allowed(who, host);
  const steps: Step[] = [];
  for (const { followUp, playbook } of tools(bot)) {
    const impacts = impactsNotAllowed(playbook.impacts, allowed);
    const question = { host, impacts, requester: who.user };
    if (impacts.length > 0 && (await bot.policy.approvers(who.channel, question)) === null) continue;
    steps.push(stepOf(followUp, playbook.id));
  }
  return steps;
};
