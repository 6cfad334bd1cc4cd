import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../../infra/history/database.ts';
import { claimFolder } from '../../../infra/history/folder-claim.ts';
import { openHistory } from '../../../infra/history/history.ts';
import { HistoryUnavailable, placeName, troubleOf } from '../../../infra/history/trouble.ts';
import { silentLog } from '../../../infra/log.ts';
import { openOutboxes } from '../../../infra/queue/outbox.ts';
import { processFigures } from '../../bench/process-figures.ts';
import {
  asAdmin,
  KINDS,
  lookForTest,
  placeForTest,
  postgresForFile,
  untilListed,
  urlOf,
} from '../../support/history.ts';
import { keptLog, redisForTest, startProcess } from '../../support/queue.ts';

const soon = { timeout: 60_000 };
const times = { retentionDays: 730, evidenceRetentionDays: 30, readFile: async () => null, everyMs: 100 };

describe.skipIf(!KINDS.some((kind) => kind === 'postgresql'))('a PostgreSQL', () => {
  test('is made ready once by many that start together', async () => {
    const place = await placeForTest('postgresql');
    const opened = Array.from({ length: 4 }, () => openDatabase({ place, log: silentLog }));
    onTestFinished(async () => void (await Promise.all(opened.map((each) => each.close()))));
    const found = await Promise.all(
      opened.map((each) => each.use((own) => own.selectFrom('kysely_migration').select('name').execute())),
    );
    expect(found).toEqual(Array.from({ length: 4 }, () => [{ name: '0001-first' }]));
  });

  test('of a newer version is refused by a sentence, and used when it is of ours again', async () => {
    const place = await placeForTest('postgresql');
    const first = openDatabase({ place, log: silentLog });
    await first.use((own) =>
      own.insertInto('kysely_migration').values({ name: '9999-later', timestamp: '' }).execute(),
    );
    await first.close();
    const second = openDatabase({ place, log: silentLog });
    onTestFinished(() => second.close());
    const use = () => second.use((own) => own.selectFrom('looks').select('id').execute());
    await expect(use()).rejects.toThrow(
      /was written by a newer version of Straceback \(it has 9999-later\)\. Start that version/,
    );
    expect(second.state()).toMatchObject({ ok: false });
    const third = openDatabase({ place, log: silentLog });
    await expect(third.use(async () => 1)).rejects.toThrow(HistoryUnavailable);
    await third.close();
    const name = 'url' in place ? new URL(place.url).pathname.slice(1) : '';
    await asAdmin(await postgresForFile(), name, "delete from straceback.kysely_migration where name = '9999-later'");
    expect(await use()).toEqual([]);
    expect(second.state()).toEqual({ ok: true, why: null });
  });

  test('whose server is killed in the middle loses nothing that was handed over', async () => {
    const place = await placeForTest('postgresql');
    const redis = await redisForTest();
    const outboxes = openOutboxes(redis.url, silentLog);
    const history = openHistory({ place, outboxes, log: silentLog, ...times });
    onTestFinished(() => history.close().then(outboxes.close));
    const database = openDatabase({ place, log: silentLog });
    onTestFinished(() => database.close());
    const looks = Array.from({ length: 30 }, () => lookForTest());
    let killed = 0;
    for (const [index, look] of looks.entries()) {
      await history.keepLook(look);
      if (index % 10 !== 5) continue;
      // A server process that dies takes all the others with it, and the server recovers from its log (manual, 19.6).
      const { rows } = await database
        .use((own) => sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(own))
        .catch(() => ({ rows: [] }));
      if (rows[0] === undefined) continue;
      process.kill(rows[0].pid, 'SIGKILL');
      killed += 1;
    }
    await untilListed(history, looks.length);
    expect(killed).toBeGreaterThan(0);
    await expect.poll(() => outboxes.looks.size(), soon).toBe(0);
  });

  test('that refuses us, or that is not there, is a sentence without the password', async () => {
    const postgres = await postgresForFile();
    const urls = [
      urlOf(postgres, 'no_such_database').replace('shop@', 'shop:hunter2@'),
      'postgresql://shop:hunter2@127.0.0.1:1/x',
    ];
    for (const url of urls) {
      const log = keptLog();
      const database = openDatabase({ place: { url }, log });
      const error = await database
        .use(async (own) => own.selectFrom('looks').select('id').execute())
        .catch((each: unknown) => each);
      await database.close();
      expect(error).toBeInstanceOf(HistoryUnavailable);
      expect(String(error)).toMatch(
        /I (?:am not let into|do not reach) the database (?:no_such_database|x) at 127\.0\.0\.1/,
      );
      expect(JSON.stringify([log.lines, database.state(), String(error)])).not.toContain('hunter2');
      expect(log.lines).toHaveLength(1);
    }
  });
});

