import { defineCause, type FindingDraft, type Fix, type Look, type Verdict } from '../model/index.ts';
import { type ChildrenData, children, type RelativeProcess } from '../probes/children.ts';
import { identify } from '../probes/identify.ts';
import { frameName, ownFrame, type PythonThreadView, pythonThreads, quoteFrame, threadOf } from '../reading/python.ts';
import { inMask } from '../reading/signals.ts';
import { intArgument, isChildWait } from '../reading/syscalls.ts';
import { code, count, duration, list } from '../reading/text.ts';

type Zombies = ChildrenData['zombies'];

/** So many that stay for the whole window are no moment's delay: who reaps when it starts the next one has fewer. */
const MANY = 6;
/** So many may be one round of a parent that reaps now and then. */
const SOME = 3;

/** Names of the dead by how often they come: `` 12 of `convert` ``. */
const namesOf = (zombies: Zombies): string => {
  const counts = new Map<string, number>();
  for (const each of zombies.shown) counts.set(each.comm, (counts.get(each.comm) ?? 0) + 1);
  const ranked = [...counts].sort((a, b) => b[1] - a[1]);
  const [only] = ranked;
  if (ranked.length === 1 && only !== undefined) return `all of them ${code(only[0], 40)}`;
  return list(ranked.slice(0, 4).map(([name, times]) => `${times} ${code(name, 40)}`));
};

const commonName = (zombies: Zombies): string => zombies.shown[0]?.comm ?? 'the child';

const endingsOf = (zombies: Zombies): string => {
  const killed = zombies.shown.filter((each) => each.ending?.startsWith('signal '));
  const failed = zombies.shown.filter((each) => /^status [1-9]/.test(each.ending ?? ''));
  const parts = [
    ...(killed.length > 0
      ? [
          `${killed.length} ended by a signal (${list([...new Set(killed.map((each) => each.ending ?? ''))].slice(0, 3))})`,
        ]
      : []),
    ...(failed.length > 0 ? [`${failed.length} with a status other than 0`] : []),
  ];
  return parts.length === 0 ? '' : ` Of those looked at, ${list(parts)}: nobody has noticed.`;
};

/**
 * Whether the parent waits for one child of a batch that it started together: the others are fetched when their turn comes,
 * as with `for worker in workers: worker.join()`.
 */
const inTurn = (target: RelativeProcess, zombies: Zombies, spread: number): boolean =>
  zombies.last <= zombies.first &&
  spread <= 60 &&
  target.threads.some((thread) => isChildWait(thread.syscall) && (intArgument(thread.args, 0) ?? -1) > 0);

/** How sure it is that the parent does not fetch what its children leave; 0 for too few of them. */
const confidenceOf = (zombies: Zombies, target: RelativeProcess): number => {
  if (zombies.stayed < SOME) return 0;
  const ages = zombies.shown.filter((each) => each.stayed).map((each) => each.ageSeconds);
  const spread = Math.max(...ages) - Math.min(...ages);
  if (inTurn(target, zombies, spread)) return 0.35;
  if (zombies.stayed >= MANY) return zombies.stayed >= 20 || zombies.last > zombies.first ? 0.95 : 0.92;
  return zombies.last > zombies.first && spread > 1 ? 0.7 : spread > 120 ? 0.6 : 0.4;
};

/** What the parent does about the end of children, as far as its signals show. */
const dispositionOf = (target: RelativeProcess): 'handler' | 'none' | 'unknown' =>
  target.signals === null ? 'unknown' : inMask(target.signals.caught, 'SIGCHLD') ? 'handler' : 'none';

/** The innermost frame of the program in the thread that most probably starts children: the main one. */
const placeOf = (look: Look): { thread: PythonThreadView; where: string; at: ReturnType<typeof ownFrame> } | null => {
  const view = pythonThreads(look);
  const thread = threadOf(view, look.target.pid) ?? view?.threads[0] ?? null;
  const stack = thread?.stacks[0];
  const frame = stack === undefined ? null : ownFrame(stack);
  return thread === null || frame === null ? null : { thread, where: frameName(frame), at: frame };
};

const HANDLER =
  'import os, signal\n\ndef reap(signum, frame):\n    while True:                          # one signal may stand for many children\n        try:\n            pid, status = os.waitpid(-1, os.WNOHANG)\n        except ChildProcessError:\n            return\n        if pid == 0:\n            return\n\nsignal.signal(signal.SIGCHLD, reap)';

const KEEP =
  'process = subprocess.Popen(command)\ntry:\n    ...\nfinally:\n    process.wait(timeout=60)             # fetches the status, and the zombie is gone\n# or, for one that runs by itself: keep it, and ask all of them now and then\nrunning = [each for each in running if each.poll() is None]';

