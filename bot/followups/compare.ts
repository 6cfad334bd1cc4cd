import type { Answer } from '../../infra/queue/messages.ts';
import type { Report } from '../../playbooks/model/index.ts';
import { pyHeap } from '../../playbooks/probes/py-heap.ts';
import { type HeapTypes, reportDiff } from '../../playbooks/report-diff.ts';
import { diffHeadline, reportDiffParts } from '../../playbooks/report-diff-parts.ts';
import type { BotContext } from '../context.ts';
import type { FollowUp, Said } from '../follow-up.ts';
import { quoted } from '../words.ts';
import { keptObservation } from './kept.shared.ts';
import { looksIn, postWhole } from './last-look.shared.ts';

interface Compared {
  readonly answer: Answer;
  readonly report: Report;
}

/** py-heap tells of so many types at most, the biggest ones. */
const TYPES_TOLD = 40;

const reportOf = async (id: string, { queue }: BotContext): Promise<Compared | null> => {
  const answer = await queue.answerTo(id);
  return answer?.outcome.kind === 'report' ? { answer, report: answer.outcome.report } : null;
};

const heapOf = async ({ answer }: Compared, bot: BotContext): Promise<HeapTypes | null> => {
  const heap = await keptObservation(answer, pyHeap, bot);
  return heap === null ? null : { complete: heap.data.types.length < TYPES_TOLD, types: heap.data.types };
};

const sameProcess = (one: Report, other: Report): boolean =>
  one.target.host === other.target.host && one.target.pid === other.target.pid;

/** The newest look of the thread and the one before it at the same process; else the one before it. */
const lastTwo = async (said: Said, bot: BotContext): Promise<readonly [Compared, Compared] | string> => {
  const kept: Compared[] = [];
  for (const id of await looksIn(said, bot)) {
    const each = await reportOf(id, bot);
    if (each === null) continue;
    const [newest] = kept;
    if (newest !== undefined && sameProcess(newest.report, each.report)) return [each, newest];
    kept.push(each);
  }
  const [newest, older] = kept;
  if (newest === undefined)
    return 'I have no finished look of this thread any more: they are kept for a day. Say `again` for a new one.';
  if (older === undefined) return 'There is only one look to compare. Say `again`, and `compare` when it is done.';
  return [older, newest];
};

/** The named look and the newest other one of the thread, at the same process if there is one. */
const withNamed = async (id: string, said: Said, bot: BotContext): Promise<readonly [Compared, Compared] | string> => {
  const named = await reportOf(id, bot);
  const origin = named?.answer.request.origin;
  // What is known of a look in another channel is not told here: other people read this one.
  if (named === null || origin?.kind !== 'slack' || origin.channel !== said.mention.channel) {
    return `I know no finished look ${quoted(id)} of this channel: they are kept for a day. \`history\` lists those of this thread.`;
  }
  let other: Compared | null = null;
  for (const each of await looksIn(said, bot)) {
    const found = each === id ? null : await reportOf(each, bot);
    if (found !== null && sameProcess(found.report, named.report)) return ordered(named, found);
    other ??= found;
  }
  return other === null
    ? `This thread has no other finished look to compare with ${quoted(id)}.`
    : ordered(named, other);
};

const ordered = (one: Compared, other: Compared): readonly [Compared, Compared] =>
  Date.parse(one.report.startedAt) <= Date.parse(other.report.startedAt) ? [one, other] : [other, one];

/** What changed between two looks, in findings and figures. */
export const compare: FollowUp = {
  verb: 'compare',
  usage: '[LOOK-ID]',
  summary: 'what changed since the last look at this process, or a named one, in findings and figures',
  fits: (words) => words.length === 0 || (words.length === 1 && /\d/.test(words[0] ?? '')),
  run: async (said, bot) => {
    if (said.thread === null) return 'Say `compare` in a thread that I opened.';
    const [id, ...more] = said.words;
    if (more.length > 0) return 'Say `compare`, or `compare` and the id of one look, as `history` lists them.';
    const two = await (id === undefined ? lastTwo(said, bot) : withNamed(id, said, bot));
    if (typeof two === 'string') return two;
    const [before, after] = two;
    const heaps = { before: await heapOf(before, bot), after: await heapOf(after, bot) };
    const diff = reportDiff(before.report, after.report, heaps);
    await postWhole(said, bot, reportDiffParts(diff), diffHeadline(diff), 'compare.txt');
    return null;
  },
};
