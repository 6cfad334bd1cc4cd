import type { Fix, Look } from '../model/index.ts';
import type { Family } from '../reading/processes.ts';
import { frameName, type PythonView, threadName } from '../reading/python.ts';
import type { PythonWaitKind } from '../reading/python-waits.ts';
import { steadyWait } from '../reading/python-waits.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';
import type { Lost } from './waiting-forever.processes.ts';

/** Sentences and fixes of waiting-forever. */

const WHAT: Readonly<Record<PythonWaitKind, string>> = {
  'queue-get': 'for an item of a queue',
  'queue-put': 'for room in a full queue',
  'queue-join': 'for all items of a queue to be marked as done',
  event: 'for an event to be set',
  condition: 'for a condition to be notified',
  semaphore: 'for a semaphore',
  barrier: 'for others to reach a barrier',
  'thread-join': 'for another thread to end',
  shutdown: 'for threads to end, having come to its own end',
  'pool-result': 'for results of a process pool',
  future: 'for a future to be done',
  'process-queue': 'for an item of a queue between processes',
  'process-lock': 'for a lock between processes',
  connection: 'for data from another process',
  native: 'for something in C',
};

/** What the thread waits for: after "waits". */
export const whatText = (lost: Lost): string =>
  `${WHAT[lost.wait.kind]}${lost.wait.call === null ? '' : ` (${code(lost.wait.call.function)})`}`;

/** The headline. */
export const titleOf = (lost: Lost): string => {
  const at = lost.wait.caller === null ? '' : ` in ${frameName(lost.wait.caller)}`;
  const who = {
    threads: 'no other thread is left that could bring it',
    'all-wait': 'every other thread waits too',
    writers: 'nobody is left who could write it',
    'idle-readers': 'all who could write it only wait to read',
    'pool-workers':
      lost.workers?.count === 0 ? 'the pool has no worker any more' : 'all workers are idle: the task was lost',
    'lock-holder': 'whoever has it is gone',
  }[lost.missing];
  return `${threadName(lost.thread).replace(/^./, (letter) => letter.toUpperCase())} waits${at} ${WHAT[lost.wait.kind]}, and ${who}`;
};

const dead = (family: Family): string => {
  const ended = family.data.zombies.shown.filter((each) => each.stayed).slice(0, 3);
  return ended.length === 0
    ? ''
    : ` ${list(ended.map((each) => `Child ${each.pid} (${code(each.comm, 40)})`))} ${ended.length === 1 ? 'has' : 'have'} ended (${[...new Set(ended.map((each) => each.ending ?? 'how is not known'))].join(', ')}) and ${ended.length === 1 ? 'is' : 'are'} not waited for.`;
};

/** Who is missing, and what shows it. */
export const missingText = (family: Family, view: PythonView, lost: Lost): string => {
  const others = view.threads.filter((thread) => thread !== lost.thread);
  if (lost.missing === 'threads')
    return `It is the only thread of the process${family.data.processes.some((each) => each.relation === 'descendant') ? ', and its children cannot reach into it' : ', which has no children'}: what should have woken it has ended.`;
  if (lost.missing === 'all-wait') {
    const places = others.slice(0, 3).map((thread) => {
      const wait = steadyWait(thread);
      return `${threadName(thread)} ${wait === null ? 'waits' : `waits ${WHAT[wait.kind]}${wait.caller === null ? '' : ` in ${frameName(wait.caller)}`}`}`;
    });
    return `The other ${count(others.length, 'thread')} of the process ${others.length === 1 ? 'waits' : 'wait'} too, without a time limit: ${list(places)}${others.length > places.length ? ', and so on' : ''}. None of them runs, sleeps for a time or watches a descriptor.`;
  }
  if (lost.missing === 'writers')
    return `The end to write to is open only in this process itself: no other process can write any more, and because this one keeps its own copy open no end of file comes either.${dead(family)}`;
  if (lost.missing === 'idle-readers')
    return `All others who have the end to write to wait to read themselves.${dead(family)}`;
  if (lost.missing === 'lock-holder') return `No process that shares it is seen to be inside of it.${dead(family)}`;
  const workers = lost.workers;
  if (workers === undefined || workers.count === 0) return `None of the pool's workers exists any more.${dead(family)}`;
  const replaced = workers.replaced;
  return (
    `All ${count(workers.count, 'worker')} of the pool stood in their wait for a task all the time, so nobody works on what is waited for. ` +
    (replaced === null
      ? ''
      : `Worker ${replaced.pid} is ${duration(replaced.ageSeconds)} old and younger than the others: it took the place of one that died, whose task ${code('multiprocessing.Pool')} does not give to anybody else.`)
  );
};

