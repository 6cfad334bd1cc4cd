import type { FindingDraft, Fix, Look } from '../model/index.ts';
import { hostLocks } from '../probes/host-locks.ts';
import { identify } from '../probes/identify.ts';
import { locks } from '../probes/locks.ts';
import { strace } from '../probes/strace.ts';
import { type FileWait, fileWaits, type LockLine, ownThreads } from '../reading/lock-waits.ts';
import { frameName, ownFrame, type PythonThreadView, pythonThreads, threadName, threadOf } from '../reading/python.ts';
import { databaseLocks, inTheWay, type SqliteLock, sqliteOf } from '../reading/sqlite.ts';
import { isSleep } from '../reading/syscalls.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';

/** A thread that wants a lock of an SQLite database. */
interface DatabaseWait {
  readonly wait: FileWait;
  readonly database: SqliteLock;
}

const sqliteWaits = (look: Look): DatabaseWait[] => {
  const once = new Set<string>();
  return fileWaits(look).flatMap((wait) => {
    const database = sqliteOf(look, wait);
    if (database === null) return [];
    const key = `${wait.tid} ${database.database ?? ''}`;
    if (once.has(key)) return [];
    once.add(key);
    return [{ wait, database }];
  });
};

const relation = (look: Look, pid: number): string => {
  const who = look.see(identify);
  if (!who.seen) return '';
  if (who.data.parent?.pid === pid) return 'its parent, ';
  if (who.data.children.some((each) => each.pid === pid)) return 'its child, ';
  return '';
};

const holderWords = (look: Look, holder: LockLine): string => {
  const age = holder.state === 'T' ? ', which is stopped' : holder.state === 'Z' ? ', which is dead' : '';
  return `${relation(look, holder.pid)}process ${holder.pid}${holder.command === null ? '' : ` (${code(holder.command, 120)})`}${age}`;
};

/** The thread as a sentence's subject, with the program's own code that waits. */
const subject = (look: Look, tid: number, thread: PythonThreadView | null): string => {
  const who = thread === null ? (tid === look.target.pid ? 'the main thread' : `thread ${tid}`) : threadName(thread);
  const own = thread?.stacks[0] === undefined ? null : ownFrame(thread.stacks[0]);
  return `${who.charAt(0).toUpperCase()}${who.slice(1)}${own === null ? '' : ` in ${frameName(own)}`}`;
};

const nameOf = (database: SqliteLock): string =>
  database.database === null ? 'an SQLite database' : `the SQLite database ${code(database.database)}`;

/** What to do in the program that waits, and in the one that holds. */
const fixesFor = (database: SqliteLock, holders: readonly LockLine[], place: string | null): Fix[] => {
  const [first] = holders;
  const path = database.database ?? 'DATABASE';
  return [
    ...(first === undefined
      ? []
      : [
          {
            title: `Look at the holder: process ${first.pid}`,
            detail:
              `It has a transaction open since before this look began. Find where it begins one and does something slow, or forgets ${code('commit()')}, ${code('rollback()')} or ${code('close()')}; ` +
              'when it may end, end it in an orderly way: an unfinished transaction is rolled back by whoever opens the database next.',
            code: shellCommand(['lslocks', '-p', String(first.pid)]),
          },
        ]),
    {
      title: 'Keep transactions short',
      detail:
        `Do slow work (network, files, waiting for people) before ${code('BEGIN')} or after ${code('COMMIT')}, and let a ${code('with')} block end the transaction whatever happens in it.` +
        `${database.mode === 'rollback' ? ' In WAL mode readers and one writer do not keep each other waiting.' : ' WAL mode lets readers go on, but there is still one writer at a time.'}`,
      code: `rows = prepare()                 # slow work first\nwith connection:                 # begins, and commits or rolls back\n    connection.executemany(sql, rows)${database.mode === 'rollback' ? "\n\nconnection.execute('PRAGMA journal_mode=WAL')   # once for the file" : ''}`,
    },
    {
      title: 'Give up after a while, and say so',
      detail: `${place === null ? 'The waiting code' : place} waits as long as its busy timeout lets it. A short one turns a silent wait into ${code('database is locked')}, which can be logged and tried again.`,
      code: `connection = sqlite3.connect(${JSON.stringify(path)}, timeout=5)   # seconds; PRAGMA busy_timeout = 5000 in milliseconds`,
    },
  ];
};

