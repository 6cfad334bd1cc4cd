import type { FindingDraft, Fix, Look, PythonFrame } from '../model/index.ts';
import type { RelativeThread } from '../probes/children.ts';
import type { Family } from '../reading/processes.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  type PythonView,
  quoteFrame,
  threadName,
  threadOf,
} from '../reading/python.ts';
import { intArgument, isReadiness, isReceive, waitLimit } from '../reading/syscalls.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';
import { quoteTurn, type TurnView, turnsOf } from '../reading/turns.ts';

/** A process that has the writing end of a pipe whose end somebody waits for. */
interface Holder {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly ageSeconds: number;
  readonly at: number;
}

/** A wait for the end of a child's output, which others keep from coming. */
interface Held {
  readonly thread: PythonThreadView;
  readonly own: RelativeThread;
  /** What reads to the end; null for a read of which that is not known. */
  readonly call: PythonFrame | null;
  readonly holders: readonly Holder[];
  /** The task that waits for it, where an event loop does; its thread is the loop's. */
  readonly turn: TurnView | null;
  /** Seconds after which the wait ends in any case; null without a limit. */
  readonly leftSeconds: number | null;
  /** The child that was started, when it has ended and nobody has waited for it yet. */
  readonly ended: Family['data']['zombies']['shown'][number] | null;
}

const pipeOf = (target: string | null): string | null => /^pipe:\[(\d+)\]$/.exec(target ?? '')?.[1] ?? null;

/** The frame of the standard library that reads a child's output to its end. */
const readsOutput = (thread: PythonThreadView): PythonFrame | null =>
  thread.stacks[0]?.frames.find(
    (frame) =>
      /\/subprocess\.py$/.test(frame.file) &&
      /(?:^|\.)_?communicate$|(?:^|\.)_communicate_with_poll$/.test(frame.function),
  ) ?? null;

/** Who has the writing end of a pipe, besides the target; null when the target itself has it open. */
const holdersOf = (family: Family, inode: string): Holder[] | null => {
  const writes = (end: string) => end === 'write' || end === 'both';
  const { target, data } = family;
  if (target.pipes.some((pipe) => pipe.inode === inode && writes(pipe.end))) return null;
  const relatives = data.processes.flatMap((each) =>
    each === target
      ? []
      : each.pipes
          .filter((pipe) => pipe.inode === inode && writes(pipe.end))
          .slice(0, 1)
          .map((pipe) => ({
            pid: each.pid,
            parent: each.parent,
            command: each.command,
            ageSeconds: each.ageSeconds,
            at: pipe.at,
          })),
  );
  return [...relatives, ...data.holders.filter((each) => each.inode === inode)];
};

/** A limit that is still so far away (seconds) is none to those who wait. */
const LONG_SECONDS = 60;

/** Seconds that a poll with a long limit goes on at most, as it was begun; null for any other wait. */
const leftSeconds = (own: RelativeThread): number | null => {
  const left = own.syscall === 'poll' ? (intArgument(own.args, 2) ?? 0) / 1000 : 0;
  return left >= LONG_SECONDS ? left : null;
};

/** The task that awaits all of a child's output, when nothing is known to end that soon (asyncio/subprocess.py). */
const readingTurn = (look: Look): TurnView | null =>
  turnsOf(look).find(
    ({ state, still, limitSeconds, stack }) =>
      state === 'waiting' &&
      still > 0 &&
      (limitSeconds ?? Number.POSITIVE_INFINITY) > LONG_SECONDS &&
      stack.frames.some(
        (each) => /\/asyncio\/subprocess\.py$/.test(each.file) && /(?:^|\.)communicate$/.test(each.function),
      ) &&
      !stack.frames.some((each) => /(?:^|\.)(?:wait_for|timeout)$/.test(each.function)),
  ) ?? null;

