import { defineCause, type FindingDraft, type Look, type PythonFrame, type Verdict } from '../model/index.ts';
import { type ChildrenData, children } from '../probes/children.ts';
import { sample } from '../probes/sample.ts';
import { frameName, pythonThreads, quoteFrame, threadName } from '../reading/python.ts';
import { code, count, duration } from '../reading/text.ts';
import { type Crowd, crowdsOf, rateOf, startedSteadily } from './thread-leak.crowds.ts';
import { nativeDraft } from './thread-leak.native.ts';
import { fixesOf, limitText, starterOf } from './thread-leak.texts.ts';

/** How sure it is that these threads are too many, and what is inferred. */
interface Sureness {
  readonly confidence: number;
  readonly inferred: string | null;
}

/** Threads that are few, however they came. */
const FEW = 10;
/** So many alike are worth a word even when they do not become more. */
const HUNDREDS = 100;
/** Executors of whose threads so many live are made anew each time instead of once. */
const EXECUTORS = 15;

/** Threads of the crowd that live at one time: stacks are also kept of those that ended in the window. */
const sizeOf = (data: ChildrenData, crowd: Crowd): number => Math.min(crowd.threads.length, data.threads.last);

const surenessOf = (data: ChildrenData, crowd: Crowd): Sureness => {
  const { started, ended, last } = data.threads;
  const size = sizeOf(data, crowd);
  const rising = started - ended >= 3 && ended <= 0.25 * started;
  if (crowd.executors >= EXECUTORS)
    return rising
      ? { confidence: 0.92, inferred: null }
      : { confidence: 0.8, inferred: 'that more executors are made as time goes on' };
  if (crowd.pool) return { confidence: 0, inferred: null };
  if (rising && size >= FEW && size >= 0.4 * last) {
    const bySize = size >= 60 ? 0.93 : size >= 30 ? 0.9 : size >= 15 ? 0.82 : 0.65;
    // Threads that serve a connection each become more when more clients come; those that sleep may end by themselves.
    if (crowd.waits === 'socket') return { confidence: 0.45, inferred: 'that their clients do not come and go' };
    if (crowd.waits === 'time')
      return { confidence: Math.min(bySize, 0.75), inferred: 'that they do not end when their time is over' };
    if (crowd.waits === 'work')
      return {
        confidence: Math.min(bySize, 0.85),
        inferred: 'that they do not stop to become more at the size of a pool',
      };
    return { confidence: bySize, inferred: bySize >= 0.9 ? null : 'that it goes on like this' };
  }
  if (size < HUNDREDS || crowd.waits === 'socket' || crowd.waits === 'work') return { confidence: 0, inferred: null };
  const spread = startedSteadily(data.threads.ages);
  if (crowd.waits === 'for-ever' && spread)
    return { confidence: 0.65, inferred: 'that they go on becoming more: none was started within the window' };
  return {
    confidence: spread ? 0.45 : 0.35,
    inferred: 'whether so many are meant to be there: none was started within the window',
  };
};

const commonFrame = (crowd: Crowd): PythonFrame | null => crowd.place ?? crowd.entry;

