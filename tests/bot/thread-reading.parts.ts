import type { BotOptions } from '../../bot/bot.ts';
import type { LookHandler } from '../../infra/queue/worker-side.ts';
import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import type { Report } from '../../playbooks/model/index.ts';
import { PLAYBOOKS, reportFor, shown } from '../support/bot.ts';
import { sickReport } from '../support/reports.ts';
import { threadForTest } from '../support/site.ts';

const STACKS = { id: 'stacks', title: 'Stacks', description: 'From outside.', impacts: ['none' as const] };
const PY_BT = { id: 'py-bt', title: 'Stacks', description: 'By gdb.', impacts: ['stops' as const] };

export interface Look {
  readonly report: Report;
  readonly files?: readonly { probe: string; content: Uint8Array }[];
}

/** A thread in which a look has ended; further looks answer with the next one of `looks`. */
export const thread = async (looks: readonly Look[], policy: BotOptions['policy'] = { allow: ['none', 'slows'] }) => {
  let begun = 0;
  const look: LookHandler = async (request) => {
    const { report, files = [] } = looks[begun] ?? { report: sickReport };
    begun += 1;
    const evidence = files.map(({ probe }, index) => ({
      id: `E${index + 1}`,
      probe,
      command: probe,
      exit: 0,
      seconds: 1,
      bytes: 10,
      truncated: false,
    }));
    return {
      outcome: {
        kind: 'report',
        report: {
          ...reportFor(request, report),
          startedAt: new Date(Date.UTC(2024, 4, 1, 12, 10 * begun)).toISOString(),
          ...(evidence.length > 0 && { evidence }),
        },
      },
      files: files.map(({ probe, content }, index) => ({
        name: `E${index + 1}-${probe}.txt`,
        evidenceId: `E${index + 1}`,
        content,
        truncated: false,
      })),
    };
  };
  const it = await threadForTest({ playbooks: [...PLAYBOOKS, PY_BT, STACKS], policy, look });
  return { ...it, say: (who: string, words: string) => it.slack.user(who).say(`@straceback ${words}`, it.place) };
};

/** Waits for a message of the bot in the thread that is as the pattern says. */
export const reply = (slack: LocalSlack, ts: string, words: RegExp | string): Promise<SlackMessage> =>
  slack.waitFor(
    () =>
      slack
        .thread('ops', ts)
        .find(
          (message) =>
            message.bot_id !== undefined && new RegExp(words, 's').test(`${message.text}\n${shown(message)}`),
        ),
    { timeoutMs: 30_000, what: `a reply with ${words}` },
  );

/** Says something that asks for one more look, and waits until its report is there. */
export const lookAgain = async ({ slack, ts, say }: Awaited<ReturnType<typeof thread>>, words = 'again') => {
  const whole = () => slack.thread('ops', ts).filter((message) => (message.files?.length ?? 0) > 0).length;
  const before = whole();
  say('alice', words);
  await slack.waitFor(() => whole() > before, { timeoutMs: 30_000, what: 'the next look' });
};
