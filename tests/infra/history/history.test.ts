import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { OpenDatabase } from '../../../infra/history/database.ts';
import { type History, type HistoryOptions, openHistory } from '../../../infra/history/history.ts';
import { silentLog } from '../../../infra/log.ts';
import type { StoredFile } from '../../../infra/queue/messages.ts';
import { openOutboxes } from '../../../infra/queue/outbox.ts';
import { inThread, KINDS, listed, lookForTest, sharedDatabase, untilListed } from '../../support/history.ts';
import { redisForTest } from '../../support/queue.ts';
import { hostileReport, sickReport } from '../../support/reports.ts';

const open = async (
  database: OpenDatabase,
  change: Partial<HistoryOptions> = {},
): Promise<{ history: History; redisUrl: string; close: () => Promise<void> }> => {
  const redis = await redisForTest();
  const outboxes = openOutboxes(redis.url, silentLog);
  const history = openHistory({
    place: { folder: '' },
    database,
    outboxes,
    readFile: async () => null,
    log: silentLog,
    retentionDays: 730,
    evidenceRetentionDays: 30,
    everyMs: 100,
    ...change,
  });
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= history.close().then(outboxes.close);
    return closed;
  };
  onTestFinished(close);
  return { history, redisUrl: redis.url, close };
};

const file = (name: string, stored: string, bytes: number): StoredFile => ({
  name,
  evidenceId: 'E1',
  bytes,
  truncated: false,
  stored,
});

const soon = { timeout: 60_000 };

