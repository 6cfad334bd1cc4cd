import { type ExpressionBuilder, sql } from 'kysely';
import type { Finding, ReportTarget } from '../../playbooks/model/index.ts';
import { storable } from './clean.ts';
import type { Database } from './database.ts';
import { placeOf, serviceOf } from './likeness.ts';
import type { Tables } from './schema.ts';

/** A look as a list shows it. */
export interface ListedLook {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly playbook: string;
  readonly channel: string;
  readonly threadTs: string;
  readonly at: Date;
  readonly state: string;
  readonly cause: string | null;
  readonly confidence: number | null;
  readonly headline: string;
}

export interface ListedPage {
  readonly looks: readonly ListedLook[];
  /** All that fit and may be seen here. */
  readonly total: number;
  /** Those that fit and may not be seen here. */
  readonly leftOut: number;
}

type Looks = ExpressionBuilder<Tables, 'looks'>;

/** In this channel, or in one that is open to everybody of the workspace. */
const mayBeSeen = (channel: string) => (where: Looks) =>
  where.or([
    where('looks.channel', '=', channel),
    where.exists(
      where
        .selectFrom('channels')
        .select('channels.id')
        .whereRef('channels.id', '=', 'looks.channel')
        .where('channels.private', '=', false),
    ),
  ]);

/** A text with what LIKE takes for more than itself taken literally (PostgreSQL's manual, 9.7.1). */
const literal = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

const isAbout = (wanted: string) => (where: Looks) =>
  where.or([
    where('looks.host', '=', wanted),
    where('looks.cause', '=', wanted),
    where('looks.unit', 'ilike', `%${literal(wanted)}%`),
    where('looks.service', 'ilike', `%${literal(wanted)}%`),
    where.exists(
      where
        .selectFrom('findings')
        .select('findings.position')
        .whereRef('findings.look_id', '=', 'looks.id')
        .where('findings.cause', '=', wanted),
    ),
  ]);

/** The looks about a host, service or cause (all without one) that may be seen in a channel, newest first. */
export const listLooks = async (
  database: Database,
  { about, channel, page, size }: { about: string | null; channel: string; page: number; size: number },
): Promise<ListedPage> => {
  const wanted = about === null ? null : storable(about);
  let fitting = database.selectFrom('looks');
  if (wanted !== null) fitting = fitting.where(isAbout(wanted));
  const here = storable(channel);
  const count = async (query: typeof fitting): Promise<number> =>
    Number((await query.select(({ fn }) => fn.countAll().as('count')).executeTakeFirst())?.count ?? 0);
  const [all, total, rows] = await Promise.all([
    count(fitting),
    count(fitting.where(mayBeSeen(here))),
    fitting
      .where(mayBeSeen(here))
      .select(['id', 'host', 'pid', 'playbook', 'channel', 'thread_ts', 'requested_at'])
      .select(['state', 'cause', 'confidence', 'headline'])
      .orderBy('requested_at', 'desc')
      .orderBy('id')
      .limit(size)
      .offset((page - 1) * size)
      .execute(),
  ]);
  const looks = rows.map(({ thread_ts: threadTs, requested_at: at, ...row }) => ({ ...row, threadTs, at }));
  return { looks, total, leftOut: all - total };
};

/** A thread of a channel. */
export interface Thread {
  readonly channel: string;
  readonly threadTs: string;
}

/** A look as its own thread lists it. */
export interface ThreadLook extends ListedLook {
  readonly user: string;
}

const MOST_OF_THREAD = 500;

/** The looks of a thread, by their ids. */
export const looksOfThread = async (
  database: Database,
  { channel, threadTs }: Thread,
): Promise<ReadonlyMap<string, ThreadLook>> => {
  const rows = await database
    .selectFrom('looks')
    .where('channel', '=', storable(channel))
    .where('thread_ts', '=', storable(threadTs))
    .select(['id', 'host', 'pid', 'playbook', 'channel', 'user_id', 'requested_at'])
    .select(['state', 'cause', 'confidence', 'headline'])
    .orderBy('requested_at', 'desc')
    .limit(MOST_OF_THREAD)
    .execute();
  return new Map(
    rows.map(({ user_id: user, requested_at: at, ...row }) => [row.id, { ...row, threadTs, user, at }] as const),
  );
};

