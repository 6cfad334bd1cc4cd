import type { Slack } from '../context.ts';
import type { Ack, AckFailure } from '../delivery.ts';
import { botMessage } from '../posting.ts';
import { addEphemeral, type ResponseTarget, respondTo } from '../response-urls.ts';
import { SlackError } from '../slack-error.ts';
import type { SlackMessage } from '../types.ts';
import { findChannel, type WorldUser } from '../world.ts';

export interface SlashResult {
  ack: Ack;
  triggerId: string;
  responseUrl: string;
  /** What the app has answered so far, in its acknowledgement and through the response URL; grows. */
  responses: SlackMessage[];
}

const FAILURES: Record<AckFailure, string> = {
  timeout: 'operation_timeout',
  no_connection: 'dispatch_failed',
  http_error: 'http_service_error',
};

/** Sends a slash command and shows what comes back, or Slackbot's sentence about its failure. */
export async function runCommand(
  slack: Slack,
  user: WorldUser,
  command: string,
  text: string,
  where: string,
): Promise<SlashResult> {
  if (!slack.settings.commands.includes(command)) throw new Error(`${command} is not a valid command`);
  const channel = findChannel(slack.state.world, where);
  if (!channel.members.includes(user.id)) throw new Error(`${user.name} is not in #${channel.name}`);
  const { team, otherTeam, app } = slack.state.world;
  const home = user.teamId === team.id ? team : otherTeam;
  const target: ResponseTarget = { user: user.id, channel: channel.id, responses: [] };
  const responseUrl = `${slack.origin()}${slack.responseUrls.issue(target)}`;
  const triggerId = slack.triggers.issue({ user: user.id });
  const ack = await slack.delivery.ask('slash_commands', {
    token: slack.secrets.verificationToken,
    team_id: home.id,
    team_domain: home.domain,
    channel_id: channel.id,
    channel_name: channel.kind === 'im' ? 'directmessage' : channel.name,
    user_id: user.id,
    user_name: user.name,
    command,
    text,
    api_app_id: app.id,
    is_enterprise_install: 'false',
    response_url: responseUrl,
    trigger_id: triggerId,
  });
  if (!ack.acked) {
    tellPrivately(slack, target, `${command} failed with the error "${FAILURES[ack.reason]}"`);
  } else if (hasContent(ack.payload)) {
    answer(slack, target, command, ack.payload);
  }
  return { ack, triggerId, responseUrl, responses: target.responses };
}

function hasContent(payload: unknown): boolean {
  return typeof payload === 'object' && payload !== null && ('text' in payload || 'blocks' in payload);
}

function answer(slack: Slack, target: ResponseTarget, command: string, payload: unknown): void {
  try {
    respondTo(slack, target, payload);
  } catch (error) {
    const code = error instanceof SlackError ? error.code : 'invalid_arguments';
    tellPrivately(slack, target, `${command} failed with the error "${code}"`);
  }
}

/** Slackbot's word to one person. */
function tellPrivately(slack: Slack, target: ResponseTarget, text: string): void {
  const { bot_id: _bot, app_id: _app, bot_profile: _profile, ...message } = botMessage(slack, target.channel, { text });
  addEphemeral(slack, { ...message, user: 'USLACKBOT' }, target.user);
}