/**
 * Whether one of those in the way still was in a second look, after the window; null without one. Readers come and go, so it
 * is enough that one stayed.
 */
const stayed = (look: Look, others: readonly LockLine[]): boolean | null => {
  const second = look.see(hostLocks);
  if (!second.seen || others.length === 0 || others.some((each) => each.evidenceId === second.evidenceId)) return null;
  return others.some((each) =>
    second.data.locks.some(
      (lock) => !lock.waiting && lock.pid === each.pid && lock.inode === each.inode && lock.mode === each.mode,
    ),
  );
};

const draftOf = (look: Look, { wait, database }: DatabaseWait): FindingDraft => {
  const { pid } = look.target;
  const thread = threadOf(pythonThreads(look), wait.tid);
  const others = inTheWay(look, wait, wait.holders).filter((each) => each.pid !== pid);
  const stack = thread?.stacks[0];
  const own = stack === undefined ? null : ownFrame(stack);
  const still = stayed(look, others);
  const handedOn = still === false || wait.stuck === 'no';
  const confidence = handedOn ? 0.4 : others.length > 0 ? 0.95 : 0.7;
  const every = wait.everySeconds === null ? '' : `, every ${duration(wait.everySeconds)}`;
  const queue = wait.waiters.filter((each) => each.pid !== pid).length;
  const lines = [
    ...wait.lines,
    ...others.slice(0, 2),
    ...(thread === null || own === null ? [] : [{ evidenceId: thread.evidenceId, at: own.at }]),
  ];
  return {
    confidence,
    title:
      others[0] === undefined
        ? `Waits for the lock of ${nameOf(database)}`
        : `Waits for the lock of ${nameOf(database)}, which process ${others[0].pid}${others[0].comm === null ? '' : ` (${code(others[0].comm, 40)})`} holds in a transaction`,
    summary:
      `${subject(look, wait.tid, thread)} wants to lock ${nameOf(database)}${database.mode === 'wal' ? ' (WAL mode)' : ''}. It tried ${count(wait.refusals, 'time')} in the trace${every}, and was refused each time. ` +
      (others.length > 0
        ? `The kernel names who has the lock, and so a transaction open: ${list(others.slice(0, 3).map((each) => holderWords(look, each)))}.`
        : 'Who has it could not be seen: that one link is inferred.') +
      `${still === true ? ' A second look at the locks, after the window, shows the same holder.' : ''}` +
      `${handedOn ? ' The lock went on to another holder meanwhile: a queue for a busy database, and no standstill.' : ''}` +
      `${queue === 0 ? '' : ` ${count(queue, 'other process', 'other processes')} ${queue === 1 ? 'waits' : 'wait'} for it too.`}`,
    evidence: [...new Map(lines.map((line) => [`${line.evidenceId} ${line.at}`, line])).values()]
      .slice(0, 6)
      .map((line) => look.quote(line.evidenceId, line.at)),
    fixes: fixesFor(database, others, own === null ? null : frameName(own)),
    ...(others.length === 0
      ? {}
      : {
          related: others
            .slice(0, 4)
            .map((each) => ({ pid: each.pid, why: `it has a transaction of ${nameOf(database)} open` })),
        }),
  };
};

/** The write locks on SQLite databases that the process itself holds. */
const ownWriteLocks = (look: Look): LockLine[] => {
  const seen = look.see(locks);
  if (!seen.seen) return [];
  const mine = seen.data.locks.filter((lock) => !lock.waiting && lock.mode === 'WRITE' && lock.pid === look.target.pid);
  return databaseLocks(
    look,
    mine.map((lock) => ({ ...lock, evidenceId: seen.evidenceId })),
  );
};