/** Writes down what was found of channels: whether each is closed to others. */
export const writeChannels = async (database: Database, closed: ReadonlyMap<string, boolean>): Promise<void> => {
  for (const [id, isPrivate] of closed) {
    await database
      .updateTable('channels')
      .set({ private: isPrivate, checked_at: new Date() })
      .where('id', '=', storable(id))
      .execute();
  }
};

/** When, how often and what became of it that a trouble was seen. */
export interface SeenBefore {
  readonly cause: string;
  /** Threads, each counted once. */
  readonly times: number;
  readonly first: Date;
  /** The newest look of it in another thread. */
  readonly last: { readonly at: Date; readonly host: string; readonly channel: string; readonly threadTs: string };
  /** All channels of which something of this comes. */
  readonly channels: readonly string[];
  /** What people wrote when they resolved it, newest first. */
  readonly helped: readonly { readonly words: string; readonly at: Date }[];
  /** How many of these threads were resolved, and in how many a later look showed the cause gone. */
  readonly resolved: number;
  readonly gone: number;
  /** How often the diagnosis was said to be wrong, and what it was instead the last time. */
  readonly wrong: number;
  readonly instead: string | null;
}

const MOST_THREADS = 200;
const MOST_HELP = 2;

/** The look that is compared: not itself counts, nor another look of its thread. */
export interface Comparing {
  readonly target: ReportTarget;
  readonly finding: Finding;
  readonly channel: string;
  readonly threadTs: string;
  /** Whether only looks of this channel count, and not those of open ones. */
  readonly onlyThere: boolean;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Whether the same cause was found at the same place of the same service before, in threads that may be seen from this one. */
export const seenBefore = async (
  database: Database,
  { target, finding, channel, threadTs, onlyThere, at }: Comparing,
): Promise<SeenBefore | null> => {
  const here = storable(channel);
  const rows = await database
    .selectFrom('looks')
    .innerJoin('findings', 'findings.look_id', 'looks.id')
    .where('findings.cause', '=', finding.cause)
    .where('findings.service', '=', storable(serviceOf(target)))
    .where('findings.place', '=', storable(placeOf(finding)))
    .where('findings.confidence', '>=', 0.5)
    .where('looks.requested_at', '<', new Date(at))
    .where((where) =>
      where.or([where('looks.channel', '!=', here), where('looks.thread_ts', '!=', storable(threadTs))]),
    )
    .where((where) => (onlyThere ? where('looks.channel', '=', here) : mayBeSeen(here)(where as unknown as Looks)))
    .select(['looks.channel', 'looks.thread_ts', 'looks.host', 'looks.requested_at'])
    .distinctOn(['looks.channel', 'looks.thread_ts'])
    .orderBy('looks.channel')
    .orderBy('looks.thread_ts')
    .orderBy('looks.requested_at', 'desc')
    .limit(5_000)
    .execute();
  const threads = rows.sort((one, other) => other.requested_at.getTime() - one.requested_at.getTime());
  const [last] = threads;
  if (last === undefined) return null;
  const newest = threads.slice(0, MOST_THREADS);
  const inThese = sql<boolean>`(channel, thread_ts) in (${sql.join(newest.map((each) => sql`(${each.channel}, ${each.thread_ts})`))})`;
  const [resolutions, verified, feedback] = await Promise.all([
    database
      .selectFrom('resolutions')
      .where(inThese)
      .select(['channel', 'thread_ts', 'note', 'at'])
      .orderBy('at', 'desc')
      .execute(),
    database
      .selectFrom('verifications')
      .where(inThese)
      .where('verdict', '=', 'gone')
      .select(['channel', 'thread_ts'])
      .execute(),
    database.selectFrom('feedback').where(inThese).select(['look_id', 'cause']).orderBy('at', 'desc').execute(),
  ]);
  const threadsOf = (found: readonly { channel: string; thread_ts: string }[]): number =>
    new Set(found.map((each) => `${each.channel} ${each.thread_ts}`)).size;
  return {
    cause: finding.cause,
    times: threads.length,
    first: threads.at(-1)?.requested_at ?? last.requested_at,
    last: { at: last.requested_at, host: last.host, channel: last.channel, threadTs: last.thread_ts },
    channels: [...new Set(threads.map((each) => each.channel))],
    helped: resolutions
      .flatMap(({ note, at: when }) => (note === null ? [] : [{ words: note, at: when }]))
      .slice(0, MOST_HELP),
    resolved: threadsOf(resolutions),
    gone: threadsOf(verified),
    wrong: new Set(feedback.map((each) => each.look_id)).size,
    instead: feedback[0]?.cause ?? null,
  };
};
