import { z } from 'zod';
import type { Origin, Request } from '../../playbooks/model/index.ts';
import { inLanguage } from '../../playbooks/words/index.ts';
import { buttonRow } from '../buttons.ts';
import type { BotContext } from '../context.ts';
import { Mark } from '../slack/shapes.ts';
import { showingMark } from './first-message.ts';
import { postOnce } from './post-once.ts';

type SlackOrigin = Extract<Origin, { kind: 'slack' }>;

/** What every button under a report is made with: the look that it is about. */
export const AboutLook = z.object({
  threadTs: z.string(),
  /** What the message that shows the look carries, so that what follows is about the same process. */
  look: Mark,
});
export type AboutLook = z.infer<typeof AboutLook>;

/** The units of `bot/actions/`, and what their buttons say. */
const LABELS = [
  ['again', 'Look again'],
  ['trace', 'Trace 10 s'],
  ['core', 'Take a core…'],
  ['evidence', 'Evidence'],
  ['why', 'Why'],
  ['resolve', 'Resolve'],
  ['wrong-diagnosis', 'Wrong diagnosis'],
] as const;

/** Posts what can be done next under a report, once. Throws SlackRefused, SlackAway and QueueUnavailable. */
export const offerButtons = async (
  request: Request,
  origin: SlackOrigin,
  attempt: number,
  bot: BotContext,
): Promise<void> => {
  const look = showingMark(request, origin.messageTs === undefined ? 'first' : 'look');
  const data: AboutLook = { threadTs: origin.threadTs, look };
  const language = bot.languages.ofLook(origin);
  const row = await buttonRow(
    bot,
    LABELS.map(([action, label]) => ({ action, label: inLanguage(label, language), data })),
  );
  const content = { text: inLanguage('What next?', language), blocks: [row] };
  const place = { channel: origin.channel, threadTs: origin.threadTs, since: request.requestedAt };
  await postOnce(bot.slack, bot.me.botId, place, content, { request_id: request.id, part: 'buttons' }, attempt);
};
