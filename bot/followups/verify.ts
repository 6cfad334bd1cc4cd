import { hasFault } from '../../playbooks/verify.ts';
import type { FollowUp } from '../follow-up.ts';
import { requestIdOf } from '../request-id.ts';
import { lastLook } from './last-look.shared.ts';

/** After a fix: looks at the process that is there now in the place of the thread's, and says whether the cause is gone. */
export const verify: FollowUp = {
  verb: 'verify',
  usage: '',
  summary: 'after a fix: find the process that took the place of this one, look again, and compare before and after',
  run: async (said, bot) => {
    const { mention, thread } = said;
    if (thread === null) return 'Say `verify` in a thread that I opened.';
    const last = (await lastLook(said, bot, hasFault)) ?? (await lastLook(said, bot));
    if (last === null)
      return 'I have no finished look of this thread any more to compare with: they are kept for a day. Say `again` for a new one.';
    const { target, id: before } = last.report;
    const { host, pid, startTime, command, unit, ports } = target;
    const place = { ...(unit === undefined ? {} : { unit }), ...(ports === undefined ? {} : { ports }) };
    await bot.queue.find({
      id: `verify-${requestIdOf(mention.team, mention.id)}`,
      host,
      asker: { team: mention.team, channel: mention.channel, user: mention.user },
      selector: { kind: 'successor', pid, startTime, command, ...place },
      handTo: { errand: 'verify-found', data: { mention, thread, before } },
    });
    const { workers } = await bot.queue.status();
    return workers === 0 ? 'No worker is running now; I verify when one does.' : null;
  },
};
