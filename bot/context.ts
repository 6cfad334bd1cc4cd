import type { AlertRouting } from '../infra/alert-routes.ts';
import type { Audit } from '../infra/audit.ts';
import type { History } from '../infra/history/history.ts';
import type { Log } from '../infra/log.ts';
import type { BotQueue } from '../infra/queue/bot-side.ts';
import type { HarmfulStep } from '../playbooks/harm.ts';
import type { Impact } from '../playbooks/model/index.ts';
import type { Access } from './access.ts';
import type { Action } from './action.ts';
import type { Command } from './command.ts';
import type { ErrandUnit } from './errand.ts';
import type { FollowUp } from './follow-up.ts';
import type { Languages } from './language.ts';
import type { Policy } from './policy.ts';
import type { SlackApi } from './slack/api.ts';
import type { Audiences } from './slack/audience.ts';

/** What the bot knows of a playbook: enough to offer it. */
export interface PlaybookSummary {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly impacts: readonly Impact[];
  /** Its steps that the process may notice; what an approval shows. */
  readonly harmful?: readonly HarmfulStep[];
}

/** What the bot knows of a cause: enough to name it. */
export interface CauseSummary {
  readonly id: string;
  readonly title: string;
}

/** The hosts of the site. */
export interface KnownHosts {
  /** Names worth offering to somebody who mistyped one. */
  readonly names: readonly string[];
  /** Whether a name can be reached; rules may know more names than are listed. */
  readonly known: (name: string) => boolean;
  /** Those rules, as `web-*`. */
  readonly patterns?: readonly string[];
}

/** What every part of the bot works with. Nothing in it is a memory of threads. */
export interface BotContext extends Audiences {
  readonly slack: SlackApi;
  readonly queue: BotQueue;
  readonly hosts: KnownHosts;
  readonly playbooks: readonly PlaybookSummary[];
  readonly causes: readonly CauseSummary[];
  readonly policy: Policy;
  readonly alerts: AlertRouting;
  readonly access: Access;
  readonly languages: Languages;
  readonly log: Log;
  /** Where requests, approvals and refusals are written down. */
  readonly audit: Audit;
  /** What was found before; null when none is kept. */
  readonly history: History | null;
  /** The bot's own ids, and the address of its workspace with a slash at the end. */
  readonly me: { readonly teamId: string; readonly userId: string; readonly botId: string; readonly url: string };
  readonly commands: ReadonlyMap<string, Command>;
  readonly followUps: ReadonlyMap<string, FollowUp>;
  readonly actions: ReadonlyMap<string, Action>;
  readonly errands: ReadonlyMap<string, ErrandUnit>;
  /** How often a watch looks, ms; shorter in tests. */
  readonly watchEveryMs?: number | undefined;
}