test('an embedded history is one process’s, gives back what making it took, and is whole when that is killed', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-history-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // What a start that was ended in the middle leaves: no database.
  mkdirSync(path.join(folder, 'pglite-unfinished', 'base'), { recursive: true });
  writeFileSync(path.join(folder, 'pglite-unfinished', 'PG_VERSION'), '17');
  const file = fileURLToPath(new URL('./holder-process.ts', import.meta.url));
  const { child, says, ended } = startProcess(file, [folder]);
  await says('written');
  expect(readdirSync(folder)).toContain('pglite');
  expect(readdirSync(folder)).not.toContain('pglite-unfinished');
  const { rss } = await processFigures(child.pid ?? 0);
  // Making it takes 700 MiB, which would stay; using it about 150.
  expect(rss).toBeLessThan(600);
  const database = openDatabase({ place: { folder }, log: silentLog });
  onTestFinished(() => database.close());
  const notes = () => database.use((own) => own.selectFrom('resolutions').select('note').execute());
  await expect(notes()).rejects.toThrow(`The history in ${folder} is open in another process (pid ${child.pid}).`);
  expect(database.state().why).toMatch(/end that one, or give all of them a PostgreSQL with DATABASE_URL\.$/);
  child.kill('SIGKILL');
  await ended;
  expect(await notes()).toEqual([{ note: 'kept' }]);
});

test('a folder is claimed by one of many, and left as it was', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-claim-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (let round = 0; round < 3; round += 1) {
    const claims = await Promise.allSettled(Array.from({ length: 8 }, () => claimFolder(folder)));
    const won = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value] : []));
    expect(won).toHaveLength(1);
    await won[0]?.release();
  }
  expect(readdirSync(folder)).toEqual([]);
});

test('what waits is bounded, and the log says so', async () => {
  const redis = await redisForTest();
  const log = keptLog();
  const outboxes = openOutboxes(redis.url, silentLog, { looks: 3, notes: 2 });
  const history = openHistory({ place: { url: 'postgresql://x@127.0.0.1:1/x' }, outboxes, log, ...times });
  onTestFinished(() => history.close().then(outboxes.close));
  const looks = Array.from({ length: 5 }, () => lookForTest());
  for (const look of [...looks, ...looks]) await history.keepLook(look);
  expect(await outboxes.looks.size()).toBe(3);
  expect(log.lines.map(({ message }) => message)).toContain(
    'history: no more room for looks that wait for the database; newer ones are not kept until it is back',
  );
  await expect.poll(() => history.state().why, soon).toMatch(/^I do not reach the database x at 127\.0\.0\.1:1 /);
});

test.each([
  [{ code: '53100' }, /^The disk of .* is full; history waits until there is room\.$/],
  [{ code: 'ENOSPC' }, /is full/],
  [{ code: '28P01' }, /^I am not let into/],
  [{ code: '57P03' }, /^I do not reach/],
  [{ code: 'ECONNREFUSED' }, /^I do not reach/],
  [{ message: 'Connection terminated unexpectedly' }, /^I do not reach/],
])('%o is a trouble of the database', (fields, sentence) => {
  const error = Object.assign(new Error('message' in fields ? fields.message : 'x'), fields);
  expect(troubleOf(error, { folder: '/x' })?.message).toMatch(sentence);
  expect(troubleOf(new AggregateError([error]), { folder: '/x' })?.message).toMatch(sentence);
});

test('errors of statements are none of the database’s, nor is Redis being away', () => {
  const place = { folder: '/x' };
  expect(troubleOf(Object.assign(new Error('duplicate key'), { code: '23505' }), place)).toBeNull();
  expect(troubleOf(new TypeError('x is not a function'), place)).toBeNull();
  const queue = Object.assign(new Error('away', { cause: new Error('Connection is closed.') }), {
    name: 'QueueUnavailable',
  });
  expect(troubleOf(queue, place)).toBeNull();
  expect(placeName({ url: 'nonsense' })).toBe('the database of DATABASE_URL');
});
