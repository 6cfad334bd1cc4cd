import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { readExportArguments, readPurgeArguments } from '../../../infra/history/commands.ts';
import { exportLooks, readWanted } from '../../../infra/history/export.ts';
import { applyRetention, purge, purgeable } from '../../../infra/history/retention.ts';
import { writeLook, writeNote } from '../../../infra/history/write.ts';
import { reportText } from '../../../playbooks/report-text.ts';
import { inThread, KINDS, lookForTest, sharedDatabase } from '../../support/history.ts';
import { sickReport } from '../../support/reports.ts';

const DAY_MS = 24 * 3600 * 1000;

const folderForTest = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-export-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const evidence = (name: string) => ({ name, evidenceId: 'E1', bytes: 5, truncated: false, stored: 'k' });
const readFile = async () => Buffer.from('bytes');

describe.each(KINDS)('commands on a history in %s', (kind) => {
  const shared = sharedDatabase(kind);

  it('export a look, or all of a thread, as folders whose names stay in them', async () => {
    const database = await shared.forTest();
    const names = ['E1-identify.txt', '../../etc/passwd', '-rf', '', 'ü\0x', 'E1-IDENTIFY.txt', '.'];
    const files = [...names.map(evidence), { ...evidence('lost.txt'), stored: '' }];
    const first = lookForTest(inThread('C1', '1700000000.000100'), sickReport, { files });
    const second = lookForTest(inThread('C1', '1700000000.000100'));
    const to = path.join(folderForTest(), 'out');
    await database.use(async (own) => {
      for (const look of [first, second])
        await writeLook(own, look, async ({ stored }) => (stored === '' ? null : await readFile()));
      const thread = { channel: 'C1', threadTs: '1700000000.000100', at: 1 };
      await writeNote(own, 'r', { kind: 'resolution', ...thread, user: 'U1', note: 'restarted' });
      const folders = await exportLooks(own, readWanted('C1/1700000000.000100'), to, reportText);
      expect(folders).toEqual([first, second].map(({ answer }) => path.join(to, answer.requestId)));
      expect(await exportLooks(own, readWanted('no-such'), to, reportText)).toEqual([]);
      await expect(exportLooks(own, readWanted(first.answer.requestId), to, reportText)).rejects.toThrow(/EEXIST/);
    });
    const folder = path.join(to, first.answer.requestId);
    const manifest: { files: { file: string; sha256: string; bytes: number }[]; missing: unknown[] } = JSON.parse(
      readFileSync(path.join(folder, 'manifest.json'), 'utf8'),
    );
    expect(manifest.missing).toEqual([{ name: 'lost.txt', why: 'it could not be kept' }]);
    expect(manifest.files).toHaveLength(4 + names.length);
    expect(readdirSync(folder).sort()).toEqual([...manifest.files.map(({ file }) => file), 'manifest.json'].sort());
    for (const { file, sha256 } of manifest.files) {
      expect(file).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/);
      expect(
        createHash('sha256')
          .update(readFileSync(path.join(folder, file)))
          .digest('hex'),
      ).toBe(sha256);
    }
    expect(JSON.parse(readFileSync(path.join(folder, 'report.json'), 'utf8')).findings).toEqual(sickReport.findings);
    expect(readFileSync(path.join(folder, 'report.txt'), 'utf8')).toContain(
      'Main thread waits in its own SIGTERM handler',
    );
    expect(JSON.parse(readFileSync(path.join(folder, 'said.json'), 'utf8')).resolutions[0].note).toBe('restarted');
    expect(readdirSync(path.dirname(to))).toEqual(['out']);
  });

  it('purge what was asked for, and count the same before', async () => {
    const database = await shared.forTest();
    const now = Date.now();
    const old = lookForTest({ host: 'old', requestedAt: now - 100 * DAY_MS }, sickReport, { files: [evidence('a')] });
    const mine = lookForTest({ host: 'mine', requestedAt: now }, sickReport, { files: [evidence('b'), evidence('c')] });
    const other = lookForTest({ host: 'other', requestedAt: now });
    await database.use(async (own) => {
      for (const look of [old, mine, other]) await writeLook(own, look, readFile);
      const note = { kind: 'feedback', channel: 'C1', threadTs: '1', user: 'U', cause: 'x', words: null } as const;
      await writeNote(own, 'f1', { ...note, at: now, requestId: mine.answer.requestId });
      await writeNote(own, 'f2', { ...note, at: now - 100 * DAY_MS, requestId: old.answer.requestId });
      const host = { kind: 'host', host: 'mine' } as const;
      const bytes = 2 * gzipSync('bytes').length;
      expect(await purgeable(own, host)).toEqual({ looks: 1, files: 2, bytes, notes: 1, audit: 0 });
      expect(await purge(own, host)).toEqual({ looks: 1, files: 2, bytes, notes: 1, audit: 0 });
      expect(await purge(own, host)).toMatchObject({ looks: 0, files: 0, notes: 0 });
      const older = { kind: 'older', than: new Date(now - 90 * DAY_MS) } as const;
      expect(await purgeable(own, older)).toMatchObject({ looks: 1, files: 1, notes: 1 });
      expect(await purge(own, older)).toMatchObject({ looks: 1, files: 1, notes: 1 });
      const left = await own.selectFrom('looks').select('host').execute();
      expect(left).toEqual([{ host: 'other' }]);
      expect(await own.selectFrom('evidence').select('name').execute()).toEqual([]);
      expect(await purge(own, { kind: 'id', id: other.answer.requestId })).toMatchObject({ looks: 1 });
    });
  });

  it('forget evidence before looks, each after its time', async () => {
    const database = await shared.forTest();
    const look = lookForTest({ requestedAt: Date.now() }, sickReport, { files: [evidence('a')] });
    const times = { retentionDays: 100, evidenceRetentionDays: 10 };
    await database.use(async (own) => {
      await writeLook(own, look, readFile);
      const content = async () => (await own.selectFrom('evidence').select(['content', 'sha256']).execute())[0];
      expect(await applyRetention(own, times)).toMatchObject({ looks: 0, forgotten: 0 });
      expect((await content())?.content).not.toBeNull();
      expect(await applyRetention(own, times, Date.now() + 11 * DAY_MS)).toMatchObject({ looks: 0, forgotten: 1 });
      expect(await content()).toEqual({ content: null, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
      expect(await applyRetention(own, times, Date.now() + 101 * DAY_MS)).toMatchObject({ looks: 1, forgotten: 0 });
      expect(await own.selectFrom('looks').select('id').execute()).toEqual([]);
    });
  });
});

test.each([
  ['abc-1', { kind: 'look', id: 'abc-1' }],
  ['C0OPS/1700000000.000100', { kind: 'thread', channel: 'C0OPS', threadTs: '1700000000.000100' }],
  [
    'https://x.slack.com/archives/C0OPS/p1700000000000100',
    { kind: 'thread', channel: 'C0OPS', threadTs: '1700000000.000100' },
  ],
  [
    'https://x.slack.com/archives/C0OPS/p1700000009000100?thread_ts=1700000000.000100&cid=C0OPS',
    { kind: 'thread', channel: 'C0OPS', threadTs: '1700000000.000100' },
  ],
  ['../../etc', { kind: 'look', id: '../../etc' }],
])('%s names what is exported', (word, wanted) => {
  expect(readWanted(word)).toEqual(wanted);
});

test('words of the commands are understood, or a sentence says what is wrong', () => {
  expect(readExportArguments(['a', '--to', 'x'])).toEqual({ id: 'a', to: 'x', config: undefined });
  expect(readExportArguments(['a'])).toMatch(/^One id and --to FOLDER are wanted/);
  expect(readExportArguments(['a', '--too', 'x'])).toMatch(/"--too" is not understood/);
  expect(readPurgeArguments(['--older-than', '90d'], 90 * DAY_MS)).toEqual({
    what: { kind: 'older', than: new Date(0) },
    yes: false,
    config: undefined,
  });
  expect(readPurgeArguments(['--yes', '--id', 'x', '--config', 'f'])).toEqual({
    what: { kind: 'id', id: 'x' },
    yes: true,
    config: 'f',
  });
  for (const words of [[], ['--host', 'a', '--id', 'b'], ['all']])
    expect(readPurgeArguments(words)).toMatch(/^Say what to remove/);
  expect(readPurgeArguments(['--older-than', '0d'])).toMatch(/is no age/);
  expect(readPurgeArguments(['--host'])).toMatch(/--host needs a value/);
});
