import type { HomeView, KnownBlock } from '@slack/types';
import type { QueueStatus } from '../../infra/queue/bot-side.ts';
import type { HostState, RecentLook } from '../../infra/queue/lately.ts';
import { count, duration } from '../../playbooks/reading/text.ts';
import type { CauseSummary } from '../context.ts';
import { cutTo, escaped, header, note } from '../thread/rich-text.ts';

/** What the action_ids of the home tab's own buttons begin with. They carry a look's id at most, and who presses is checked. */
export const HOME_BUTTON = 'straceback-home-';
export const REFRESH = `${HOME_BUTTON}refresh`;
export const CANCEL = `${HOME_BUTTON}cancel`;

/** A look of the list, with who resolved its thread. */
export interface ShownLook extends RecentLook {
  readonly resolved: boolean;
}

/** All that the home tab shows. */
export interface HomeContent {
  /** Of looks that this person may see. */
  readonly status: QueueStatus;
  /** How many run that they may not see. */
  readonly leftOut: number;
  readonly recent: readonly ShownLook[];
  readonly hosts: readonly string[];
  readonly states: readonly HostState[];
  readonly causes: readonly CauseSummary[];
  /** The workspace's address with a slash at its end. */
  readonly url: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Slack takes 100 blocks; these figures keep the whole below. */
const MOST_RUNNING = 20;
const MOST_HOSTS = 30;
const BAR = 12;
const SIGNS = { fault: '🔴', healthy: '🟢', unclear: '🟡', failed: '⚪', cancelled: '⚪' } as const;

const plainSection = (text: string, more: Partial<Extract<KnownBlock, { type: 'section' }>> = {}): KnownBlock => ({
  type: 'section',
  text: { type: 'plain_text', text: cutTo(text, 2_000).text, emoji: false },
  ...more,
});

const ago = (at: number, now: number): string => {
  const seconds = Math.max(0, Math.round((now - at) / 1_000));
  return seconds < 5 ? 'just now' : `${duration(seconds)} ago`;
};

const running = ({ active, waiting, workers }: QueueStatus, leftOut: number): KnownBlock[] => {
  const summary = `${count(workers, 'worker')}, ${count(active.length + leftOut, 'look')} running, ${waiting} waiting.`;
  const none = workers === 0 ? ' Nothing will be examined until a worker is started (straceback worker).' : '';
  const blocks = active.slice(0, MOST_RUNNING).map(({ request, progress }): KnownBlock => {
    const percent = Math.floor(progress?.percent ?? 0);
    const full = Math.round((percent / 100) * BAR);
    const bar = `${'▰'.repeat(full)}${'▱'.repeat(BAR - full)}  ${percent} %`;
    const doing = progress === null ? 'Starting' : `${progress.doing}, ${duration(Math.floor(progress.seconds))}`;
    const text = `process ${request.pid} on ${request.host} (${request.playbook})\n${bar}  ${doing}`;
    return plainSection(text, {
      block_id: `look-${request.id}`,
      accessory: {
        type: 'button',
        action_id: CANCEL,
        style: 'danger',
        value: request.id,
        text: { type: 'plain_text', text: 'Cancel', emoji: false },
        accessibility_label: `Cancel the look at process ${request.pid}`,
      },
    });
  });
  const left = active.length - blocks.length;
  return [
    header('Running looks'),
    note(`${summary}${none}`),
    ...blocks,
    ...(left > 0 ? [note(`And ${count(left, 'more look')}.`)] : []),
    ...(leftOut > 0
      ? [
          note(
            `${count(leftOut, 'look')} in private channels that you are not in ${leftOut === 1 ? 'is' : 'are'} left out.`,
          ),
        ]
      : []),
  ];
};

/** A message's address, as Slack writes it. */
const permalink = (url: string, { channel, threadTs }: RecentLook): string =>
  `${url}archives/${channel}/p${threadTs.replace('.', '')}`;

const recentLine = (look: ShownLook, { causes, url, now }: HomeContent): string => {
  const { host, pid, playbook, state, cause, failure, resolved, at } = look;
  const title = causes.find(({ id }) => id === cause)?.title ?? cause;
  const what =
    state === 'cancelled'
      ? 'cancelled'
      : (failure ?? title ?? (state === 'healthy' ? 'healthy' : 'no cause could be shown'));
  const sign = resolved ? '✅' : SIGNS[state];
  const words = escaped(cutTo(what, 200).text);
  const target = escaped(`process ${pid} on ${host}`);
  return `${sign} *${target}* (${escaped(playbook)}): ${words}${resolved ? ', resolved' : ''}. ${ago(at, now)}, <${permalink(url, look)}|thread>`;
};

const recent = (content: HomeContent): KnownBlock[] => [
  header('Recent looks'),
  ...(content.recent.length === 0
    ? [note('None yet. Ask with /diagnose in a channel that I am in.')]
    : content.recent.map(
        (look): KnownBlock => ({ type: 'section', text: { type: 'mrkdwn', text: recentLine(look, content) } }),
      )),
];

const hosts = ({ hosts: names, states, now }: HomeContent): KnownBlock[] => {
  const byName = new Map(states.map((state) => [state.host, state]));
  const all = [...new Set([...byName.keys(), ...names])];
  // Trouble first, then what is known, then what is not.
  const rank = (name: string): number => {
    const state = byName.get(name);
    return state === undefined ? 2 : state.reachable ? 1 : 0;
  };
  all.sort((one, other) => rank(one) - rank(other));
  const lines = all.slice(0, MOST_HOSTS).map((name) => {
    const state = byName.get(name);
    return state === undefined
      ? `⚪ *${escaped(name)}*: not looked at yet`
      : `${state.reachable ? '🟢' : '🔴'} *${escaped(name)}*: ${escaped(cutTo(state.words, 300).text)} (${ago(state.at, now)})`;
  });
  const left = all.length - lines.length;
  return [
    header('Hosts'),
    ...lines.map((text): KnownBlock => ({ type: 'section', text: { type: 'mrkdwn', text } })),
    ...(left > 0 ? [note(`And ${count(left, 'more host')}.`)] : []),
  ];
};

/** The home tab. All text from hosts and people in it is literal. Pure. */
export const homeView = (content: HomeContent): HomeView => ({
  type: 'home',
  blocks: [
    {
      type: 'actions',
      elements: [{ type: 'button', action_id: REFRESH, text: { type: 'plain_text', text: 'Refresh', emoji: false } }],
    },
    ...running(content.status, content.leftOut),
    ...recent(content),
    ...hosts(content),
  ],
});

/** The home tab of somebody who may not ask for anything. */
export const refusedView = (sentence: string): HomeView => ({ type: 'home', blocks: [plainSection(sentence)] });
