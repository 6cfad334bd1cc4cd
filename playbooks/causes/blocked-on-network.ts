import { defineCause, type FindingDraft } from '../model/index.ts';
import { type SampledThread, sample } from '../probes/sample.ts';
import { sockets } from '../probes/sockets.ts';
import { tcpdump } from '../probes/tcpdump.ts';
import { connections, listeners } from '../reading/connections.ts';
import { frameName, pythonThreads } from '../reading/python.ts';
import { cpuShare, unreadableShare } from '../reading/syscalls.ts';
import { packetsOf } from './blocked-on-network.packets.ts';
import { queueBehind } from './blocked-on-network.queue.ts';
import { loopWaitOf, type Wait, waitOf } from './blocked-on-network.seen.ts';
import { sureness } from './blocked-on-network.sureness.ts';
import { draftFor, peerName } from './blocked-on-network.texts.ts';
import { turnWaits } from './blocked-on-network.turns.ts';

/** One finding a peer and place: all threads that hang there together. */
const grouped = (waits: readonly Wait[]): Wait[][] => {
  const groups = new Map<string, Wait[]>();
  for (const wait of waits) {
    const key = `${wait.connection.socket.peer} ${wait.own?.file ?? ''}:${wait.own?.line ?? ''} ${wait.call.name}`;
    groups.set(key, [...(groups.get(key) ?? []), wait]);
  }
  return [...groups.values()];
};

/** A thread has waited for the network for the whole window, with nothing that would end the wait but the other side. */
export const blockedOnNetwork = defineCause({
  id: 'blocked-on-network',
  title: 'A thread waits for the network without end',
  needs: [sample, sockets],
  explains: ['waiting-forever', 'file-lock-wait'],
  judge: (look) => {
    const sampled = look.see(sample);
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    const { data } = sampled;
    if (data.seconds < 0.4 || data.samples < 4)
      return { verdict: 'cannot-tell', why: 'the window was too short to call a wait long' };
    if (data.threads.length > 0 && data.threads.every((thread) => unreadableShare(thread) > 0.5)) {
      return {
        verdict: 'cannot-tell',
        why: 'the system calls that its threads wait in could not be read; look as root or its owner',
      };
    }
    const view = pythonThreads(look);
    const all = connections(look);
    const { pid } = look.target;
    const serves = listeners(look).length > 0;
    const direct = data.threads.flatMap((thread) => waitOf(thread, pid, view, all) ?? []);
    const loops =
      direct.length > 0 || serves
        ? []
        : data.threads.flatMap((thread) => loopWaitOf(thread, data, pid, view, all) ?? []);
    // A runtime may keep loops of its own beside the program's: one of them is named, the main thread's if it can be.
    const turns = turnWaits(look, data, view);
    const waits =
      direct.length > 0 || turns.length > 0
        ? [...direct, ...turns]
        : [loops.find((wait) => wait.main) ?? loops[0] ?? []].flat();
    const queue = queueBehind(look, sampled, waits);
    const findings = grouped(waits).flatMap((group): FindingDraft[] => {
      const [wait] = group;
      if (wait === undefined) return [];
      const others = data.threads.filter((thread) => !group.some((each) => each.thread === thread));
      const busy = (thread: SampledThread) =>
        cpuShare(thread, data.seconds) > 0.02 || (thread.voluntarySwitches ?? 0) > 10;
      const othersBusy = others.some(busy);
      const packets = packetsOf(look, wait, data.seconds);
      const crowded = othersBusy || (wait.turn !== undefined && busy(wait.thread));
      const sure =
        wait.loop && othersBusy ? null : sureness(wait, view, crowded, serves, data.seconds, packets.silence);
      const draft = sure === null || sure.confidence < 0.3 ? null : draftFor(look, sampled, group, sure);
      return draft === null ? [] : [{ ...draft, evidence: [...draft.evidence, ...packets.quotes] }];
    });
    if (queue !== null) findings.unshift(queue);
    // A look at packets tells whether the other side says anything at all.
    if (findings.length > 0) return { verdict: 'fires', findings, wants: [tcpdump.id] };
    const messages = waits.find((wait) => wait.purpose.kind === 'messages');
    if (messages !== undefined && messages.own !== null) {
      return {
        verdict: 'clear',
        why: `it waits for what ${peerName(messages)} sends next, as a consumer does (${frameName(messages.own)})`,
      };
    }
    return {
      verdict: 'clear',
      why:
        waits.length > 0
          ? 'it waits on the network only as a server does for its clients'
          : 'no thread was in one wait on a connection for the whole window',
    };
  },
});
