import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Notice } from '../../../bot/alerts/notice.ts';
import { withoutSecrets } from '../../../bot/alerts/without-secrets.ts';
import { anyText } from '../../support/any-text.ts';

const notice = (change: Partial<Notice> = {}): Notice => ({
  source: 'generic',
  group: 'service:web',
  status: 'firing',
  severity: 'critical',
  title: 'web is slow',
  labels: { host: 'web-7' },
  alerts: [
    { fingerprint: 'f1', status: 'firing', labels: { host: 'web-7' }, annotations: {}, startsAt: 1, endsAt: null },
  ],
  more: 0,
  url: 'https://alerts.example.com/1?page=2',
  at: 1,
  ...change,
});

test('an alert without secrets stays what it is', async () => {
  expect(await withoutSecrets(notice())).toEqual(notice());
});

test.each([
  ['title', { title: 'login failed: password=hunter2-q7' }, 'hunter2-q7'],
  ['a label whose name says it', { labels: { host: 'web-7', db_password: 'correct horse, battery' } }, 'horse'],
  ['a label with an address', { labels: { dsn_url: 'postgres://app:pa55word99@db/app' } }, 'pa55word99'],
  ['the address of the alert', { url: 'https://u:swordfish1@alerts/1?access_token=tok_1234567' }, 'swordfish1'],
  ['its parameters', { url: 'https://alerts/1?access_token=tok_1234567' }, 'tok_1234567'],
  ['the group', { group: '{}:{token="abcdef123456"}' }, 'abcdef123456'],
  ['a token known by its form', { title: `leaked ghp_${'a1B2'.repeat(9)}` }, 'a1B2a1B2'],
  [
    'a fingerprint',
    { alerts: [{ ...notice().alerts[0], fingerprint: 'secret=zzTop123' } as Notice['alerts'][0]] },
    'zzTop123',
  ],
  [
    'an annotation of several lines',
    {
      alerts: [
        {
          ...notice().alerts[0],
          annotations: { note: 'see\nAuthorization: Bearer abcdefgh.12345\nend' },
        } as Notice['alerts'][0],
      ],
    },
    'abcdefgh.12345',
  ],
])('%s loses its secret', async (_where, change, secret) => {
  const cleaned = await withoutSecrets(notice(change));
  expect(JSON.stringify(notice(change))).toContain(secret);
  expect(JSON.stringify(cleaned)).not.toContain(secret);
  expect(Notice.parse(cleaned)).toEqual(cleaned);
  // The same alert is the same group again.
  expect((await withoutSecrets(notice(change))).group).toBe(cleaned.group);
});

test('whatever stands in it, a notice is left', async () => {
  const words = fc.dictionary(fc.string({ maxLength: 30 }), anyText(80), { maxKeys: 5 });
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1, maxLength: 200 }), words, words, async (title, labels, annotations) => {
      const alerts = notice().alerts.map((alert) => ({ ...alert, labels, annotations }));
      Notice.parse(await withoutSecrets(notice({ title, labels, alerts })));
    }),
    { numRuns: 100 },
  );
});

test('an alert that cannot be checked is told without its words, and why is told', async () => {
  let why: unknown = null;
  const site = { patterns: ['(unclosed'], exempt: [] };
  const cleaned = await withoutSecrets(notice({ title: 'password=hunter2-q7' }), site, (error) => {
    why = error;
  });
  expect(why).toBeInstanceOf(Error);
  expect(cleaned.title).toContain('withheld');
  expect(JSON.stringify(cleaned)).not.toMatch(/hunter2|web-7/);
  expect(Notice.parse(cleaned)).toEqual(cleaned);
});
