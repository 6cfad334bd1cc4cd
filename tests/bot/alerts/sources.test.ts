import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Notice } from '../../../bot/alerts/notice.ts';
import { readJson } from '../../../bot/alerts/read-json.ts';
import { cut, fewer, severityOf, timeOf, titleOf, urlOf, words, worstOf } from '../../../bot/alerts/shape.ts';
import type { AlertSource } from '../../../bot/alerts/source.ts';
import { loadAlertSources } from '../../../bot/registry.ts';
import { alertFixtures, alertPayload, NOW, PROOFS } from '../../support/alert-intake.ts';

let sources: ReadonlyMap<string, AlertSource>;
beforeAll(async () => {
  sources = await loadAlertSources();
});

const read = (source: string, payload: unknown): Notice[] => {
  const unit = sources.get(source);
  const parsed = unit?.schema.safeParse(payload);
  return unit === undefined || parsed?.success !== true ? [] : unit.parse(parsed.data, NOW);
};

/** A payload in which one value, anywhere, is another one. */
const replaced = (tree: unknown, at: number, value: unknown): unknown => {
  let left = at;
  const walk = (node: unknown): unknown => {
    if (left-- === 0) return value;
    if (Array.isArray(node)) return node.map(walk);
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([name, each]) => [name, walk(each)]));
  };
  return walk(tree);
};

const HOSTILE = '`$(reboot)`; rm -rf / \u0000\u001b[31m\u202e <!channel> <@U1> &amp; ```\r\n\ud800';

const anyValue = fc.oneof(
  fc.string({ maxLength: 50 }),
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.constantFrom(HOSTILE, 'x'.repeat(50_000), '', '$HOSTNAME', '__proto__', '0001-01-01T00:00:00Z', '9'.repeat(400)),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 3 }),
  fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', HOSTILE)), fc.string(), {
    maxKeys: 80,
  }),
);

describe('whatever is sent', () => {
  it.each(Object.keys(PROOFS))('%s is read into a valid notice or refused, and nothing throws', (source) => {
    const unit = sources.get(source);
    const payloads = [...alertFixtures(source).values()].map(({ payload }) => payload);
    let believed = 0;
    const check = (payload: unknown) => {
      const parsed = unit?.schema.safeParse(payload);
      if (unit === undefined || parsed === undefined) throw new Error(`no source ${source}`);
      if (!parsed.success) {
        expect(parsed.error.issues.length).toBeGreaterThan(0);
        return;
      }
      believed += 1;
      expect(typeof (unit.untimely?.(parsed.data, NOW) ?? '')).toBe('string');
      for (const notice of unit.parse(parsed.data, NOW)) {
        expect(Notice.parse(notice)).toEqual(notice);
        expect(JSON.stringify(notice).length).toBeLessThan(400_000);
        // What goes to Redis comes back the same.
        expect(JSON.parse(JSON.stringify(notice))).toEqual(notice);
      }
    };
    fc.assert(
      fc.property(fc.constantFrom(...payloads), fc.nat(120), anyValue, (payload, at, value) =>
        check(replaced(payload, at, value)),
      ),
      { numRuns: 400 },
    );
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), check), { numRuns: 100 });
    expect(believed).toBeGreaterThan(20);
  });

  it('control characters and commands stay text in labels and titles', () => {
    const payload = alertPayload('generic', 'firing');
    const [notice] = read('generic', { ...payload, title: HOSTILE, labels: { host: HOSTILE, [HOSTILE]: 'x' } });
    expect(notice?.title).toContain('$(reboot)');
    expect(notice?.labels.host).toContain('\u001b[31m\u202e <!channel>');
    expect(Object.keys(notice?.labels ?? {})).toHaveLength(2);
  });
});

describe('identities', () => {
  it('stay themselves when the words change, and when the alert fires again', () => {
    const first = read('alertmanager', alertPayload('alertmanager', 'firing'))[0];
    const again = alertPayload('alertmanager', 'firing');
    Object.assign(again, { commonAnnotations: { summary: 'other words' }, receiver: 'another' });
    expect(read('alertmanager', again)[0]?.group).toBe(first?.group);
    const cycle = { ...alertPayload('datadog', 'triggered'), cycleKey: '99', title: 'other', eventId: '5' };
    expect(read('datadog', cycle)[0]?.group).toBe(read('datadog', alertPayload('datadog', 'recovered'))[0]?.group);
  });

  it('differ where the groups differ, however long they are', () => {
    const of = (groupKey: string) =>
      read('alertmanager', { ...alertPayload('alertmanager', 'firing'), groupKey })[0]?.group;
    expect(of(`${'x'.repeat(5_000)}a`)).not.toBe(of(`${'x'.repeat(5_000)}b`));
    expect(of('x'.repeat(5_000))?.length).toBeLessThan(100);
    const org = (orgId: number) => read('grafana', { ...alertPayload('grafana', 'firing'), orgId })[0]?.group;
    expect(org(1)).not.toBe(org(2));
  });
});

