import type { Request } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';
import type { Said } from '../follow-up.ts';

/**
 * What the thread's first look learnt of its process, while that is kept: a process that has taken over its pid is not
 * looked at in its place, and if it has gone, what runs instead can be found. Empty for another process. Throws
 * QueueUnavailable.
 */
export const knownOf = async (
  thread: Said['thread'],
  { host, pid }: { readonly host?: string | undefined; readonly pid?: number | undefined },
  { queue }: Pick<BotContext, 'queue'>,
): Promise<Pick<Request, 'startTime' | 'was'>> => {
  if (thread === null) return {};
  const answer = await queue.answerTo(thread.mark.request_id);
  if (answer?.outcome.kind !== 'report') return {};
  const { target } = answer.outcome.report;
  if (target.host !== host || target.pid !== pid) return {};
  const { startTime, command, unit, ports } = target;
  return {
    startTime,
    was: { command, ...(unit === undefined ? {} : { unit }), ...(ports === undefined ? {} : { ports }) },
  };
};
