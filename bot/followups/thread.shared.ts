import type { Answer } from '../../infra/queue/messages.ts';
import type { Look, Probe } from '../../playbooks/model/index.ts';
import { nativeStacks } from '../../playbooks/probes/native-stacks.ts';
import { pyBt } from '../../playbooks/probes/py-bt.ts';
import { pyStacks } from '../../playbooks/probes/py-stacks.ts';
import { sample } from '../../playbooks/probes/sample.ts';
import { strace } from '../../playbooks/probes/strace.ts';
import { list } from '../../playbooks/reading/text.ts';
import type { ReportPart } from '../../playbooks/report-parts.ts';
import { type ThreadId, threadParts, threadsMeant, threadsSeen, threadWords } from '../../playbooks/thread-parts.ts';
import type { BotContext } from '../context.ts';
import type { Said } from '../follow-up.ts';
import { quoted } from '../words.ts';
import { keptLook } from './kept.shared.ts';
import { postWhole } from './last-look.shared.ts';

/** The probes that know of single threads. */
const OF_THREADS: readonly Probe[] = [sample, pyStacks, nativeStacks, pyBt, strace];

const MOST_NAMED = 12;

const some = (threads: readonly ThreadId[]): string => {
  const words = threads.slice(0, MOST_NAMED).map(threadWords);
  return list(threads.length > MOST_NAMED ? [...words, `${threads.length - MOST_NAMED} more`] : words);
};

/** A look with the threads that are kept of it; null without any. */
export const lookWithThreads = async (answer: Answer, bot: BotContext): Promise<Look | null> => {
  const look = await keptLook(answer, OF_THREADS, bot);
  return look === null || threadsSeen(look).length === 0 ? null : look;
};

/** Findings that speak of the thread, by their titles. */
const findingsOf = ({ outcome }: Answer, { tid }: ThreadId): ReportPart[] => {
  if (outcome.kind !== 'report') return [];
  const named = new RegExp(`(?<!\\d)${tid}(?!\\d)`);
  return outcome.report.findings
    .filter(({ title, summary }) => named.test(title) || named.test(summary))
    .map(({ title, cause }): ReportPart => ({ kind: 'item', text: `Finding: ${title} (\`${cause}\`)` }));
};

/** Tells all that a look knows of the thread that is meant; a sentence when none is, or several are. */
export const tellThread = async (
  wanted: string,
  { answer, look }: { readonly answer: Answer; readonly look: Look },
  said: Said,
  bot: BotContext,
): Promise<string | null> => {
  const threads = threadsSeen(look);
  const [thread, ...others] = threadsMeant(threads, wanted);
  if (thread === undefined) {
    return `The last look saw no thread ${quoted(wanted)}. It saw ${some(threads)}. \`stacks\` looks anew.`;
  }
  if (others.length > 0)
    return `Several threads are called so: ${some([thread, ...others])}. Say \`thread\` and the id of one.`;
  const [heading, ...rest] = threadParts(look, thread);
  const from = answer.outcome.kind === 'report' ? answer.outcome.report : null;
  const note: ReportPart = {
    kind: 'note',
    text: `From look ${answer.requestId}${from === null ? '' : `, started ${from.startedAt}`}. For its variables say: locals ${thread.tid}`,
  };
  const parts = [...(heading === undefined ? [] : [heading]), ...findingsOf(answer, thread), ...rest, note];
  await postWhole(said, bot, parts, `Thread ${thread.tid}`, `thread-${thread.tid}.txt`);
  return null;
};
