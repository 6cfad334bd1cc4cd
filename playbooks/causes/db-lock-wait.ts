import { defineCause, type Look, type Verdict } from '../model/index.ts';
import { databases } from '../probes/databases.ts';
import { hostLocks } from '../probes/host-locks.ts';
import { locks } from '../probes/locks.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { nappingThreads } from '../reading/lock-waits.ts';
import { code, list } from '../reading/text.ts';
import { serverFindings } from './db-lock-wait.server.ts';
import { lockedDatabases, sqliteFindings } from './db-lock-wait.sqlite.ts';

const judge = (look: Look): Verdict => {
  const findings = [...serverFindings(look), ...sqliteFindings(look)].sort((a, b) => b.confidence - a.confidence);
  if (findings.length > 0) return { verdict: 'fires', findings, wants: [hostLocks.id] };
  const traced = look.see(strace);
  const locked = lockedDatabases(look);
  if (!traced.seen && locked.length > 0 && nappingThreads(look).length > 0) {
    return {
      verdict: 'cannot-tell',
      why: `${list([...new Set(locked.map((lock) => code(lock.path ?? '?')))].slice(0, 3))} is locked for writing and a thread sleeps and wakes; whether it tries to lock it is seen only in a trace (${traced.why})`,
      wants: [strace.id, hostLocks.id],
    };
  }
  const [seenLocks, seenServers] = [look.see(locks), look.see(databases)];
  if (!seenLocks.seen && !seenServers.seen && !traced.seen)
    return { verdict: 'cannot-tell', why: seenLocks.why, wants: [locks.id, databases.id] };
  return {
    verdict: 'clear',
    why: 'no thread tried in vain to lock a database file, and no database server of this host waits for a lock on its behalf',
  };
};

/** A thread that waits for a lock of a database: an SQLite file's, or one that a PostgreSQL server of the same host waits for. */
export const dbLockWait = defineCause({
  id: 'db-lock-wait',
  title: 'A thread waits for a lock of a database',
  needs: [sample],
  explains: ['blocked-on-network', 'file-lock-wait'],
  judge,
});