describe('bounds', () => {
  it('cut text says that it was cut', () => {
    expect(cut('x'.repeat(10_000), 100)).toMatch(/^x+ … \(cut, 10,000 characters in all\)$/);
    expect(cut('x'.repeat(10_000), 100)).toHaveLength(100);
    expect(cut(`${'x'.repeat(55)}😀${'y'.repeat(100)}`, 100)).not.toMatch(/[\ud800-\udfff]/u);
  });

  it('a tag of an event does not take the place of what Sentry itself says', () => {
    const payload = alertPayload('sentry', 'issue-alert') as { data: { event: { tags: [string, string][] } } };
    payload.data.event.tags.push(['project', 'other'], ['rule', 'other'], ['level', 'fatal']);
    expect(read('sentry', payload)[0]?.labels).toMatchObject({
      project: '1',
      rule: 'Payments time out',
      level: 'error',
    });
  });

  it('labels that are left out are counted', () => {
    const many = words(Array.from({ length: 1_000 }, (_, index) => [`label${index}`, 'v'] as const));
    expect(Object.keys(many)).toHaveLength(65);
    expect(many['…']).toBe('936 more were left out');
    const long = words(Array.from({ length: 10 }, (_, index) => [`l${index}`, 'v'.repeat(9_000)] as const));
    expect(JSON.stringify(long).length).toBeLessThan(9_000);
  });

  it('a group of thousands keeps those that fire and counts the others', () => {
    const payload = alertPayload('alertmanager', 'firing');
    const [one] = payload.alerts as Record<string, unknown>[];
    const alerts = Array.from({ length: 3_000 }, (_, index) => ({
      ...one,
      fingerprint: `f${index}`,
      status: index === 2_999 ? 'firing' : 'resolved',
    }));
    const [notice] = read('alertmanager', { ...payload, alerts });
    expect(notice?.status).toBe('firing');
    expect(notice?.alerts[0]?.fingerprint).toBe('f2999');
    expect((notice?.alerts.length ?? 0) + (notice?.more ?? 0)).toBe(3_000);
    expect(JSON.stringify(notice).length).toBeLessThan(100_000);
    expect(fewer([], 3)).toEqual({ alerts: [], more: 3 });
  });

  it('JSON deeper than 32 levels is refused before it is built, brackets in strings do not count', () => {
    const deep = (levels: number) => Buffer.from(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);
    expect(readJson(deep(32))).toHaveProperty('value');
    expect(readJson(deep(33))).toEqual({ why: 'The JSON is nested deeper than 32 levels.' });
    expect(readJson(Buffer.from('['.repeat(1_000_000)))).toEqual({ why: 'The JSON is nested deeper than 32 levels.' });
    expect(readJson(Buffer.from(JSON.stringify({ a: `\\"${'['.repeat(100)}\\` })))).toHaveProperty('value');
    expect(readJson(Buffer.from([0x22, 0xff, 0x22]))).toEqual({ why: 'The body is not UTF-8.' });
    expect(readJson(Buffer.from('{'))).toEqual({ why: 'The body is not JSON.' });
    expect(readJson(Buffer.from(''))).toHaveProperty('why');
  });
});

describe('what sources write', () => {
  it.each([
    ['2026-11-21T10:15:00.123Z', Date.parse('2026-11-21T10:15:00.123Z')],
    ['2021-10-12T09:51:03.157076+02:00', Date.parse('2021-10-12T09:51:03.157+02:00')],
    ['0001-01-01T00:00:00Z', null],
    ['1795256100000', 1_795_256_100_000],
    [1_795_256_117.677, 1_795_256_117_677],
    ['yesterday', null],
    ['', null],
    [null, null],
    [Number.NaN, null],
  ])('the time %s', (text, expected) => {
    expect(timeOf(text)).toBe(expected);
  });

  it('severities, titles, addresses', () => {
    expect(['page', 'P1', ' Fatal ', 'sev2', 'warn', 'notice', 'constructor', ''].map(severityOf)).toEqual([
      'critical',
      'critical',
      'critical',
      'error',
      'warning',
      'info',
      'unknown',
      'unknown',
    ]);
    expect(worstOf(['info', 'unknown', 'error'])).toBe('error');
    expect(worstOf([])).toBe('unknown');
    expect(titleOf(undefined, ' \n ', 'two\nlines')).toBe('two lines');
    expect(titleOf()).toBe('Alert');
    expect(urlOf('javascript:alert(1)', '', 'https://example.com/x')).toBe('https://example.com/x');
    expect(urlOf('ftp://example.com', null)).toBeNull();
  });
});