describe.each(KINDS)('history in %s', (kind) => {
  const shared = sharedDatabase(kind);

  it('keeps looks with findings and evidence once, and gives them back', async () => {
    const database = await shared.forTest();
    const bytes = new Map([
      ['k1', Buffer.from('pid 6325\n')],
      ['k2', randomBytes(3_000_000)],
    ]);
    const { history, close } = await open(database, { readFile: async ({ stored }) => bytes.get(stored) ?? null });
    const files = [file('E1.txt', 'k1', 9), file('big.bin', 'k2', 3_000_000), file('lost.txt', 'k3', 7)];
    const look = lookForTest({}, sickReport, { files });
    await history.keepLook(look);
    await untilListed(history, 1);
    expect(history.state()).toEqual({ ok: true, why: null });
    // The same answer once more, as after a crash.
    await history.keepLook(look);
    await history.keepLook(lookForTest({ host: 'web-8' }));
    await untilListed(history, 2);
    await close();
    await database.use(async (own) => {
      const rows = await own.selectFrom('evidence').selectAll().orderBy('position').execute();
      expect(rows.map(({ name, truncated }) => [name, truncated])).toEqual([
        ['E1.txt', false],
        ['big.bin', false],
        ['lost.txt', true],
      ]);
      expect(gunzipSync(rows[0]?.content ?? '').toString()).toBe('pid 6325\n');
      expect(gunzipSync(rows[1]?.content ?? '').equals(bytes.get('k2') ?? Buffer.alloc(0))).toBe(true);
      expect(rows[2]?.content).toBeNull();
      const findings = await own.selectFrom('findings').select(['cause', 'position']).execute();
      expect(findings).toHaveLength(2 * sickReport.findings.length);
      const kept = await own
        .selectFrom('looks')
        .select('report')
        .where('id', '=', look.answer.requestId)
        .executeTakeFirst();
      expect(kept?.report).toEqual(look.answer.outcome.kind === 'report' ? look.answer.outcome.report : null);
    });
  });

  it('takes texts that PostgreSQL refuses as they are', async () => {
    const { history } = await open(await shared.forTest());
    const nasty = 'a\0b \ud800 \udfff c\\u0000 \u202e';
    const look = lookForTest(
      {},
      {
        ...hostileReport,
        target: { ...hostileReport.target, command: nasty, unit: nasty },
        findings: hostileReport.findings.map((each) => ({ ...each, title: nasty, summary: nasty })),
      },
    );
    await history.keepLook({ ...look, headline: nasty, answer: { ...look.answer, files: [file(nasty, '', 1)] } });
    await history.keepNote('n\0', {
      kind: 'resolution',
      channel: 'C1',
      threadTs: '1\0',
      at: 1,
      user: 'U\0',
      note: nasty,
    });
    await untilListed(history, 1);
    const { looks } = await listed(history);
    expect(looks[0]?.headline).toBe('a␀b \ufffd \ufffd c\\u0000 \u202e');
    // LIKE's own characters are not special in what people look for.
    expect((await listed(history, 'C1', '%')).total).toBe(0);
    expect((await listed(history, 'C1', '\0b')).total).toBe(1);
    expect((await listed(history, 'C1', "'; drop table looks; --")).total).toBe(0);
  });

  it('writes what many hand over at once, each once', async () => {
    const database = await shared.forTest();
    const { history } = await open(database);
    const looks = Array.from({ length: 20 }, (_, index) => lookForTest({ host: `web-${index % 4}` }));
    await Promise.all([...looks, ...looks].map((look) => history.keepLook(look)));
    await untilListed(history, 20);
    expect((await listed(history, 'C1', 'web-1')).total).toBe(5);
    expect((await listed(history, 'C1', 'signal-storm')).total).toBe(20);
    const page = await history.list({ about: null, channel: 'C1', page: 2, size: 8 });
    expect(page.looks).toHaveLength(8);
    expect(page.looks.map(({ at }) => at.getTime())).toEqual(
      page.looks.map(({ at }) => at.getTime()).sort((one, other) => other - one),
    );
  });

  it('shows looks of closed channels only there, and says how many are left out', async () => {
    const { history } = await open(await shared.forTest());
    await history.keepLook(lookForTest(inThread('C1', '1.1')));
    await history.keepLook(lookForTest(inThread('G1', '2.1'), sickReport, { private: true }));
    await expect
      .poll(
        () =>
          listed(history).then(
            ({ total, leftOut }) => [total, leftOut],
            () => [],
          ),
        soon,
      )
      .toEqual([1, 1]);
    expect(await listed(history, 'G1')).toMatchObject({ total: 2, leftOut: 0 });
    // It was closed meanwhile.
    await history.channels(new Map([['C1', true]]));
    expect(await listed(history, 'C9')).toMatchObject({ total: 0, leftOut: 2, looks: [] });
  });

  it('knows what was seen before, and what helped', async () => {
    const { history } = await open(await shared.forTest());
    const [finding] = sickReport.findings;
    if (finding === undefined) throw new Error('no finding');
    const looks = [
      lookForTest({ ...inThread('C1', '1.1'), pid: 11 }),
      lookForTest({ ...inThread('C1', '1.1'), pid: 11 }),
      lookForTest({ ...inThread('C1', '2.1'), host: 'web-8', pid: 12 }),
      lookForTest({ ...inThread('G1', '3.1') }, sickReport, { private: true }),
    ];
    for (const look of looks) await history.keepLook(look);
    const at = { channel: 'C1', threadTs: '1.1', at: 5 };
    await history.keepNote('r1', { kind: 'resolution', ...at, user: 'U1', note: 'restarted the pool' });
    await history.keepNote('v1', {
      kind: 'verification',
      ...at,
      before: 'a',
      after: 'b',
      verdict: 'gone',
      title: 'Gone',
    });
    await history.keepNote('f1', {
      kind: 'feedback',
      ...at,
      requestId: looks[0]?.answer.requestId ?? '',
      user: 'U2',
      cause: 'busy-loop',
      words: null,
    });
    await untilListed(history, 4, 'G1');
    const asked = {
      target: { ...sickReport.target, pid: 99 },
      finding,
      channel: 'C1',
      threadTs: '9.1',
      onlyThere: false,
      at: Date.now(),
    };
    await expect.poll(() => history.seenBefore(asked).then((seen) => [seen?.wrong, seen?.gone]), soon).toEqual([1, 1]);
    expect(await history.seenBefore(asked)).toMatchObject({
      times: 2,
      last: { host: 'web-8', threadTs: '2.1' },
      helped: [{ words: 'restarted the pool' }],
      resolved: 1,
      instead: 'busy-loop',
    });
    // Its own thread does not count, and another service or cause is another matter.
    expect(await history.seenBefore({ ...asked, threadTs: '1.1' })).toMatchObject({ times: 1 });
    expect(await history.seenBefore({ ...asked, channel: 'G1' })).toMatchObject({ times: 3 });
    expect(await history.seenBefore({ ...asked, channel: 'G1', onlyThere: true })).toMatchObject({
      times: 1,
      channels: ['G1'],
    });
    expect(await history.seenBefore({ ...asked, target: { ...asked.target, unit: 'other.service' } })).toBeNull();
    expect(await history.seenBefore({ ...asked, finding: { ...finding, cause: 'busy-loop' } })).toBeNull();
    expect(await history.seenBefore({ ...asked, at: 1 })).toBeNull();
  });

  it('keeps approvals and lines of audit logs', async () => {
    const database = await shared.forTest();
    const { history, close } = await open(database);
    const entry = { at: '2026-11-01T00:00:00.000Z', side: 'bot', machine: 'm\0', request: 'r-1', user: 'U1' } as const;
    history.keepAudit({ ...entry, event: 'requested', outcome: 'a\0b' });
    history.keepAudit({ ...entry, event: 'approved', host: 'web-7', pid: 6325 });
    const lines = () => database.use(async (own) => (await own.selectFrom('audit').select('id').execute()).length);
    await expect.poll(lines, soon).toBe(2);
    await close();
    await database.use(async (own) => {
      expect(await own.selectFrom('audit').select(['event', 'machine']).orderBy('event').execute()).toEqual([
        { event: 'approved', machine: 'm␀' },
        { event: 'requested', machine: 'm␀' },
      ]);
      expect(await own.selectFrom('approvals').select(['look_id', 'user_id', 'pid']).execute()).toEqual([
        { look_id: 'r-1', user_id: 'U1', pid: 6325 },
      ]);
    });
  });

  it('rows that cannot be read go, and do not hold up the others', async () => {
    const { history, redisUrl } = await open(await shared.forTest());
    const outboxes = openOutboxes(redisUrl, silentLog);
    onTestFinished(outboxes.close);
    await outboxes.looks.put({ id: 'bad', at: 0, data: { from: 'another version' } });
    await history.keepLook(lookForTest());
    await untilListed(history, 1);
    await expect.poll(() => outboxes.looks.size(), soon).toBe(0);
  });
});
