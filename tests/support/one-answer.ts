import { expect } from 'vitest';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { shown, threadsIn } from './bot.ts';

/** Messages in a look's thread beside the first one that are neither its files nor its buttons. */
const reportsIn = (slack: LocalSlack, ts: string): number =>
  slack
    .thread('ops', ts)
    .slice(1)
    .filter((message) => message.files === undefined && message.blocks?.[0]?.type !== 'actions').length;

/** Waits until so many threads of #ops have a report. */
export const untilAnswered = async (slack: LocalSlack, count: number): Promise<void> => {
  await slack.waitFor(() => threadsIn(slack, 'ops').filter(({ ts }) => reportsIn(slack, ts) > 0).length === count, {
    timeoutMs: 90_000,
    what: `${count} answers`,
  });
};

/** Each process that was asked for has one thread in #ops and one report in it. */
export const expectOneAnswerEach = (slack: LocalSlack, pids: readonly number[]): void => {
  const threads = threadsIn(slack, 'ops');
  const seen = pids.map((pid) => {
    const own = threads.filter((first) => shown(first).includes(String(pid)));
    return { pid, threads: own.length, reports: own.map(({ ts }) => reportsIn(slack, ts)) };
  });
  expect(seen).toEqual(pids.map((pid) => ({ pid, threads: 1, reports: [1] })));
};
