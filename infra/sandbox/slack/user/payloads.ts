import type { Slack } from '../context.ts';
import type { WorldUser } from '../world.ts';

/** What every interaction payload says of the app, the team and the person. */
export function interactionBase(slack: Slack, user: WorldUser) {
  const { team, otherTeam, app } = slack.state.world;
  const home = user.teamId === team.id ? team : otherTeam;
  return {
    api_app_id: app.id,
    token: slack.secrets.verificationToken,
    team: { id: home.id, domain: home.domain },
    enterprise: null,
    is_enterprise_install: false,
    user: { id: user.id, username: user.name, name: user.name, team_id: user.teamId },
  };
}

/** An `action_ts`. */
export function actionTs(slack: Slack): string {
  return slack.state.nextTs();
}
