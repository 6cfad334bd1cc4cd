import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { noAudit } from '../../../infra/audit.ts';
import { readConfig } from '../../../infra/config.ts';
import { storable, storableJson } from '../../../infra/history/clean.ts';
import { faultOf, placeOf, serviceOf } from '../../../infra/history/likeness.ts';
import { handToOutbox, relayedAudit } from '../../../infra/history/relay.ts';
import { KeptNote } from '../../../infra/history/rows.ts';
import { silentLog } from '../../../infra/log.ts';
import { openOutboxes } from '../../../infra/queue/outbox.ts';
import type { Finding } from '../../../playbooks/model/index.ts';
import { redisForTest } from '../../support/queue.ts';
import { healthyReport, sickReport, unclearReport } from '../../support/reports.ts';

test.each([
  [
    { command: 'gunicorn: worker [shop]', unit: 'web@1.service' },
    { command: 'other', unit: 'web@17.service' },
  ],
  [{ command: '/usr/bin/python3.11 /srv/pool.py --queue mail' }, { command: 'python3.12 -u /opt/new/pool.py' }],
  [{ command: 'celery worker-1' }, { command: '/venv/bin/celery worker-23' }],
])('%o and %o are the same service', (one, other) => {
  expect(serviceOf(one)).toBe(serviceOf(other));
  expect(serviceOf(one)).not.toBe('');
});

test.each([
  [{ command: 'python3 /srv/pool.py' }, { command: 'python3 /srv/shop.py' }],
  [
    { command: 'x', unit: 'web.service' },
    { command: 'x', unit: 'mail.service' },
  ],
])('%o and %o are different services', (one, other) => {
  expect(serviceOf(one)).not.toBe(serviceOf(other));
});

const finding = (title: string, summary = '', source?: { file: string; function: string }): Finding => ({
  cause: 'x',
  confidence: 1,
  title,
  summary,
  evidence: [],
  fixes: [],
  ...(source && { source: [{ ...source, line: 7, evidenceId: 'E1', lines: [], newer: false }] }),
});

test.each([
  // Pids, addresses, worker and line numbers, counts and sizes change.
  [
    finding('Thread 12 waits 3.2 s for `<Lock at 0x7f00aa12>` in `pool.py:41` of `worker-3`'),
    finding('Thread 9 waits 48 s for `<Lock at 0x55cc0011>` in `pool.py:52` of `worker-11`'),
  ],
  [finding('3 connections to 10.0.4.7:5432 wait'), finding('41 connections to 10.0.4.7:5432 wait')],
  [
    finding('Burns 97 %', '', { file: '/srv/app/pool.py', function: 'save' }),
    finding('Burns 31 %', '', { file: '/srv/app/pool.py', function: 'save' }),
  ],
  [finding('No names here', 'In `save` (pool.py:4)'), finding('None here either', 'In `save` (pool.py:9)')],
])('%o is at the place of %o', (one, other) => {
  expect(placeOf(one)).toBe(placeOf(other));
  expect(placeOf(one)).not.toBe('');
});

test.each([
  [finding('Waits for `pool.lock`'), finding('Waits for `mail.lock`')],
  [finding('Waits for 10.0.4.7:5432'), finding('Waits for 10.0.4.8:5432')],
  [finding('x', '', { file: 'a.py', function: 'save' }), finding('x', '', { file: 'a.py', function: 'load' })],
])('%o is at another place than %o', (one, other) => {
  expect(placeOf(one)).not.toBe(placeOf(other));
});

test('a report is compared by the fault that makes its headline', () => {
  expect(faultOf(sickReport)?.cause).toBe('signal-handler-deadlock');
  expect(faultOf(healthyReport)).toBeNull();
  expect(faultOf(unclearReport)).toBeNull();
});

test('texts are made storable wherever they stand', () => {
  expect(storable('a\0\ud800b😀')).toBe('a␀\ufffdb😀');
  expect(JSON.parse(storableJson({ 'k\0': ['\udfff', { x: '\0' }], n: 1, t: true, z: null }))).toEqual({
    'k␀': ['\ufffd', { x: '␀' }],
    n: 1,
    t: true,
    z: null,
  });
});

test('a line of a worker’s audit log waits for the bots when it is in its file, without credentials', async () => {
  const redis = await redisForTest();
  const outboxes = openOutboxes(redis.url, silentLog);
  onTestFinished(outboxes.close);
  const audit = relayedAudit(noAudit, 'worker', handToOutbox(outboxes.notes, silentLog));
  await audit.write({ event: 'step-began', request: 'r-1', outcome: 'with xoxb-1234-abcd' });
  await expect.poll(() => outboxes.notes.size()).toBe(1);
  const [row] = await outboxes.notes.oldest(1);
  expect(KeptNote.parse(row?.data)).toMatchObject({
    kind: 'audit',
    entry: { event: 'step-began', side: 'worker', request: 'r-1', outcome: 'with [secret]' },
  });
  const refusing = relayedAudit({ write: () => Promise.reject(new Error('full')) }, 'worker', () => {
    throw new Error('handed over');
  });
  await expect(refusing.write({ event: 'step-began' })).rejects.toThrow('full');
});

test('the configuration says where history is and for how long', () => {
  const example = new URL('../../../infra/deploy/straceback.example.yaml', import.meta.url).pathname;
  expect(readFileSync(example, 'utf8')).toContain('history:');
  const env = { HOME: '/root', USER: 'root' };
  expect(readConfig(example, env).history).toEqual({
    place: { folder: '/var/lib/straceback/history' },
    retentionDays: 730,
    evidenceRetentionDays: 30,
  });
  const url = 'postgresql://u:p@db/straceback';
  expect(readConfig(example, { ...env, DATABASE_URL: url }).history?.place).toEqual({ url });
  expect(() => readConfig(example, { ...env, DATABASE_URL: 'mysql://x' })).toThrow(
    /^environment: DATABASE_URL is no address of a PostgreSQL/,
  );
});
