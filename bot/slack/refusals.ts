import type { SlackRefused } from './errors.ts';

/** What somebody can do about Slack's refusal to let the bot post, as one sentence. `botId` is the bot's user id. */
export const refusalSentence = ({ code }: SlackRefused, botUserId: string): string => {
  switch (code) {
    case 'not_in_channel':
    case 'channel_not_found':
      return `I am not in this channel. Invite me with \`/invite\` <@${botUserId}> and ask again.`;
    case 'is_archived':
      return 'This channel is archived, so I cannot open a thread in it. Ask in another one.';
    case 'missing_scope':
    case 'not_allowed_token_type':
      return 'Slack does not let me post here: my app lacks a permission. An admin has to install it again from its manifest.';
    case 'restricted_action':
    case 'restricted_action_read_only_channel':
    case 'restricted_action_thread_only_channel':
      return 'The rules of this channel do not let me post here. Ask in another one.';
    default:
      return `Slack refuses my message in this channel (${code}). Ask in another one, or tell an admin.`;
  }
};
