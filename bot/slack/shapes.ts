import type { KnownBlock } from '@slack/types';
import { z } from 'zod';

/** What a message of ours is recognised by after a crash. Written into Slack's message metadata. */
export const Mark = z.object({
  request_id: z.string(),
  part: z.string(),
  host: z.string().optional(),
  pid: z.number().optional(),
  playbook: z.string().optional(),
  window_seconds: z.number().optional(),
  /** The first message of an alert group, which shows the alert and not a look. */
  alert: z.boolean().optional(),
});
export type Mark = z.infer<typeof Mark>;

export const MARK_EVENT = 'straceback_part';

/** What is shown: blocks, and the same in short as text for notifications. `text` is mrkdwn and already escaped. */
export interface Content {
  readonly text: string;
  readonly blocks: readonly KnownBlock[];
}

const Shaped = z.looseObject({ type: z.string() });

/** A message of a channel or thread, as far as the bot looks at it. */
export const Message = z.object({
  ts: z.string(),
  text: z.string().optional(),
  bot_id: z.string().optional(),
  user: z.string().optional(),
  thread_ts: z.string().optional(),
  metadata: z.object({ event_type: z.string(), event_payload: z.unknown() }).optional(),
  files: z.array(z.unknown()).optional(),
  /** Ours, as we gave them; Slack adds ids. */
  blocks: z.array(z.custom<KnownBlock>((block) => Shaped.safeParse(block).success)).optional(),
});
export type Message = z.infer<typeof Message>;

/** One page of a channel or thread. */
export const Page = z.object({
  messages: z.array(Message).default([]),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
});

/** What Slack says of a person, as far as the bot asks. */
export const Person = z.object({
  id: z.string(),
  name: z.string().optional(),
  real_name: z.string().optional(),
  team_id: z.string().optional(),
  deleted: z.boolean().optional(),
  is_bot: z.boolean().optional(),
  is_restricted: z.boolean().optional(),
  is_ultra_restricted: z.boolean().optional(),
  is_stranger: z.boolean().optional(),
  /** Their language, `zh-CN`; in the answer when it is asked for. */
  locale: z.string().max(35).optional(),
});
export type Person = z.infer<typeof Person>;
