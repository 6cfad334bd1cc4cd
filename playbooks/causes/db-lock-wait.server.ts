import type { FindingDraft, Fix, Look } from '../model/index.ts';
import { type DatabaseServer, databases } from '../probes/databases.ts';
import { sample } from '../probes/sample.ts';
import { connections } from '../reading/connections.ts';
import { frameName, ownFrame, pythonThreads, threadName, threadOf } from '../reading/python.ts';
import { isReadiness, isReceive, sampledCalls, socketInode } from '../reading/syscalls.ts';
import { code, count, duration, list, shellCommand } from '../reading/text.ts';

/** A server process that waits for a lock on behalf of the process that is looked at. */
interface ServerWait {
  readonly server: DatabaseServer;
  readonly evidenceId: string;
  /** Those that may hold what it waits for, the likeliest first. */
  readonly holders: readonly DatabaseServer[];
}

const WAITING = / waiting$/;
const OPEN = /^(idle in transaction|fastpath)/;

/** What a title shows besides waiting, for a sentence. */
const asks = (server: DatabaseServer): string => server.activity.replace(WAITING, '');

const serverWaits = (look: Look): ServerWait[] => {
  const seen = look.see(databases);
  if (!seen.seen) return [];
  const { servers } = seen.data;
  return servers
    .filter((server) => WAITING.test(server.activity) && server.client?.pid === look.target.pid)
    .map((server) => {
      const same = servers.filter(
        (other) =>
          other !== server &&
          other.server === server.server &&
          other.database === server.database &&
          !WAITING.test(other.activity),
      );
      const open = same.filter((other) => OPEN.test(other.activity) && other.steady);
      const busy = same.filter((other) => other.steady && !OPEN.test(other.activity) && !/^idle/.test(other.activity));
      return { server, evidenceId: seen.evidenceId, holders: [...open, ...busy] };
    });
};

/** The thread that waits on the connection, where its call names the socket; else the only one that waits for an answer. */
const waiter = (look: Look, wait: ServerWait) => {
  const sampled = look.see(sample);
  const view = pythonThreads(look);
  if (!sampled.seen) return null;
  const fd = wait.server.client?.fd;
  const inode = [...connections(look).values()].find((each) => each.socket.fd === fd)?.socket.inode ?? null;
  const calls = sampled.data.threads.flatMap((thread) =>
    sampledCalls(thread)
      .filter((call) => call.share >= 0.9 && (isReceive(call.name) || isReadiness(call.name)))
      .map((call) => ({ thread, call, exact: inode !== null && socketInode(call.fd) === inode })),
  );
  const exact = calls.find((each) => each.exact);
  const main = calls.find((each) => each.thread.tid === look.target.pid);
  const chosen =
    exact ?? (calls.length === 1 ? calls[0] : main) ?? calls.find((each) => threadOf(view, each.thread.tid) !== null);
  if (chosen === undefined) return null;
  const python = threadOf(view, chosen.thread.tid);
  const own = python?.stacks[0] === undefined ? null : ownFrame(python.stacks[0]);
  return { tid: chosen.thread.tid, at: chosen.call.at, evidenceId: sampled.evidenceId, python, own };
};

const serverName = (server: DatabaseServer): string =>
  `server process ${server.pid} (user ${code(server.user, 40)}, ${code(server.activity, 60)})`;

const holderWords = (holder: DatabaseServer): string =>
  `${serverName(holder)}${holder.client === null ? '' : `, whose client is process ${holder.client.pid} (${code(holder.client.command, 100)})`}, connected for ${duration(holder.ageSeconds)}`;

/** Who blocks whom, as the server itself knows it (pg_stat_activity and pg_blocking_pids of its manual, 9.6 and later). */
const query = (wait: ServerWait): string =>
  `SELECT pid, pg_blocking_pids(pid) AS blocked_by, state, now() - xact_start AS transaction_age, left(query, 80) AS query FROM pg_stat_activity WHERE pid = ${wait.server.pid} OR pid = ANY (pg_blocking_pids(${wait.server.pid}));`;