const CODE: Readonly<Partial<Record<PythonWaitKind, string>>> = {
  'queue-get':
    "DONE = object()\n\ndef producer(jobs):\n    try:\n        ...                      # jobs.put(item)\n    finally:\n        jobs.put(DONE)           # also when it fails\n\nwhile True:\n    try:\n        item = jobs.get(timeout=30)\n    except queue.Empty:\n        if not thread.is_alive():\n            raise RuntimeError('the producer has ended')\n        continue\n    if item is DONE:\n        break",
  'queue-join':
    'while True:\n    item = jobs.get()\n    try:\n        handle(item)\n    finally:\n        jobs.task_done()         # also when handle() fails',
  'pool-result':
    'from concurrent.futures import ProcessPoolExecutor\n\nwith ProcessPoolExecutor() as pool:\n    results = list(pool.map(work, items))   # raises BrokenProcessPool when a worker dies\n\n# or, with multiprocessing.Pool:\nresults = pool.map_async(work, items).get(timeout=600)',
  'process-queue':
    "import queue\n\nwhile True:\n    try:\n        item = results.get(timeout=10)\n    except queue.Empty:\n        if not producer.is_alive():\n            raise RuntimeError('the producer ended with %s' % producer.exitcode)\n        continue",
  connection:
    "ours, theirs = multiprocessing.Pipe()\nworker = multiprocessing.Process(target=work, args=(theirs,))\nworker.start()\ntheirs.close()                   # now the end of the worker is an EOFError here\nif not ours.poll(600):\n    raise RuntimeError('no answer')",
  'process-lock':
    "if not lock.acquire(timeout=60):\n    raise RuntimeError('whoever holds the lock does not give it back')",
  shutdown:
    'for _ in workers:\n    jobs.put(None)               # one sentinel for each worker\nfor worker in workers:\n    worker.join()',
  'thread-join': "worker.join(timeout=60)\nif worker.is_alive():\n    raise RuntimeError('worker hangs')",
};

const GENERAL =
  "if not ready.wait(timeout=60):\n    raise RuntimeError('nobody set it')   # and set it in a finally: of the one who should";

/** What to change, and what to do now. */
export const fixesOf = (look: Look, lost: Lost, where: string | null): Fix[] => {
  const pid = look.target.pid;
  const { kind } = lost.wait;
  const place = where ?? 'the waiting code';
  const title =
    kind === 'pool-result'
      ? 'Use a pool that notices when a worker dies, and a time limit'
      : kind === 'queue-get' || kind === 'shutdown'
        ? 'Let the producer always send a sentinel, and wait with a time limit'
        : kind === 'connection'
          ? 'Close the other end in this process, and wait with a time limit'
          : 'Wait with a time limit, and look whether the other one still lives';
  return [
    {
      title,
      detail:
        `${place.charAt(0).toUpperCase()}${place.slice(1)} waits without a limit. Who should wake it can end by an exception, a signal or the kernel's OOM killer, and nobody says so. ` +
        (lost.missing === 'writers' && kind !== 'connection'
          ? 'Closing the end to write to in this process after the fork makes the death of the last writer an end of file.'
          : 'A time limit turns a silent hang into an error; a supervisor that checks the other side tells why.'),
      code: CODE[kind] ?? GENERAL,
    },
    {
      title: 'Find out why the other one ended',
      detail:
        'An uncaught exception in a thread or child is printed to standard error and nowhere else; a kill by the kernel stands in its log.',
      code: `journalctl -k --since '-1 hour' | grep -iE 'oom|killed process|segfault'\nls -l /proc/${pid}/fd/2`,
    },
    {
      title: 'To get rid of it now: restart the process',
      detail: 'No event from outside wakes this thread. A core taken before shows every thread once more.',
      code: `${shellCommand(['gcore', '-o', '/var/tmp/core', String(pid)])}\n${shellCommand(['kill', String(pid)])}`,
    },
  ];
};