const fixesOf = (look: Look, zombies: Zombies, target: RelativeProcess, place: ReturnType<typeof placeOf>): Fix[] => {
  const pid = look.target.pid;
  const who = look.see(identify);
  const python = who.seen && who.data.runtime.kind === 'python';
  const verify: Fix = {
    title: 'Verify',
    detail: 'The number must not rise, and falls to 0 when no child has just ended.',
    code: `ps -o pid,stat,etime,comm --ppid ${pid} | awk '$2 ~ /^Z/'`,
  };
  const now: Fix = {
    title: 'To get rid of them now: only the parent can',
    detail:
      `A zombie has ended; no signal reaches it. It goes when its parent waits for it, or when the parent itself ends and init adopts it: restart process ${pid}. ` +
      'Until then each takes a pid and a place in the limit of processes.',
    code: `ps -o pid,ppid,stat,etime,comm --ppid ${pid}`,
  };
  if (target.namespacePid === 1 && target.pid !== 1) {
    return [
      {
        title: 'Run an init in the container that reaps',
        detail: `The process is pid 1 of its container, so it inherits every orphan there and has to wait for all of them, also for those that it never started. Let a small init be pid 1, or let it reap itself.`,
        code: 'docker run --init ...                    # or in compose: init: true; in Kubernetes: shareProcessNamespace: true\n# or in the image:\nENTRYPOINT ["/usr/bin/tini", "--", "python3", "-m", "service"]',
      },
      now,
      verify,
    ];
  }
  const start =
    place === null ? 'the code that starts them' : `the code that starts them (the main thread is in ${place.where})`;
  const handler = dispositionOf(target) === 'handler';
  const change: Fix = handler
    ? {
        title: 'Let the SIGCHLD handler fetch all that have ended, not one',
        detail:
          'The process has a handler for SIGCHLD, but children stay. Signals of one kind do not queue: when several children end at once the handler runs once (signal(7)). It has to wait in a loop until nothing is left.',
        code: HANDLER,
      }
    : {
        title: `Wait for ${code(commonName(zombies), 40)} when it has ended`,
        detail:
          `Nothing fetches the status of these children: look at ${start}. A ${code('Popen')} object that is dropped is only reaped when the next one is made, and one that is kept in a list never; ${code('os.fork')} and ${code('os.posix_spawn')} need a ${code('waitpid')} of their own. ` +
          `Use ${code('subprocess.run')}, ${code('with subprocess.Popen(...)')} or ${code('join()')}; or, when nobody wants the status at all, ignore SIGCHLD before the first child, and the kernel reaps (wait(2)).`,
        code: python ? KEEP : '# in a shell:\nwait "$child"\n# in C: while (waitpid(-1, NULL, WNOHANG) > 0) ;',
      };
  return [change, now, verify];
};

const draftOf = (
  look: Look,
  evidenceId: string,
  data: ChildrenData,
  target: RelativeProcess,
  confidence: number,
): FindingDraft => {
  const { zombies } = data;
  const place = placeOf(look);
  const grown = zombies.last - zombies.first;
  const oldest = Math.max(...zombies.shown.map((each) => each.ageSeconds));
  const adopted = target.namespacePid === 1 && target.pid !== 1;
  const handled = {
    handler: ' It has a handler for SIGCHLD, which does not fetch them all.',
    none: ' It has no handler for SIGCHLD, and nothing else waits for them.',
    unknown: '',
  }[dispositionOf(target)];
  return {
    confidence,
    title: `${count(zombies.last, 'child has', 'children have')} ended and nobody waits for them (${namesOf(zombies)})${grown > 0 ? `; ${grown} more within ${duration(data.seconds)}` : ''}`,
    summary:
      `${zombies.stayed} of the ${zombies.last} were zombies for the whole window of ${duration(data.seconds)}; the first of them was started ${duration(oldest)} ago.${handled}${endingsOf(zombies)}` +
      `${adopted ? ' It is pid 1 of its pid namespace, so orphans of the whole container become its children too.' : ''} Each keeps a pid and counts against the limits of processes${data.limits?.tasksMost ? ` (${data.limits.tasksUsed} of ${data.limits.tasksMost} in its control group)` : ''}; when these are used up, nothing can be started any more.` +
      `${confidence >= 0.9 ? '' : ' Not seen directly: that the parent does not fetch them a little later.'}`,
    evidence: [
      look.quote(evidenceId, zombies.at),
      ...zombies.shown.slice(0, 3).map((each) => look.quote(evidenceId, each.at)),
      ...(target.signals === null ? [] : [look.quote(evidenceId, target.signals.at)]),
      ...(place?.at ? [quoteFrame(look, place.thread, place.at)] : []),
    ],
    fixes: fixesOf(look, zombies, target, place),
  };
};

const judge = (look: Look): Verdict => {
  const seen = look.see(children);
  const target = seen.seen ? seen.data.processes.find((each) => each.relation === 'target') : undefined;
  if (!seen.seen || target === undefined)
    return { verdict: 'cannot-tell', why: 'the children of the process were not seen', wants: [children.id] };
  const { zombies } = seen.data;
  const confidence = confidenceOf(zombies, target);
  if (confidence > 0)
    return { verdict: 'fires', findings: [draftOf(look, seen.evidenceId, seen.data, target, confidence)] };
  if (seen.partly.includes('the list of relatives breaks off') && zombies.last === 0)
    return {
      verdict: 'cannot-tell',
      why: 'the list of relatives breaks off before it says how many zombies there are',
    };
  return {
    verdict: 'clear',
    why:
      zombies.last === 0
        ? 'none of its children is a zombie'
        : `${count(zombies.last, 'child', 'children')} of it ${zombies.last === 1 ? 'is a zombie' : 'are zombies'}, as it may be for a moment`,
  };
};

/** Children that have ended and are never waited for. */
export const zombieChildren = defineCause({
  id: 'zombie-children',
  title: 'Children have ended and nobody waits for them',
  needs: [children],
  explains: [],
  judge,
});
