import type { KnownBlock } from '@slack/types';
import { z } from 'zod';
import type { Press } from '../../infra/queue/messages.ts';
import type { KeptButton } from '../buttons.ts';
import type { BotContext } from '../context.ts';
import { SlackRefused } from '../slack/errors.ts';
import type { Content } from '../slack/shapes.ts';
import { amend } from './amend.ts';
import { escaped } from './rich-text.ts';

/** What was pressed in one message, in the order in which it counted. */
const PressedHere = z.array(z.object({ token: z.string(), group: z.string(), label: z.string(), user: z.string() }));
type PressedHere = z.infer<typeof PressedHere>;

const KIND = 'pressed-here';
/** As long as a button may be pressed and told that it is late. */
const KEEP_SECONDS = 30 * 24 * 3600;
/** The line that says who pressed what. */
const LINE_ID = 'straceback-pressed';
/** More would not fit into one line of Slack's 3,000 characters. */
const MAX_SHOWN = 20;

/** Without the buttons that have been used up. A list has its token in the block's id, a row that ends as a whole its group. */
const withoutUsed = (blocks: readonly KnownBlock[], pressed: PressedHere): KnownBlock[] => {
  const used = new Set(pressed.flatMap(({ token, group }) => [token, group]));
  return blocks.flatMap((block): KnownBlock[] => {
    if (block.block_id === LINE_ID || (block.block_id !== undefined && used.has(block.block_id))) return [];
    if (block.type !== 'actions') return [block];
    const elements = block.elements.filter(
      (element) => !(element.type === 'button' && element.value !== undefined && used.has(element.value)),
    );
    return elements.length === 0 ? [] : [{ ...block, elements }];
  });
};

/** A message's content with who pressed what in the place of the buttons. Pure. */
export const withPressed = ({ text, blocks }: Content, pressed: PressedHere): Content => {
  const lines = pressed.slice(-MAX_SHOWN).map(({ user, label }) => `<@${user}> pressed *${escaped(label)}*`);
  const line: KnownBlock = {
    type: 'context',
    block_id: LINE_ID,
    elements: [{ type: 'mrkdwn', text: lines.join(' · ') }],
  };
  return { text, blocks: [...withoutUsed(blocks, pressed), line] };
};

/**
 * Shows who pressed a button, in the place of the button. Safe to repeat, and by several bots at once: what was pressed is
 * kept beside the message, so that no edit takes another's line away. Throws to be called again.
 */
export const showPressed = async (press: Press, button: KeptButton, bot: BotContext): Promise<void> => {
  const { notes } = bot.queue;
  const { channel, messageTs, threadTs, token, user } = press;
  const id = `${channel}-${messageTs}`;
  await bot.queue.alone(KIND, id, async () => {
    const before = PressedHere.safeParse(await notes.get(KIND, id)).data ?? [];
    const mine = { token, group: button.group, label: button.label, user };
    const pressed = before.some((one) => one.token === token) ? before : [...before, mine];
    await notes.set(KIND, id, pressed, KEEP_SECONDS);
    try {
      await amend(bot, { channel, ts: messageTs, threadTs }, (content) => withPressed(content, pressed));
    } catch (error) {
      if (!(error instanceof SlackRefused)) throw error;
      bot.log.warn({ channel, code: error.code, method: error.method }, 'pressed button cannot be replaced');
    }
  });
};
