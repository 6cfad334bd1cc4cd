import {
  HostName,
  type Impact,
  impactsNotAllowed,
  readSelector,
  type Selector,
  selectorText,
} from '../../playbooks/model/index.ts';
import { code, list } from '../../playbooks/reading/text.ts';
import type { Asked, Command } from '../command.ts';
import type { BotContext } from '../context.ts';
import { requestIdOf } from '../request-id.ts';
import { nearest, quoted } from '../words.ts';

/** What was asked for, understood. */
type Understood = {
  readonly host: string;
  readonly playbook: string;
  readonly windowSeconds?: number;
} & ({ readonly pid: number } | { readonly selector: Selector });

const USAGE =
  'Ask like this: `/diagnose HOST PID [playbook] [seconds]`, for example `/diagnose web-7 6325` or `/diagnose web-7 port:8080`.';
const DEFAULT_PLAYBOOK = 'triage';
const SECONDS = /^(\d{1,3}(?:\.\d{1,3})?)s?$/i;

const codes = (words: readonly string[]): string =>
  list(
    words.map((word) => `\`${word}\``),
    'or',
  );

/** `Did you mean …?` for names that are near, else the names there are. */
const instead = (word: string, names: readonly string[], what: string): string => {
  const near = nearest(word, names);
  if (near.length > 0) return `Did you mean ${codes(near)}?`;
  if (names.length === 0) return '';
  const shown = names.slice(0, 12);
  return `${what}: ${list(shown.map((name) => `\`${name}\``))}${names.length > shown.length ? ` and ${names.length - shown.length} more` : ''}.`;
};

const hostProblem = (host: string, alone: boolean, bot: BotContext): string | null => {
  const verbs = alone ? nearest(host, [...bot.commands.keys()]) : [];
  if (verbs.length > 0)
    return `I do not know ${quoted(host)}. Did you mean ${codes(verbs.map((verb) => `/diagnose ${verb}`))}?`;
  if (!HostName.safeParse(host).success) {
    return `${quoted(host)} is not a host name: only letters, digits, dots, dashes and underscores. ${USAGE}`;
  }
  if (bot.hosts.known(host)) return null;
  return `I know no host called ${quoted(host)}. ${instead(host, bot.hosts.names, 'I know')}`.trim();
};

/** Reads `HOST PID [playbook] [seconds]`; a sentence for the asker when it cannot. */
export const readLook = (words: readonly string[], bot: BotContext): Understood | string => {
  const [host, pid, ...rest] = words;
  if (host === undefined) return USAGE;
  const problem = hostProblem(host, pid === undefined, bot);
  if (problem !== null) return problem;
  if (pid === undefined) return `Which process on \`${host}\`? ${USAGE}`;
  const selector = readSelector(pid);
  if (typeof selector === 'string') return `${quoted(pid)} names no process: ${selector}. ${USAGE}`;
  let playbook: string | undefined;
  let windowSeconds: number | undefined;
  for (const word of rest) {
    const seconds = SECONDS.exec(word)?.[1];
    if (seconds !== undefined && windowSeconds === undefined) {
      windowSeconds = Number(seconds);
      if (windowSeconds < 0.5 || windowSeconds > 60) return `I can look for 0.5 to 60 seconds, not ${quoted(word)}.`;
    } else if (seconds === undefined && playbook === undefined) {
      playbook = word.toLowerCase();
    } else {
      return `I do not understand ${quoted(word)} at the end. ${USAGE}`;
    }
  }
  if (playbook !== undefined && !bot.playbooks.some(({ id }) => id === playbook)) {
    const ids = bot.playbooks.map(({ id }) => id);
    return `There is no playbook called ${quoted(playbook)}. ${instead(playbook, ids, 'There are')}`;
  }
  return {
    host,
    ...(selector.kind === 'pid' ? { pid: selector.pid } : { selector }),
    playbook: playbook ?? DEFAULT_PLAYBOOK,
    ...(windowSeconds === undefined ? {} : { windowSeconds }),
  };
};

/** What the policy keeps a playbook from doing, as a sentence; empty when it may do everything. */
export const leftOut = (playbook: string, allow: readonly Impact[], bot: Pick<BotContext, 'playbooks'>): string => {
  const impacts = bot.playbooks.find(({ id }) => id === playbook)?.impacts ?? [];
  const kept = impactsNotAllowed(impacts, allow);
  return kept.length === 0 ? '' : ` Steps with the impact ${codes(kept)} are left out: the policy does not allow them.`;
};

/** Looks at a process: accepted into the queue here, its thread is opened from there. */
export const look: Command = {
  verb: 'look',
  usage: 'HOST PID|SELECTOR [playbook] [seconds]',
  summary:
    'examine a process (`port:8080`, `unit:web`, `name:celery*`, `container:4f1`, `pod:shop/web-0`, `top:cpu`); `look` may be left out',
  run: async (asked: Asked, bot: BotContext) => {
    const understood = readLook(asked.words, bot);
    if (typeof understood === 'string') return understood;
    const id = requestIdOf(asked.team, asked.triggerId);
    if ('selector' in understood) {
      const { team, channel, user, responseUrl, at } = asked;
      const by = { kind: 'command', id, team, channel, user, responseUrl, at } as const;
      const data = { wanted: understood, by };
      await bot.queue.accept({ kind: 'errand', id: `seek-${id}`, errand: 'seek', data, at });
      return `Looking on \`${understood.host}\` for the process that ${code(selectorText(understood.selector), 220)} means.`;
    }
    // What it may do is decided when its thread is opened, where there is time to ask who is in a group.
    const request = { id, ...understood, allow: [], requestedAt: asked.at };
    const { team, channel, user, responseUrl } = asked;
    await bot.queue.accept({ kind: 'opening', id, request, team, channel, user, responseUrl });
    return null;
  },
};