const fixesOf = (wait: ServerWait, place: string | null): Fix[] => {
  const [first] = wait.holders;
  return [
    {
      title: 'Ask the server who holds the lock, since when and for which statement',
      detail: 'It knows for certain. Transactions that are open for long are the ones to look for.',
      code: `psql -d ${wait.server.database} -c ${shellCommand([query(wait)])}`,
    },
    ...(first === undefined
      ? []
      : [
          {
            title: `End the transaction that holds it: ${serverName(first)}`,
            detail:
              `${first.client === null ? 'Its client' : `Process ${first.client.pid} (${code(first.client.command, 100)})`} began it and does something else meanwhile; diagnose that process too. ` +
              'When it may be lost, the server can roll it back.',
            code: `psql -d ${wait.server.database} -c ${shellCommand([`SELECT pg_terminate_backend(${first.pid});`])}`,
          },
        ]),
    {
      title: 'Do not wait without a limit, and do not keep transactions open',
      detail:
        `${place === null ? 'The waiting code' : place} waits until the other transaction ends, however long that takes. Set limits where connections are made, ` +
        `and commit or roll back before anything slow is done (${code('with connection:')} does it for psycopg).`,
      code: "connection = psycopg2.connect(dsn, options='-c lock_timeout=5s -c idle_in_transaction_session_timeout=60s')",
    },
  ];
};

const draftOf = (look: Look, wait: ServerWait): FindingDraft => {
  const { server, holders, evidenceId } = wait;
  const [first] = holders;
  const who = waiter(look, wait);
  const place = who?.own == null ? null : frameName(who.own);
  const subject =
    who === null || who === undefined
      ? 'The process'
      : who.python === null
        ? `Thread ${who.tid}`
        : threadName(who.python).replace(/^./, (letter) => letter.toUpperCase());
  const others = holders.slice(0, 3);
  const confidence = server.steady ? 0.95 : 0.4;
  const named = first !== undefined && (OPEN.test(first.activity) || holders.length === 1);
  const lines = [
    { evidenceId, at: server.at },
    ...(server.client === null ? [] : [{ evidenceId, at: server.client.at }]),
    ...others
      .slice(0, 2)
      .flatMap((each) => [
        { evidenceId, at: each.at },
        ...(each.client === null ? [] : [{ evidenceId, at: each.client.at }]),
      ]),
    ...(who === null ? [] : [{ evidenceId: who.evidenceId, at: who.at }]),
  ];
  const seen = new Set<number>();
  const related = others.flatMap((each) =>
    [
      ...(each.client === null
        ? []
        : [
            {
              pid: each.client.pid,
              why: `its transaction on ${code(each.database)} is open: ${code(each.activity, 60)}`,
            },
          ]),
      { pid: each.pid, why: `the server process of that transaction` },
    ].filter(({ pid }) => pid !== look.target.pid && !seen.has(pid) && seen.add(pid)),
  );
  return {
    confidence,
    title: `Waits for a lock in the PostgreSQL database ${code(server.database, 60)}${first === undefined ? '' : named ? `, where the transaction of ${first.client === null ? serverName(first) : `process ${first.client.pid}`} is open` : ''}`,
    summary:
      `${subject}${place === null ? '' : ` in ${place}`} waits for the answer to ${code(asks(server), 40)}. On this host, server process ${server.pid} serves it, and says itself that it waits for a lock${server.steady ? ', at both ends of the window' : ''}. ` +
      (holders.length === 0
        ? 'Who holds the lock cannot be seen from outside: no other session of the database has a transaction open that shows.'
        : `${first !== undefined && OPEN.test(first.activity) ? 'Open transactions that may hold it' : 'Sessions that are at work and may hold it'}: ${list(others.map(holderWords))}${holders.length > 3 ? ` and ${count(holders.length - 3, 'more session')}` : ''}. Which of them has this lock only the server can say.`) +
      `${server.steady ? '' : ' At the beginning of the window it did something else, so this wait may be a short one.'}`,
    evidence: lines.slice(0, 6).map((line) => look.quote(line.evidenceId, line.at)),
    fixes: fixesOf(wait, place),
    ...(related.length === 0 ? {} : { related: related.slice(0, 4) }),
  };
};

/** Findings on PostgreSQL servers of the same host. */
export const serverFindings = (look: Look): FindingDraft[] => serverWaits(look).map((wait) => draftOf(look, wait));
