import type { Report } from '../../playbooks/model/index.ts';
import { buttonRow } from '../buttons.ts';
import type { BotContext } from '../context.ts';
import type { Approvers } from '../policy.ts';
import { postOnce } from '../thread/post-once.ts';
import { noted } from './noted.ts';
import { listApproval } from './open.ts';
import { approvalMark, wantedContent } from './show.ts';
import type { LastSeen, Wanted } from './wanted.ts';

/** The errand that ends what nobody has decided. */
export const OVER_ERRAND = 'approval-over';

/** What a report knows of its process, for the estimate. */
export const lastSeenOf = ({ target, figures }: Report): LastSeen => ({
  startTime: target.startTime,
  command: target.command,
  ...(figures?.rssKib === undefined ? {} : { rssKib: figures.rssKib }),
  ...(figures?.swapKib === undefined ? {} : { swapKib: figures.swapKib }),
  ...(figures?.threads === undefined ? {} : { threads: figures.threads }),
});

/**
 * Posts the question for an approval into the thread, with its buttons, and sets its end. Safe to repeat. Throws to be called
 * again, and SlackRefused.
 */
export const askForApproval = async (
  asked: Omit<Wanted, 'until'>,
  approvers: Approvers,
  attempt: number,
  bot: BotContext,
): Promise<void> => {
  const { slack, me, queue, policy } = bot;
  const seconds = policy.approvalSeconds;
  const wanted: Wanted = { ...asked, until: queue.now() + seconds * 1_000 };
  const buttons = await buttonRow(
    bot,
    [
      { action: 'approve', label: 'Approve', data: wanted, style: 'primary' },
      { action: 'refuse', label: 'Refuse', data: wanted, style: 'danger' },
    ],
    { oneOf: true, seconds },
  );
  const { text, blocks } = wantedContent(wanted, approvers, bot);
  const place = { channel: wanted.channel, threadTs: wanted.threadTs, since: wanted.asked.requestedAt };
  const content = { text, blocks: [...blocks, buttons] };
  const messageTs = await postOnce(slack, me.botId, place, content, approvalMark(wanted), attempt);
  await listApproval(bot, { wanted, messageTs });
  await noted(bot, 'approval-asked', wanted, wanted.user);
  const id = `${OVER_ERRAND}-${wanted.asked.id}`;
  const errand = { kind: 'errand', id, errand: OVER_ERRAND, data: { wanted, messageTs }, at: queue.now() } as const;
  await queue.accept(errand, Math.max(0, wanted.until - queue.now()));
};