const draftOf = (
  look: Look,
  evidenceId: string,
  data: ChildrenData,
  crowd: Crowd,
  sureness: Sureness,
): FindingDraft => {
  const { threads } = data;
  const grown = threads.last - threads.first;
  const place = commonFrame(crowd);
  const entry = crowd.entry === null ? 'the same function' : frameName(crowd.entry);
  const starter = starterOf(look);
  const [youngest = 0, oldest = 0] = [threads.ages[0], threads.ages[10]];
  const some = crowd.threads.slice(0, 3).map((thread) => threadName(thread));
  const sampled = look.see(sample);
  const rate = rateOf(data);
  return {
    confidence: sureness.confidence,
    title:
      crowd.executors >= EXECUTORS
        ? `${count(sizeOf(data, crowd), 'thread')} of ${crowd.executors} thread pools are alive: a pool is made again and again and never shut down`
        : `${count(threads.last, 'thread')}, of which ${sizeOf(data, crowd)} run ${entry} and wait${place === null || place === crowd.entry ? '' : ` in ${frameName(place)}`}${grown > 0 ? `; ${grown} more within ${duration(data.seconds)}` : ''}`,
    summary:
      `The process has ${count(threads.last, 'thread')}; ${threads.started} were started and ${threads.ended} ended within ${duration(data.seconds)}${rate === null ? '' : `, about ${rate} a minute`}. ` +
      `${sizeOf(data, crowd)} of them (${some.join(', ')}${crowd.threads.length > some.length ? ' …' : ''}) were all started to run ${entry} and stand ${place === null ? 'in one place' : `in ${frameName(place)}`}. ` +
      `The youngest is ${duration(youngest)} old, the oldest ${duration(oldest)}.${starter === null ? '' : ` They are started in ${frameName(starter.frame)}.`} ${limitText(data, sampled.seen ? sampled.data.process.rssKib.last : null)}` +
      `${sureness.inferred === null ? '' : ` Not seen directly: ${sureness.inferred}.`}`,
    evidence: [
      look.quote(evidenceId, threads.at),
      ...crowd.threads.slice(0, 2).flatMap((thread) => {
        const frames = thread.stacks[0]?.frames ?? [];
        const own =
          frames.find((frame) => place !== null && frame.file === place.file && frame.line === place.line) ?? frames[0];
        return [
          look.quote(thread.evidenceId, thread.at),
          ...(own === undefined ? [] : [quoteFrame(look, thread, own)]),
        ];
      }),
      ...(starter === null ? [] : [quoteFrame(look, starter.thread, starter.frame)]),
      ...(data.limits === null ? [] : [look.quote(evidenceId, data.limits.at)]),
    ].slice(0, 7),
    fixes: fixesOf(look, data, crowd, starter?.frame ?? null, EXECUTORS),
  };
};

const judge = (look: Look): Verdict => {
  const seen = look.see(children);
  if (!seen.seen)
    return { verdict: 'cannot-tell', why: 'the threads of the process were not counted', wants: [children.id] };
  const { threads } = seen.data;
  const net = threads.started - threads.ended;
  if (threads.last < FEW)
    return {
      verdict: 'clear',
      why: `it has ${count(threads.last, 'thread')}${net > 0 ? `, ${net} more than at first` : ''}`,
    };
  const view = pythonThreads(look);
  if (view === null) {
    const draft = nativeDraft(look, seen.evidenceId, seen.data);
    if (draft !== null) return { verdict: 'fires', findings: [draft] };
    return net >= 3
      ? {
          verdict: 'cannot-tell',
          why: `${net} threads more at the end of the window than at first, and what they do could not be read`,
        }
      : { verdict: 'clear', why: `it has ${threads.last} threads, and they did not become more` };
  }
  const ranked = crowdsOf(look, view)
    .map((crowd) => ({ crowd, sureness: surenessOf(seen.data, crowd) }))
    .toSorted((a, b) => b.sureness.confidence - a.sureness.confidence);
  const [best] = ranked;
  if (best === undefined || best.sureness.confidence === 0) {
    const most = ranked.toSorted((a, b) => b.crowd.threads.length - a.crowd.threads.length)[0]?.crowd;
    return {
      verdict: 'clear',
      why: `it has ${threads.last} threads (${threads.started} started, ${threads.ended} ended in the window)${most?.entry ? `, ${most.threads.length} of them in ${code(most.entry.function)}` : ''}`,
    };
  }
  return { verdict: 'fires', findings: [draftOf(look, seen.evidenceId, seen.data, best.crowd, best.sureness)] };
};

/** Threads that are started again and again and do not end. */
export const threadLeak = defineCause({
  id: 'thread-leak',
  title: 'Threads are started again and again and do not end',
  needs: [children],
  explains: ['allocator-retention', 'native-memory-growth', 'python-heap-growth'],
  judge,
});
