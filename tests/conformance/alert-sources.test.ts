import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Notice } from '../../bot/alerts/notice.ts';
import type { AlertSource } from '../../bot/alerts/source.ts';
import { loadAlertSources } from '../../bot/registry.ts';
import { alertFixtures, NOW, PROOFS } from '../support/alert-intake.ts';

const root = path.resolve(import.meta.dirname, '../..');
let sources: ReadonlyMap<string, AlertSource>;
beforeAll(async () => {
  sources = await loadAlertSources();
});

const noticesOf = (unit: AlertSource, payload: unknown): Notice[] => {
  const parsed = unit.schema.safeParse(payload);
  if (!parsed.success) throw new Error(parsed.error.message);
  return unit.parse(parsed.data, NOW);
};

describe('every alert source', () => {
  it('is one of those that the documentation tells how to set up', () => {
    const page = readFileSync(path.join(root, 'docs/alerts.md'), 'utf8');
    const six = ['alertmanager', 'datadog', 'generic', 'grafana', 'pagerduty', 'sentry'];
    expect([...sources.keys()]).toEqual(expect.arrayContaining(six));
    for (const source of sources.keys()) expect(page, source).toContain(`/alerts/${source}`);
  });

  it('has fixtures: one that fires and one that has resolved, of the same group', () => {
    for (const [source, unit] of sources) {
      const notices = [...alertFixtures(source).values()].flatMap(({ payload }) => noticesOf(unit, payload));
      const firing = notices.filter(({ status }) => status === 'firing').map(({ group }) => group);
      const resolved = notices.filter(({ status }) => status === 'resolved').map(({ group }) => group);
      expect(
        resolved.some((group) => firing.includes(group)),
        source,
      ).toBe(true);
    }
  });

  it('reads its fixtures as they say', () => {
    for (const [source, unit] of sources) {
      for (const [name, { payload, expect: expected }] of alertFixtures(source)) {
        const notices = noticesOf(unit, payload);
        expect(notices, `${source}/${name}`).toHaveLength(expected.length);
        for (const [index, notice] of notices.entries()) {
          expect(Notice.parse(notice), `${source}/${name}`).toEqual(notice);
          expect(notice, `${source}/${name}`).toMatchObject({ source, at: NOW, ...expected[index] });
        }
      }
    }
  });

  it('proves itself, in ways that a test knows how to forge and to prove', () => {
    for (const [source, { ways }] of sources) {
      expect(Object.keys(ways).length, source).toBeGreaterThan(0);
      expect(Object.keys(PROOFS[source] ?? {}), source).toEqual(Object.keys(ways));
      for (const [name, way] of Object.entries(ways)) {
        expect(
          way.headers.every((header) => header === header.toLowerCase()),
          `${source} ${name}`,
        ).toBe(true);
        const nobody = { body: new Uint8Array(), headers: {}, now: NOW };
        expect(way.check(nobody, { secrets: ['x'.repeat(20)], user: undefined }), `${source} ${name}`).not.toBeNull();
      }
    }
  });
});

describe('the template for Datadog', () => {
  it('has every field that is read, each with a variable of its own', () => {
    const template: unknown = JSON.parse(readFileSync(path.join(root, 'infra/deploy/datadog-webhook.json'), 'utf8'));
    const triggered = alertFixtures('datadog').get('triggered');
    expect(Object.keys(template as object)).toEqual(Object.keys(triggered?.payload ?? {}));
    const variables = Object.values(template as Record<string, string>);
    for (const variable of variables) expect(variable).toMatch(/^\$[A-Z_]+$/);
    expect(new Set(variables).size).toBe(variables.length);
  });
});
