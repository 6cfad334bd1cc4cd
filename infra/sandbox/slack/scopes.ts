import type { Slack } from './context.ts';
import { SlackError } from './slack-error.ts';

/** The scope that a method asks for, where it does not depend on the channel (docs.slack.dev/reference/methods). */
const NEEDED: Readonly<Record<string, string>> = {
  'bots.info': 'users:read',
  'chat.delete': 'chat:write',
  'chat.postEphemeral': 'chat:write',
  'chat.postMessage': 'chat:write',
  'chat.update': 'chat:write',
  'files.completeUploadExternal': 'files:write',
  'files.getUploadURLExternal': 'files:write',
  'reactions.add': 'reactions:write',
  'team.info': 'team:read',
  'usergroups.list': 'usergroups:read',
  'usergroups.users.list': 'usergroups:read',
  'users.info': 'users:read',
  'users.list': 'users:read',
};

/** Methods that ask for `channels:…` in an open channel and `groups:…` in a closed one. */
const BY_CHANNEL: Readonly<Record<string, 'history' | 'read'>> = {
  'conversations.history': 'history',
  'conversations.replies': 'history',
  'conversations.info': 'read',
  'conversations.members': 'read',
};

/** What an app has that was installed with everything that this Slack's methods ask for. */
export const ALL_SCOPES: readonly string[] = [
  ...new Set([
    'app_mentions:read',
    'channels:history',
    'channels:read',
    'commands',
    'groups:history',
    'groups:read',
    ...Object.values(NEEDED),
  ]),
].sort();

/** Each kind of channel that is asked for by `types` has a scope of its own. */
function checkTypes(slack: Slack, { types = 'public_channel' }: Record<string, unknown>): void {
  const { scopes } = slack.settings;
  const kinds: Readonly<Record<string, string>> = { public_channel: 'channels', private_channel: 'groups' };
  for (const type of String(types).split(',')) {
    const needed = `${kinds[type] ?? type}:read`;
    if (!scopes.includes(needed)) throw new SlackError('missing_scope', [], { needed, provided: scopes.join(',') });
  }
}

/** Refuses a bot's call that its token has no scope for, as Slack does: with what is needed and what is there. */
export function checkScope(slack: Slack, method: string, args: Record<string, unknown>): void {
  const kind = BY_CHANNEL[method];
  const channel = slack.state.world.channels.find(({ id }) => id === args.channel);
  const needed =
    kind === undefined
      ? NEEDED[method]
      : channel?.kind === 'im'
        ? undefined
        : `${channel?.isPrivate === true ? 'groups' : 'channels'}:${kind}`;
  if (method === 'users.conversations') checkTypes(slack, args);
  const { scopes } = slack.settings;
  if (needed === undefined || scopes.includes(needed)) return;
  throw new SlackError('missing_scope', [], { needed, provided: scopes.join(',') });
}