/** The same of a task: no child of the process has the pipe, and somebody else does. */
const heldTurn = (look: Look, view: PythonView, family: Family): Held | null => {
  const turn = readingTurn(look);
  const tid = turn?.tid ?? family.target.pid;
  const thread = threadOf(view, tid);
  const own = family.target.threads.find((each) => each.tid === tid);
  if (turn === null || thread === null || own === undefined) return null;
  const children = new Set(
    family.data.processes.filter((each) => each.parent === family.target.pid).map(({ pid }) => pid),
  );
  const inodes = new Set(
    family.target.pipes.filter((each) => each.end === 'read' && each.fd > 2).map(({ inode }) => inode),
  );
  const held = [...inodes].map((inode) => eldest(holdersOf(family, inode) ?? []));
  const holders = eldest(held.filter((each) => each.length > 0 && !each.some(({ pid }) => children.has(pid))).flat());
  const call = turn.stack.frames.find((each) => /(?:^|\.)communicate$/.test(each.function)) ?? null;
  return holders.length === 0 ? null : { thread, own, call, holders, turn, leftSeconds: null, ended: null };
};

/** What a steady wait reads: its pipe, or, when it polls for its child's output, all pipes that only others still hold. */
const awaitedPipes = (family: Family, own: RelativeThread): string[] => {
  const pipe = pipeOf(own.fd);
  if (isReceive(own.syscall)) return pipe === null ? [] : [pipe];
  if (!isReadiness(own.syscall) || (waitLimit(own.syscall, own.args) !== 'none' && leftSeconds(own) === null))
    return [];
  return [...new Set(family.target.pipes.filter((each) => each.end === 'read').map((each) => each.inode))];
};

/** Each once, longest there first; what one of them has started itself goes without saying. */
const eldest = (holders: readonly Holder[]): Holder[] =>
  [...new Map(holders.map((each) => [each.pid, each])).values()]
    .filter((each) => !holders.some((other) => other.pid === each.parent && other.pid !== each.pid))
    .toSorted((a, b) => b.ageSeconds - a.ageSeconds);

/** A child that has ended and of which the output is read on, because somebody else has its pipe; null when there is none. */
export const heldOpen = (look: Look, view: PythonView, family: Family): Held | null => {
  for (const thread of view.threads) {
    const own = family.target.threads.find((each) => each.tid === thread.tid);
    const call = readsOutput(thread);
    if (own === undefined || !own.same || own.woke !== 0 || (call === null && !isReceive(own.syscall))) continue;
    const direct = family.data.processes.filter((each) => each.parent === family.target.pid);
    const holders = awaitedPipes(family, own).flatMap((inode) => holdersOf(family, inode) ?? []);
    const distinct = eldest(holders);
    // A child that lives may have much to do; only what it left behind is at issue.
    if (distinct.length === 0 || distinct.some((each) => direct.some((child) => child.pid === each.pid))) continue;
    const oldest = Math.max(...distinct.map((each) => each.ageSeconds));
    const [ended] = family.data.zombies.shown
      .filter((each) => each.stayed && each.ageSeconds >= oldest - 0.5)
      .toSorted((a, b) => a.ageSeconds - b.ageSeconds);
    const left = leftSeconds(own);
    if ((call === null || left !== null) && ended === undefined) continue;
    return { thread, own, call, holders: distinct, turn: null, leftSeconds: left, ended: ended ?? null };
  }
  return heldTurn(look, view, family);
};

const capital = (text: string): string => text.replace(/^./, (letter) => letter.toUpperCase());
const named = (holder: Holder): string => `process ${holder.pid} (${code(holder.command, 80)})`;

