/** What the bot's token has to be allowed; the same as in infra/deploy/slack-app-manifest.yaml, which a test checks. */
export const BOT_SCOPES: readonly string[] = [
  'app_mentions:read',
  'channels:history',
  'channels:read',
  'chat:write',
  'commands',
  'files:write',
  'groups:history',
  'groups:read',
  'usergroups:read',
  'users:read',
];
