import type { FindingDraft, Look } from '../model/index.ts';
import type { ChildrenData } from '../probes/children.ts';
import { type SampledThread, sample } from '../probes/sample.ts';
import { waitsWithoutLimit } from '../reading/processes.ts';
import {
  isFutex,
  isReadiness,
  isReceive,
  isSend,
  isSleep,
  type SampledCall,
  sampledCalls,
} from '../reading/syscalls.ts';
import { code, count, duration } from '../reading/text.ts';
import { rateOf, startedSteadily } from './thread-leak.crowds.ts';
import { limitText } from './thread-leak.texts.ts';

/** Threads whose functions cannot be read: what they all wait in, and that they come and never go, says it. */

/** So many have to stand in the same wait, and so many to have come in the window, for a word. */
const LEAST_ALIKE = 30;
const LEAST_STARTED = 10;
/** From so many on a pool has its size. */
const POOLS_MOST = 60;
/** Share of its samples in which a thread that only waits stands in its wait. */
const ALWAYS = 0.9;

interface NativeCrowd {
  readonly call: SampledCall;
  readonly threads: readonly SampledThread[];
}

/** The largest group of threads that stand in the same system call, the main thread left out. */
const nativeCrowd = (look: Look): NativeCrowd | null => {
  const seen = look.see(sample);
  const groups = new Map<string, { call: SampledCall; threads: SampledThread[] }>();
  for (const thread of seen.seen ? seen.data.threads : []) {
    const [call] = sampledCalls(thread);
    if (thread.tid === look.target.pid || call === undefined || call.share < ALWAYS) continue;
    const known = groups.get(call.name);
    if (known === undefined) groups.set(call.name, { call, threads: [thread] });
    else known.threads.push(thread);
  }
  return [...groups.values()].toSorted((a, b) => b.threads.length - a.threads.length)[0] ?? null;
};

interface Sureness {
  readonly confidence: number;
  readonly inferred: string;
}

const surenessOf = (data: ChildrenData, { call, threads }: NativeCrowd): Sureness => {
  const steadily = startedSteadily(data.threads.ages);
  if (isReceive(call.name) || isSend(call.name) || isReadiness(call.name))
    return { confidence: 0.45, inferred: 'that their clients do not come and go' };
  if (isFutex(call.name) && !(steadily && threads.length >= POOLS_MOST))
    return { confidence: 0.45, inferred: 'that they do not stop to become more at the size of a pool' };
  const timed = !waitsWithoutLimit({ syscall: call.name, args: [...call.args] });
  if (isSleep(call.name) && timed && call.name !== 'pause')
    return { confidence: steadily ? 0.7 : 0.45, inferred: 'that they do not end when their time is over' };
  return { confidence: steadily ? 0.8 : 0.6, inferred: 'that it goes on like this' };
};

/** Null when they did not become more, or are not alike. */
export const nativeDraft = (look: Look, evidenceId: string, data: ChildrenData): FindingDraft | null => {
  const { threads } = data;
  const crowd = nativeCrowd(look);
  const sampled = look.see(sample);
  const grows = threads.started >= LEAST_STARTED && threads.ended <= 0.25 * threads.started;
  if (crowd === null || !sampled.seen || !grows) return null;
  const alike = crowd.threads.length;
  if (alike < LEAST_ALIKE || alike < 0.4 * sampled.data.threads.length) return null;
  const sure = surenessOf(data, crowd);
  const rate = rateOf(data);
  const pid = look.target.pid;
  const call = code(crowd.call.name);
  return {
    confidence: sure.confidence,
    title: `${count(threads.last, 'thread')}, of which ${alike} wait in ${call}; ${threads.last - threads.first} more within ${duration(data.seconds)}`,
    summary:
      `The process has ${count(threads.last, 'thread')}; ${threads.started} were started and ${threads.ended} ended within ${duration(data.seconds)}${rate === null ? '' : `, about ${rate} a minute`}. ` +
      `${alike} of them were in ${call} in all samples. ` +
      `The youngest is ${duration(threads.ages[0] ?? 0)} old, the oldest ${duration(threads.ages[10] ?? 0)}. ${limitText(data, sampled.data.process.rssKib.last)} ` +
      `Not seen directly: ${sure.inferred}. Which function they were started to run was not read: that would stop the process for a moment.`,
    evidence: [
      look.quote(evidenceId, threads.at),
      ...crowd.threads
        .slice(0, 2)
        .map((thread) => look.quote(sampled.evidenceId, sampledCalls(thread)[0]?.at ?? thread.at)),
      ...(data.limits === null ? [] : [look.quote(evidenceId, data.limits.at)]),
    ],
    fixes: [
      {
        title: 'See which function they run',
        detail: `The outermost frames of each stack, below ${code('start_thread')}, name what was started. It stops the process for some milliseconds.`,
        code: `eu-stack -p ${pid} | grep -B1 ' start_thread' | grep -v -e ' start_thread' -e '^--' | awk '{print $3, $4}' | sort | uniq -c | sort -rn | head`,
      },
      {
        title: 'Let that function end, or let few threads do it for all',
        detail:
          'Give its wait a time limit, or end it when what it was started for is done; or hand the work to a pool of a fixed size. A detached thread also lives until its function returns.',
      },
      {
        title: 'Verify',
        detail: `The number of threads must stop rising; now it is ${threads.last}.`,
        code: `while sleep 10; do ls /proc/${pid}/task | wc -l; done`,
      },
    ],
  };
};
