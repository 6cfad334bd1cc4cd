import { MARK_EVENT, Mark } from '../../bot/slack/shapes.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';

/** What a look's answer begins with; each look has one of them, once. */
export const FINAL_PARTS: readonly string[] = ['report-1', 'failure', 'refusal'];

/** What the bot marked a message with; null for messages of others and without a mark. */
export const markIn = ({ bot_id: bot, metadata }: SlackMessage): Mark | null => {
  if (bot === undefined || typeof metadata !== 'object' || metadata === null) return null;
  const { event_type: type, event_payload: payload } = metadata as { event_type?: unknown; event_payload?: unknown };
  return type === MARK_EVENT ? (Mark.safeParse(payload).data ?? null) : null;
};
