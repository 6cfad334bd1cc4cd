import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { noticesIn } from '../../../bot/alerts/dry-run.ts';
import { Notice } from '../../../bot/alerts/notice.ts';
import { readJson } from '../../../bot/alerts/read-json.ts';
import { loadAlertSources } from '../../../bot/registry.ts';
import { damaged } from '../../support/parser-safety.ts';
import { NASTY, type Target } from '../target.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures/alerts');
const sources = await loadAlertSources();

const payloadsOf = (source: string): unknown[] =>
  readdirSync(path.join(FIXTURES, source)).map(
    (file) => (JSON.parse(readFileSync(path.join(FIXTURES, source, file), 'utf8')) as { payload: unknown }).payload,
  );

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

const bodies = (source: string): fc.Arbitrary<Uint8Array> => {
  const payloads = payloadsOf(source);
  const value = fc.oneof(NASTY, fc.jsonValue({ maxDepth: 3 }), fc.double(), fc.constant(null));
  return fc.oneof(
    fc
      .tuple(fc.constantFrom(...payloads), fc.nat(150), value)
      .map(([payload, at, put]) => Buffer.from(JSON.stringify(replaced(payload, at, put)))),
    damaged(payloads.map((payload) => Buffer.from(JSON.stringify(payload)))),
    NASTY.map(Buffer.from),
  );
};

const NOW = Date.UTC(2026, 0, 1);

/** What the network sends as alerts. */
export const alertTargets: readonly Target[] = [
  ...[...sources.keys()].map((source) => ({
    name: `alert/${source}`,
    inputs: bodies(source),
    run: (bytes: Uint8Array) => {
      const notices = noticesIn(bytes, source, sources, NOW);
      if (typeof notices === 'string') {
        if (notices === '') throw new Error('it does not say what is wrong');
        return;
      }
      for (const notice of notices) {
        Notice.parse(notice);
        if (JSON.stringify(notice).length > 400_000) throw new Error('its notice is not bounded');
      }
    },
  })),
  {
    name: 'alert/json',
    inputs: fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      fc.json({ maxDepth: 40 }).map(Buffer.from),
      NASTY.map(Buffer.from),
    ),
    run: (bytes) => {
      const read = readJson(bytes);
      if ('why' in read && read.why === '') throw new Error('it does not say what is wrong');
    },
  },
];
