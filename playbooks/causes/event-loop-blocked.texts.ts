import type { Fix, Look, PythonFrame } from '../model/index.ts';
import type { Socket } from '../probes/sockets.ts';
import type { LoopKind, LoopThread } from '../reading/event-loop.ts';
import { frameName, isLibraryFile } from '../reading/python.ts';
import { isChildWait, isFutex, isReceive, isSend, isSleep } from '../reading/syscalls.ts';
import { code, count, duration, list, percent } from '../reading/text.ts';
import { overdueTurns, type TurnView, turnFrame } from '../reading/turns.ts';

/** How a callback holds the loop: waiting in the kernel or computing, for how long at a time. */
export interface Hold {
  readonly kind: 'waits' | 'computes';
  /** Share of the samples that were inside of callbacks, 0 to 1. */
  readonly share: number;
  /** Seconds of one hold, at least, on average. */
  readonly seconds: number;
  /** The system call that it waits in; null when it computes. */
  readonly call: string | null;
  /** Turns of the loop that were seen or worked out; 0 for none, null when that was not watched. */
  readonly turns: number | null;
}

interface Situation {
  readonly look: Look;
  readonly name: string;
  readonly loop: LoopThread;
  readonly hold: Hold;
  readonly waiting: readonly Socket[];
  readonly seconds: number;
}

type Work = 'sleep' | 'http' | 'database' | 'dns' | 'child' | 'lock' | 'network' | 'compute' | 'other';

const DATABASES =
  /(^|\/)(sqlite3|psycopg2?|pymysql|MySQLdb|mysql|pymongo|redis|cx_Oracle|oracledb|pyodbc|django\/db|sqlalchemy)\//;
const HTTP = /(^|\/)(requests|urllib3|http\/client|urllib\/request|httpx|httplib2)(\/|\.py)/;

/** What kind of work the callback is in, from its frames and the system call. */
const workOf = (frames: readonly PythonFrame[], hold: Hold): Work => {
  const inner = frames.slice(0, 12);
  const has = (file: RegExp) => inner.some((frame) => file.test(frame.file));
  if (hold.kind === 'computes') return 'compute';
  if (inner.some((frame) => /(^|\.)(getaddrinfo|gethostbyname)/.test(frame.function))) return 'dns';
  if (has(DATABASES)) return 'database';
  if (has(HTTP)) return 'http';
  const call = hold.call ?? '';
  if (isSleep(call)) return 'sleep';
  if (isChildWait(call) || has(/(^|\/)subprocess\.py$/)) return 'child';
  if (isFutex(call)) return 'lock';
  if (isReceive(call) || isSend(call) || /^(connect|poll|ppoll|select|pselect6|accept4?)$/.test(call)) return 'network';
  return 'other';
};

/** How other work of the process is let in, by kind of loop and of work: what to write instead. */
const instead = (kind: LoopKind, work: Work, call: string): { detail: string; code: string } => {
  if (kind === 'gevent' || kind === 'eventlet') {
    const patch =
      kind === 'gevent'
        ? 'from gevent import monkey\nmonkey.patch_all()   # the very first lines of the program, before any other import'
        : 'import eventlet\neventlet.monkey_patch()   # the very first lines of the program, before any other import';
    const pool =
      kind === 'gevent'
        ? `result = gevent.get_hub().threadpool.apply(${call}, args)`
        : `result = eventlet.tpool.execute(${call}, *args)`;
    if (work === 'compute' || work === 'database' || work === 'other') {
      return {
        detail: `A greenlet gives way only where it waits through ${kind}. Work in native code or a long computation goes into a real thread${work === 'compute' ? ', a pure Python computation into another process, or it gives way now and then' : ''}.`,
        code: `${pool}${work === 'compute' ? `\n# or, inside of the long loop: ${kind}.sleep(0)` : ''}`,
      };
    }
    return {
      detail: `The call is the blocking one of the standard library: ${kind} was not told to replace it, or too late.`,
      code: `${patch}\n# or for this call alone:\n${pool}`,
    };
  }
  if (kind === 'twisted') {
    return {
      detail:
        'Give the call to the reactor’s thread pool, or use Twisted’s own client (treq, adbapi, task.deferLater).',
      code: `from twisted.internet import threads\nd = threads.deferToThread(${call}, *args)\nd.addCallback(use)`,
    };
  }
  const BY_WORK: Readonly<Record<Work, { detail: string; code: string }>> = {
    sleep: {
      detail: '`time.sleep` stops the whole loop; `asyncio.sleep` only this coroutine.',
      code: 'await asyncio.sleep(seconds)   # instead of time.sleep(seconds)',
    },
    http: {
      detail: 'Use an asynchronous client, or run the synchronous call in a thread.',
      code: `async with httpx.AsyncClient(timeout=10) as client:   # or aiohttp\n    answer = await client.get(url)\n# or, with the code as it is:\nresult = await asyncio.to_thread(${call}, *args)`,
    },
    database: {
      detail: 'Use an asynchronous driver (asyncpg, aiosqlite, redis.asyncio, motor), or run the query in a thread.',
      code: `rows = await asyncio.to_thread(${call}, *args)`,
    },
    dns: {
      detail: 'Names are resolved by a call that blocks; the loop has one that does not.',
      code: 'addresses = await asyncio.get_running_loop().getaddrinfo(host, port)',
    },
    child: {
      detail: 'Start and wait for child processes through the loop.',
      code: 'process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)\nout, _ = await asyncio.wait_for(process.communicate(), timeout=60)',
    },
    lock: {
      detail:
        'A coroutine must not wait for a thread’s lock, queue, event or future: what it waits for may itself need the loop, and then it waits for ever.',
      code: 'result = await asyncio.wrap_future(future)   # instead of future.result()\nasync with async_lock: ...                   # asyncio.Lock instead of threading.Lock\nitem = await asyncio.to_thread(queue.get)    # where a thread’s queue must be used',
    },
    network: {
      detail: 'Use streams of the loop, or run the synchronous call in a thread.',
      code: `reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout=10)\n# or: result = await asyncio.to_thread(${call}, *args)`,
    },
    compute: {
      detail:
        'A long computation in Python goes into another process; in native code that releases the interpreter lock, into a thread; a loop of many small steps can give way with `await asyncio.sleep(0)`.',
      code: `loop = asyncio.get_running_loop()\nresult = await loop.run_in_executor(process_pool, ${call}, *args)   # concurrent.futures.ProcessPoolExecutor`,
    },
    other: {
      detail: 'Run the blocking call in a thread.',
      code: `result = await asyncio.to_thread(${call}, *args)   # before Python 3.9: loop.run_in_executor(None, ${call}, *args)`,
    },
  };
  return BY_WORK[work];
};

