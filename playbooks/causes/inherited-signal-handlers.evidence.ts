import type { Look } from '../model/index.ts';
import type { RelativeProcess } from '../probes/children.ts';
import { strace } from '../probes/strace.ts';
import { ownThreads } from '../reading/lock-waits.ts';
import { caughtSignals, type Family } from '../reading/processes.ts';
import { asksToEnd, type Repeated, receivedSignals } from '../reading/signals.ts';
import { splitArguments } from '../reading/syscalls.ts';
import { code } from '../reading/text.ts';

/** What a worker was traced to do to its siblings, its master or its whole group. */
export interface Dealing {
  readonly pid: number;
  /** Who it is, for sentences. */
  readonly to: string;
  readonly signal: string;
  /** Signal 0: it only asks whether the process lives (kill(2)). */
  readonly asks: boolean;
  readonly evidenceId: string;
  readonly lines: readonly number[];
}

const TIMES_ASKED = 2;

/** The signals that the target sent to siblings, master or group, and the times that it asked whether they live. */
export const dealings = (look: Look, family: Family, own: ReadonlySet<number>): Dealing[] => {
  const traced = look.see(strace);
  if (!traced.seen) return [];
  const others = family.data.processes.filter((each) => each.relation === 'sibling' || each.relation === 'parent');
  const found = new Map<string, { pid: number; signal: string; lines: number[] }>();
  for (const call of traced.data.detail.calls) {
    if (call.name !== 'kill' || !own.has(call.tid) || call.result !== '0') continue;
    const [who = '', signal = ''] = splitArguments(call.args);
    const pid = Number(/^-?\d{1,10}/.exec(who)?.[0] ?? Number.NaN);
    const name = /^(SIG[A-Z0-9]+|0)\b/.exec(signal)?.[1];
    const known = pid <= 0 || others.some((each) => each.pid === pid);
    if (!Number.isFinite(pid) || name === undefined || !known || (name !== '0' && !asksToEnd(name))) continue;
    const key = `${pid} ${name}`;
    const before = found.get(key);
    if (before === undefined) found.set(key, { pid, signal: name, lines: [call.at] });
    else before.lines.push(call.at);
  }
  return [...found.values()]
    .filter((each) => each.signal !== '0' || each.lines.length >= TIMES_ASKED)
    .map((each) => {
      const process = others.find((other) => other.pid === each.pid);
      const to =
        each.pid <= 0
          ? 'its whole process group'
          : `its ${process?.relation === 'parent' ? 'master' : 'sibling'}, process ${each.pid}${process === undefined ? '' : ` (${code(process.comm, 30)})`}`;
      return { ...each, to, asks: each.signal === '0', evidenceId: traced.evidenceId };
    })
    .toSorted((a, b) => Number(a.asks) - Number(b.asks) || b.lines.length - a.lines.length);
};

/** Relatives with inherited handlers that were traced to send the target a signal that asks it to end. */
export const intruders = (
  look: Look,
  family: Family,
): { process: RelativeProcess; repeated: Repeated; evidenceId: string }[] => {
  const traced = look.see(strace);
  if (!traced.seen) return [];
  return receivedSignals(traced.data, ownThreads(look)).flatMap((repeated) => {
    const process = family.data.processes.find((each) => each.pid === repeated.peer);
    if (process === undefined || process.origin !== 'forked' || !asksToEnd(repeated.signal)) return [];
    if (process.relation !== 'sibling' && process.relation !== 'descendant') return [];
    const master = family.data.processes.find((each) => each.pid === process.parent);
    const [theirs, masters] = [caughtSignals(process), master === undefined ? [] : caughtSignals(master)];
    const equal = theirs.length > 0 && theirs.join() === masters.join();
    return equal ? [{ process, repeated, evidenceId: traced.evidenceId }] : [];
  });
};
