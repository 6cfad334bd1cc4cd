import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { buttonsOf, messageWithButton } from '../support/buttons.ts';
import { type SiteChange, threadForTest } from '../support/site.ts';

/** What people may choose from when a diagnosis was wrong. */
export const CAUSES = [
  { id: 'healthy', title: 'Healthy' },
  { id: 'thread-deadlock', title: 'Threads wait for each other' },
];
export const ALL_BUTTONS = [
  'Look again',
  'Trace 10 s',
  'Take a core…',
  'Evidence',
  'Why',
  'Resolve',
  'Wrong diagnosis',
];

/** A thread in which a look has ended, with its buttons. */
export const buttonsUnder = async (words = 'web-7 6325', change: SiteChange = {}) => {
  const it = await threadForTest({ words, causes: CAUSES, ...change });
  return { ...it, buttons: await messageWithButton(it.slack, 'ops', it.ts, 'Look again') };
};

/** How many messages of the thread have buttons. */
export const messagesWithButtons = (slack: LocalSlack, ts: string): number =>
  slack.thread('ops', ts).filter((message) => buttonsOf(message).length > 0).length;