const plainName = (frame: PythonFrame | null): string => {
  const name = (frame?.function ?? '').split('.').findLast((part) => /^[A-Za-z_]\w*$/.test(part));
  return name ?? 'function';
};

const waitingSentence = (waiting: readonly Socket[], overdue: readonly TurnView[]): string => {
  const listening = waiting.filter((socket) => socket.state === 'LISTEN');
  const unread = waiting.length - listening.length;
  const parts = [
    ...listening
      .slice(0, 3)
      .map((each) => `${count(each.receiveQueue, 'connection')} to ${code(each.local)} not accepted`),
    ...overdue.slice(0, 1).map((turn) => {
      const frame = turnFrame(turn);
      return `${count(turn.still, turn.kind)} whose time has come${frame === null ? '' : `, in ${frameName(frame)}`}`;
    }),
    ...(unread > 0 ? [`unread bytes on ${count(unread, 'connection')}`] : []),
  ];
  return parts.length === 0 ? '' : ` Meanwhile others wait for it: ${list(parts)}.`;
};

const debugFix = (pid: number, kind: LoopKind): Fix => ({
  title: 'Find the others of its kind, and verify',
  detail:
    kind === 'asyncio' || kind === 'uvloop'
      ? 'In debug mode asyncio logs each callback that takes longer than `loop.slow_callback_duration`. After the change, look again: this thread must wait in epoll.'
      : kind === 'gevent'
        ? 'gevent’s monitor thread reports greenlets that hold the hub. After the change, look again: this thread must wait in epoll.'
        : 'After the change, look again: this thread must wait in epoll.',
  code:
    kind === 'asyncio' || kind === 'uvloop'
      ? 'PYTHONASYNCIODEBUG=1 python …\n# in the program: asyncio.get_running_loop().slow_callback_duration = 0.1'
      : kind === 'gevent'
        ? 'GEVENT_MONITOR_THREAD_ENABLE=1 GEVENT_MAX_BLOCKING_TIME=0.1 python …'
        : `grep -o '^[0-9]*' /proc/${pid}/syscall   # 232 or 281: epoll_wait, epoll_pwait on x86-64`,
});

/** Words of the finding, and the frames that it names. */
export const blockedTexts = (
  situation: Situation,
): { title: string; summary: string; own: PythonFrame | null; outer: PythonFrame | null; fixes: Fix[] } => {
  const { name, loop, hold, waiting, seconds, look } = situation;
  const owns = loop.frames.filter((frame) => !isLibraryFile(frame.file));
  // A generator expression or a lambda has no name; the function around it has.
  const own = owns.find((frame) => !frame.function.endsWith('>')) ?? owns[0] ?? loop.frames[0] ?? null;
  const outer = owns.at(-1) ?? null;
  const inner = loop.frames[0] ?? null;
  const work = workOf(loop.frames, hold);
  const doing =
    hold.kind === 'computes'
      ? 'computes'
      : `waits in ${hold.call}${inner !== null && inner !== own ? `, called through ${code(inner.function, 60)}` : ''}`;
  const where = own === null ? 'a callback' : frameName(own);
  const whole = hold.share >= 0.9 && hold.seconds >= 0.5 * seconds;
  const howLong = whole
    ? `for all of the ${duration(seconds)} that were watched`
    : `in ${percent(hold.share)} of the samples, about ${duration(hold.seconds)} at a time`;
  const capital = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const entered = outer === null || outer === own ? '' : ` It came there from ${frameName(outer)}.`;
  const { detail, code: snippet } = instead(
    loop.kind,
    work,
    hold.kind === 'computes' ? plainName(own) : plainName(own),
  );
  return {
    title: `The ${loop.kind} event loop of ${name} is held up: ${where} ${doing}`,
    summary:
      `${capital} runs the ${loop.kind} loop, and was inside of a callback ${howLong}: ${where} ${doing}.${entered} ` +
      `While a callback runs, the loop asks for no events: all other connections, tasks and timers of it stand still.` +
      `${hold.turns === 0 ? ' The loop did not begin another turn in the window.' : ''}${waitingSentence(waiting, overdueTurns(look, loop.thread.tid))}`,
    own,
    outer,
    fixes: [
      {
        title: `Take the ${work === 'compute' ? 'computation' : 'blocking call'} at ${own === null ? 'that place' : code(`${own.file}:${own.line}`, 200)} out of the loop`,
        detail,
        code: snippet,
      },
      debugFix(look.target.pid, loop.kind),
    ],
  };
};