const fixesOf = (held: Held, where: string | null): Fix[] => {
  const [first] = held.holders;
  const place = where === null ? 'the call' : where;
  return [
    {
      title: `Give what runs on in the background an output of its own, in the command that ${place} starts`,
      detail:
        'A program that is started with `&`, `nohup` or by a daemon inherits the pipe, and the pipe ends only when everybody has closed it. Redirect its output where it is started; `nohup` alone leaves a pipe as it is.',
      code: 'server >>/var/log/server.log 2>&1 </dev/null &    # in the shell script\nsubprocess.Popen(cmd, stdin=DEVNULL, stdout=log_file, stderr=STDOUT, start_new_session=True)    # in Python',
    },
    {
      title: 'Or wait for the child and not for the end of its output',
      detail:
        'With a file instead of a pipe `run()` returns as soon as the child has ended, whoever has the file open. A `timeout=` bounds the wait in any case, from Python 3.7.5 on.',
      code: 'with tempfile.TemporaryFile() as out:\n    subprocess.run(cmd, stdout=out, stderr=subprocess.STDOUT, timeout=60, check=True)\n    out.seek(0)\n    text = out.read()',
    },
    ...(first === undefined
      ? []
      : [
          {
            title: `To let it go on now, end ${list(held.holders.slice(0, 3).map((each) => `process ${each.pid}`))}, if it is not needed`,
            detail: `See first what it is. The wait ends when the last of them has closed the pipe; afterwards look again: ${place} must have returned.`,
            code: `${shellCommand(['ps', '-o', 'pid,ppid,lstart,args', '-p', String(first.pid)])}\n${shellCommand(['kill', String(first.pid)])}`,
          },
        ]),
  ];
};

/** The finding about it. */
export const heldDraft = (look: Look, family: Family, held: Held): FindingDraft => {
  const { thread, own, call, holders, ended, turn } = held;
  const stack = turn?.stack ?? thread.stacks[0];
  const place = stack === undefined ? null : ownFrame(stack);
  const where = place === null ? null : frameName(place);
  const who = list(holders.slice(0, 3).map(named));
  const still = holders.length === 1 ? 'still has' : 'still have';
  const child =
    ended === null
      ? 'The child that was started is not there any more.'
      : `The child ${ended.pid} (${code(ended.comm, 40)}) has ended (${ended.ending ?? 'how is not known'}), and is not waited for until its output ends.`;
  const sure = family.data.zombies.stayed === 1 ? 0.93 : 0.9;
  const inferred =
    ended === null
      ? 'that the child itself has ended; nobody among its children has the pipe'
      : 'that it waits for the end, and not for more of what is written there';
  const waiter = turn === null ? capital(threadName(thread)) : 'A task';
  const limit =
    held.leftSeconds === null ? 'without a time limit' : `and is given up only after ${duration(held.leftSeconds)}`;
  return {
    confidence: call === null ? 0.75 : ended === null ? 0.8 : sure,
    title: `${waiter} waits${where === null ? '' : ` in ${where}`} for the end of the output of a child that has ended: ${holders.length === 1 ? `process ${holders[0]?.pid} has` : `${count(holders.length, 'process', 'processes')} have`} its pipe open`,
    summary:
      `${waiter} stood ${where === null ? '' : `in ${where} `}for the whole window of ${duration(family.data.seconds)} and reads a child's output${call === null ? '' : ` to its end (${code(call.function)})`}, ${limit}. ` +
      `${child} But ${who} ${still} the writing end of the pipe, which ${holders.length === 1 ? 'it' : 'they'} inherited, and no end of file comes before that is closed.` +
      (call === null || ended === null ? ` Not seen directly: ${inferred}.` : ''),
    evidence: [
      ...(turn === null
        ? [place, call].flatMap((each) => (each === null ? [] : [quoteFrame(look, thread, each)]))
        : quoteTurn(look, turn)),
      look.quote(family.evidenceId, own.at),
      ...(ended === null ? [] : [look.quote(family.evidenceId, ended.at)]),
      ...holders.slice(0, 2).map((each) => look.quote(family.evidenceId, each.at)),
    ],
    fixes: fixesOf(held, where),
    related: holders.slice(0, 3).map((each) => ({
      pid: each.pid,
      why: 'it has the pipe open whose end is waited for',
    })),
  };
};
