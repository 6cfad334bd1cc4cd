import type { KnownBlock, PlainTextOption } from '@slack/types';
import { z } from 'zod';
import { verdictOf } from '../../playbooks/report-parts.ts';
import { defineAction } from '../action.ts';
import type { CauseSummary } from '../context.ts';
import { postOnce } from '../thread/post-once.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { fallback, paragraph, person, plain, shownLines } from '../thread/rich-text.ts';
import { reportOf } from './look.shared.ts';

/** What was said about a diagnosis, as it is kept for the record. */
export const Feedback = z.object({
  requestId: z.string(),
  host: z.string().optional(),
  pid: z.number().optional(),
  playbook: z.string().optional(),
  channel: z.string(),
  threadTs: z.string(),
  /** What had been found, best first; null when the report is kept no longer. */
  found: z.array(z.object({ cause: z.string(), confidence: z.number() })).nullable(),
  /** What it was, by the one who says so: a cause, `healthy` or `something-else`. */
  cause: z.string(),
  words: z.string().nullable(),
  user: z.string(),
  at: z.number(),
});
export type Feedback = z.infer<typeof Feedback>;

export const FEEDBACK = 'feedback';
const KEEP_DAYS = 90;
const HEALTHY = 'healthy';
const ELSE = 'something-else';

const Answers = z
  .object({
    cause: z.string({ error: 'Choose what it was.' }).max(150),
    words: z.string().max(1_000, 'At most 1,000 characters.').nullish(),
  })
  .refine(({ cause, words }) => cause !== ELSE || (words ?? '') !== '', {
    path: ['words'],
    message: 'Say in a few words what it was.',
  });

/** Slack's limits: 75 characters for an option, 100 options for a group. */
const MAX_LABEL = 75;
const MAX_OPTIONS = 100;

const text = (words: string) => ({ type: 'plain_text', text: words, emoji: false }) as const;

const option = (value: string, title: string): PlainTextOption => ({
  text: text(title.length <= MAX_LABEL ? title : `${title.slice(0, MAX_LABEL - 1)}…`),
  value,
});

const causeGroups = (causes: readonly CauseSummary[]) => {
  const known = causes.filter(({ id }) => id !== HEALTHY);
  const groups = [
    {
      label: text('None of mine'),
      options: [option(HEALTHY, 'Nothing: it was healthy'), option(ELSE, 'Something else')],
    },
  ];
  for (let from = 0; from < known.length; from += MAX_OPTIONS) {
    const options = known.slice(from, from + MAX_OPTIONS).map(({ id, title }) => option(id, `${id}: ${title}`));
    groups.push({ label: text(from === 0 ? 'Causes that I know' : 'More causes'), options });
  }
  return groups;
};

const fields = (causes: readonly CauseSummary[]): KnownBlock[] => [
  {
    type: 'input',
    block_id: 'cause',
    label: text('What was it?'),
    element: {
      type: 'static_select',
      action_id: 'cause',
      placeholder: text('Choose a cause'),
      option_groups: causeGroups(causes),
    },
  },
  {
    type: 'input',
    block_id: 'words',
    optional: true,
    label: text('In your words'),
    hint: text('What showed it, or what it was when it is none of these.'),
    element: { type: 'plain_text_input', action_id: 'words', multiline: true, max_length: 1_000 },
  },
];

const nameOf = (cause: string, causes: readonly CauseSummary[]): string => {
  if (cause === HEALTHY) return 'nothing was wrong with the process';
  if (cause === ELSE) return 'it was something else';
  const known = causes.find(({ id }) => id === cause);
  return `it was ${known === undefined ? cause : `${known.title} (${cause})`}`;
};

/** Somebody says that a diagnosis was wrong, and what it was. Kept for the record and said in the thread. */
export const wrongDiagnosis = defineAction({
  action: 'wrong-diagnosis',
  data: AboutLook,
  form: {
    title: 'Wrong diagnosis',
    submit: 'Keep',
    blocks: (_data, { causes }) => fields(causes),
    answers: Answers,
  },
  run: async (data, { press, attempt }, bot) => {
    const { cause, words = null } = Answers.parse(press.form);
    const { threadTs, look } = data;
    const { channel, user, at } = press;
    const report = await reportOf(data, bot);
    const feedback: Feedback = {
      requestId: look.request_id,
      host: look.host,
      pid: look.pid,
      playbook: look.playbook,
      channel,
      threadTs,
      found:
        report === null ? null : report.findings.map((each) => ({ cause: each.cause, confidence: each.confidence })),
      cause,
      words,
      user,
      at,
    };
    if (bot.history === null) await bot.queue.notes.set(FEEDBACK, look.request_id, feedback, KEEP_DAYS * 24 * 3600);
    const { requestId } = feedback;
    await bot.history?.keepNote(`feedback-${press.id}`, {
      kind: 'feedback',
      requestId,
      channel,
      threadTs,
      at,
      user,
      cause,
      words,
    });
    const said = report === null ? null : verdictOf(report).first;
    const instead = said === null ? '' : ` I had said ${said.cause}.`;
    const sentence = `${nameOf(cause, bot.causes)}.`;
    const content = {
      text: fallback(`The diagnosis was wrong: ${sentence}`),
      blocks: [
        paragraph([person(user), plain(` says that the diagnosis was wrong: ${shownLines(sentence)}${instead}`)]),
        ...(words === null ? [] : [paragraph([plain(shownLines(words))])]),
        paragraph([plain(`I keep this for ${bot.history?.keptDays ?? KEEP_DAYS} days.`)]),
      ],
    };
    const place = { channel, threadTs, since: at };
    await postOnce(bot.slack, bot.me.botId, place, content, { request_id: press.id, part: 'reply' }, attempt);
    return null;
  },
});
