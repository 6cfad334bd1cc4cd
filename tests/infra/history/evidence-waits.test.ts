import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { EvidenceChanged, EvidenceUnavailable } from '../../../infra/evidence/far-store.ts';
import { openHistory } from '../../../infra/history/history.ts';
import { silentLog } from '../../../infra/log.ts';
import type { StoredFile } from '../../../infra/queue/messages.ts';
import { openOutboxes } from '../../../infra/queue/outbox.ts';
import { KINDS, lookForTest, sharedDatabase } from '../../support/history.ts';
import { redisForTest } from '../../support/queue.ts';
import { sickReport } from '../../support/reports.ts';

const shared = sharedDatabase(KINDS[0]);
const DAY = 24 * 3_600_000;

const farFile = (stored: string): StoredFile => ({
  name: 'E1.txt',
  evidenceId: 'E1',
  bytes: 9,
  truncated: false,
  stored,
  part: { at: 0, bytes: 9, whole: 9, sha256: 'a'.repeat(64) },
});

test('looks whose evidence cannot be read wait, and hold up nobody', async () => {
  const database = await shared.forTest();
  const { url } = await redisForTest();
  const outboxes = openOutboxes(url, silentLog);
  let away = true;
  const history = openHistory({
    place: { folder: '' },
    database,
    outboxes,
    readFile: async ({ stored }) => {
      if (away) throw new EvidenceUnavailable('it is being repaired');
      if (stored === 'changed') throw new EvidenceChanged();
      return Buffer.from('pid 6325\n');
    },
    log: silentLog,
    retentionDays: 730,
    evidenceRetentionDays: 30,
    everyMs: 100,
  });
  onTestFinished(async () => {
    await history.close();
    await outboxes.close();
  });
  const look = (requestedAt: number, files: StoredFile[]) => lookForTest({ requestedAt }, sickReport, { files });
  const now = Date.now();
  const waiting = look(now - 5 * DAY, [farFile('waiting')]);
  const changed = look(now - DAY, [farFile('changed')]);
  const tooOld = look(now - 6 * DAY - 1_000, [farFile('old')]);
  const without = look(now, []);
  for (const each of [waiting, changed, tooOld, without]) await history.keepLook(each);
  const written = () =>
    database.use(async (own) =>
      (await own.selectFrom('looks').select('id').orderBy('id').execute()).map(({ id }) => id),
    );
  const idsOf = (...looks: (typeof waiting)[]) => looks.map(({ answer }) => answer.requestId).sort();
  const soon = { timeout: 60_000 };
  await expect.poll(written, soon).toEqual(idsOf(tooOld, without));
  expect(await outboxes.looks.size()).toBe(2);
  away = false;
  await expect.poll(written, soon).toEqual(idsOf(waiting, changed, tooOld, without));
  await expect.poll(() => outboxes.looks.size(), soon).toBe(0);
  const rows = await database.use((own) => own.selectFrom('evidence').selectAll().execute());
  const contentOf = ({ answer }: typeof waiting) => {
    const content = rows.find((row) => row.look_id === answer.requestId)?.content;
    return content == null ? null : gunzipSync(content).toString();
  };
  expect([waiting, changed, tooOld].map(contentOf)).toEqual(['pid 6325\n', null, null]);
});
