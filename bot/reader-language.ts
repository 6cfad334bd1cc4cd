import type { BotQueue } from '../infra/queue/bot-side.ts';
import type { Access } from './access.ts';

/**
 * The queue with each request told in which language who asked for it reads. Access has been checked just before, so that it
 * is known without asking Slack again; where it is not (another bot did that), the site's language is taken.
 */
export const queueForReaders = (queue: BotQueue, access: Access): BotQueue => ({
  ...queue,
  enqueue: async (request) => {
    const { origin } = request;
    const locale = origin.kind === 'slack' ? access.localeOf(origin.user) : null;
    if (origin.kind !== 'slack' || locale === null) return await queue.enqueue(request);
    return await queue.enqueue({ ...request, origin: { ...origin, locale } });
  },
});
