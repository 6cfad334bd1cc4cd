import { defineCause, type FindingDraft } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { kernelLog } from '../probes/kernel-log.ts';
import { sample } from '../probes/sample.ts';
import { socketRates } from '../probes/socket-rates.ts';
import { connections } from '../reading/connections.ts';
import { burners } from '../reading/cpu.ts';
import { pythonThreads } from '../reading/python.ts';
import { stateShare, unreadableShare } from '../reading/syscalls.ts';
import { bytes, count, duration, kib } from '../reading/text.ts';
import { busyLoop } from './busy-loop.ts';
import { doingOf, type Scene } from './healthy.doing.ts';

/** What was looked at and is in order, in one sentence. */
const checked = (scene: Scene): string => {
  const { who, sampled } = scene;
  const { data } = sampled;
  const memory = data.process.rssKib;
  const grown = memory.last - memory.first;
  const open = [...connections(scene.look).values()];
  const unread = open.filter((each) => each.socket.kind.startsWith('tcp') && each.socket.receiveQueue > 0).length;
  const log = scene.look.see(kernelLog);
  const rates = scene.look.see(socketRates);
  const moved =
    rates.seen && rates.data.total.received + rates.data.total.sent > 0
      ? `, ${bytes(rates.data.total.received)} in and ${bytes(rates.data.total.sent)} out in the window`
      : '';
  const parts = [
    `${count(data.threads.length, 'thread')} over ${duration(data.seconds)}`,
    `memory ${kib(memory.last)}${Math.abs(grown) < Math.max(1024, memory.first * 0.02) ? ', steady' : `, ${grown > 0 ? 'up' : 'down'} by ${kib(Math.abs(grown))}`}`,
    ...(who.data.fds === null
      ? []
      : [`${who.data.fds.open} of ${who.data.fds.softLimit ?? 'unlimited'} descriptors open`]),
    ...(open.length === 0
      ? []
      : [`${count(open.length, 'connection')}, ${unread === 0 ? 'none' : unread} with unread data${moved}`]),
    ...(log.seen ? ['the kernel log'] : []),
  ];
  return `Looked at: ${parts.join('; ')}.`;
};

/** Why the process cannot be called healthy, though no rule may have fired; null when nothing is odd. */
const oddness = (scene: Scene): string | null => {
  const { who, sampled, look } = scene;
  const { data } = sampled;
  if (data.ended === true) return 'it ended while it was looked at';
  if (/[TtZXx]/.test(who.data.state.letter)) return `it is in state ${who.data.state.letter}`;
  const stuck = data.threads.find((thread) => stateShare(thread, 'D') >= 0.9 && thread.samples >= 0.2 * data.samples);
  if (stuck !== undefined) return `thread ${stuck.tid} was in an uninterruptible wait (state D) for the whole window`;
  if (burners(data).length > 0) {
    const spinning = busyLoop.judge(look);
    if (spinning.verdict !== 'clear') return 'a thread burns a processor, and whether it gets on could not be told';
  }
  const main = data.threads.find((thread) => thread.tid === look.target.pid);
  if (main !== undefined && unreadableShare(main) > 0.5) {
    return 'the system calls that its threads wait in could not be read; look as root or its owner';
  }
  return null;
};

/**
 * Says what the process is doing when nothing is wrong with it. It describes only; the judge keeps it when no other cause
 * reaches 0.5.
 */
export const healthy = defineCause({
  id: 'healthy',
  title: 'Nothing is wrong with the process',
  needs: [identify, sample],
  explains: [],
  judge: (look) => {
    const who = look.see(identify);
    const sampled = look.see(sample);
    if (!who.seen) return { verdict: 'cannot-tell', why: who.why, wants: [identify.id] };
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    if (sampled.data.samples < 4 || sampled.data.seconds < 0.4) {
      return { verdict: 'cannot-tell', why: 'the window was too short to see what it does' };
    }
    const scene: Scene = { look, who, sampled, view: pythonThreads(look) };
    const odd = oddness(scene);
    if (odd !== null) return { verdict: 'cannot-tell', why: odd };
    const busy = burners(sampled.data).length > 0 ? busyLoop.judge(look) : null;
    const doing = doingOf(scene);
    if (doing === null) return { verdict: 'cannot-tell', why: 'none of its threads could be watched' };
    const memory = sampled.data.process.rssKib;
    const grown = memory.last - memory.first;
    const grows = grown >= Math.max(16 * 1024, 0.05 * memory.first);
    const progress = busy?.verdict === 'clear' ? ` ${busy.why.charAt(0).toUpperCase()}${busy.why.slice(1)}.` : '';
    const finding: FindingDraft = {
      // What grows like that may be a fault in the making.
      confidence: grows ? Math.min(0.6, doing.confidence) : doing.confidence,
      title: `Nothing wrong was found: it ${doing.what}`,
      summary: `The process ${doing.what}.${progress} ${checked(scene)}${grows ? ` Its memory grew by ${kib(grown)} meanwhile: look again when it has gone on for longer.` : ''} No rule found a fault; if it is slow or silent all the same, look again while that lasts, with a longer window.`,
      evidence: [...doing.quotes],
      fixes: [],
    };
    return { verdict: 'fires', findings: [finding] };
  },
});
