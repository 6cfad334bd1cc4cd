import { expect } from 'vitest';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import { shown, threadsIn } from '../support/bot.ts';
import { buttonsOf } from '../support/buttons.ts';

/** What a thread of one look must hold, each once: first message, report, files, buttons. */
export const expectWhole = (slack: LocalSlack, channel: string, looks = 1) => {
  const threads = threadsIn(slack, channel);
  expect(threads).toHaveLength(looks);
  for (const first of threads) {
    expect(shown(first)).toContain('🔴');
    const replies = slack.thread(channel, first.ts).slice(1);
    const buttons = replies.filter((message) => buttonsOf(message).length > 0);
    expect(buttons).toHaveLength(1);
    const others = replies.filter((message) => !buttons.includes(message));
    expect(others.filter((message) => message.files === undefined)).toHaveLength(1);
    expect(replies.filter((message) => message.files !== undefined)).toHaveLength(1);
  }
};