/** Milliseconds that SQLite's busy handler waits between its attempts (sqliteDefaultBusyCallback in main.c). */
const BUSY_NAPS = new Set([1, 2, 5, 10, 15, 20, 25, 50, 100]);

/** Whether a traced call is a nap of SQLite's busy handler: usleep, which Python's own sleep does not use. */
const isBusyNap = (call: { readonly name: string; readonly args: string }): boolean => {
  const match = /\{tv_sec=0, tv_nsec=(\d{1,9})\}/.exec(call.args);
  const own = call.name === 'nanosleep' || /^CLOCK_REALTIME, 0, /.test(call.args);
  return isSleep(call.name) && own && match !== null && BUSY_NAPS.has(Number(match[1]) / 1e6);
};

/** Whether the arguments of a traced call name a file, or one beside it that begins with its name. */
const isAbout = (args: string, path: string | null): boolean =>
  path !== null && args.includes(path.slice(path.lastIndexOf('/')));

/**
 * A thread that only naps inside of a call on a database which another connection of the same process has locked: SQLite
 * settles that without asking the kernel, so nothing is to be seen but the naps of its busy handler.
 */
const selfWait = (look: Look): FindingDraft | null => {
  const [held] = ownWriteLocks(look);
  const traced = look.see(strace);
  if (held === undefined || !traced.seen) return null;
  for (const tid of ownThreads(look)) {
    const calls = traced.data.detail.calls.filter((call) => call.tid === tid && call.name !== 'restart_syscall');
    const naps = calls.filter(isBusyNap);
    // Between them it looks whether the database has changed: nothing but reads of it and of what lies beside it.
    const rest = calls.filter((call) => !isBusyNap(call));
    const works = rest.filter(
      (call) =>
        !/^(newfstatat|statx?|fstat|pread64|read|fcntl|lseek)$/.test(call.name) || !isAbout(call.args, held.path),
    );
    if (naps.length < 5 || works.length > calls.length * 0.1) continue;
    const thread = threadOf(pythonThreads(look), tid);
    const own = thread?.stacks[0] === undefined ? null : ownFrame(thread.stacks[0]);
    return {
      confidence: 0.85,
      title: `Waits for the lock of an SQLite database that another connection of this very process holds: ${code(held.path ?? '?')}`,
      summary: `${subject(look, tid, thread)} does nothing but nap as SQLite does while a database is busy (${count(naps.length, 'time')} in the trace); the process itself holds a write lock on ${code(held.path ?? 'it')}, so another of its connections has a transaction open. Inferred: that it is this database that it waits for; connections of one process settle that among themselves.`,
      evidence: [
        ...naps.slice(0, 2).map((call) => look.quote(traced.evidenceId, call.at)),
        look.quote(held.evidenceId, held.at),
        ...(thread === null || own === null ? [] : [look.quote(thread.evidenceId, own.at)]),
      ],
      fixes: fixesFor({ database: held.path, mode: 'rollback' }, [], own === null ? null : frameName(own)),
    };
  }
  return null;
};

/** Findings on SQLite databases, surest first. */
export const sqliteFindings = (look: Look): FindingDraft[] => {
  const drafts = sqliteWaits(look).map((wait) => draftOf(look, wait));
  const self = drafts.length > 0 ? null : selfWait(look);
  return [...drafts, ...(self === null ? [] : [self])].sort((a, b) => b.confidence - a.confidence);
};

/** Databases that the process has open and that others have locked, or it for writing: what a napping thread may wait for. */
export const lockedDatabases = (look: Look): LockLine[] => {
  const seen = look.see(locks);
  if (!seen.seen) return [];
  const held = seen.data.locks.filter(
    (lock) => !lock.waiting && lock.targetFds.length > 0 && (lock.pid !== look.target.pid || lock.mode === 'WRITE'),
  );
  return databaseLocks(
    look,
    held.map((lock) => ({ ...lock, evidenceId: seen.evidenceId })),
  );
};
