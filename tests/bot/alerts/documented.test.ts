import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { loadAlertSources } from '../../../bot/registry.ts';
import { readConfig } from '../../../infra/config.ts';
import { alertServerForTest, collectingQueue, SECRET, untilErrands } from '../../support/alert-intake.ts';
import { redisForTest } from '../../support/queue.ts';

const page = readFileSync(path.resolve(import.meta.dirname, '../../../docs/alerts.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((found) => found[1] ?? '');

const tools = ['curl', 'openssl'].every((tool) => spawnSync(tool, ['version']).error === undefined);

test.skipIf(!tools)('the shell example of the documentation is taken as it stands', async () => {
  const redis = await redisForTest();
  const { queue, errands } = collectingQueue(redis.url);
  const server = await alertServerForTest({ queue, now: Date.now });
  const [example = ''] = blocks('sh');
  const script = example.replace('https://straceback.example.com/alerts/generic', server.url('generic'));
  expect(script).not.toBe(example);
  const { stdout } = await promisify(execFile)('sh', ['-euc', script], {
    env: { PATH: process.env.PATH, ALERTS_GENERIC: SECRET },
  });
  expect(JSON.parse(stdout)).toEqual({ ok: true, message: 'Queued.' });
  const [notice] = await untilErrands(queue, errands, 1);
  expect(notice).toMatchObject({ group: 'nightly-import', severity: 'error', labels: { host: 'db-3' } });
});

test('the table of the documentation has the ways that there are, the default first', async () => {
  for (const [name, { ways }] of await loadAlertSources()) {
    const row = new RegExp(`^\\| ${name} \\| ([^|]+) \\|`, 'm').exec(page)?.[1] ?? '';
    expect(
      [...row.matchAll(/`([a-z]+)`/g)].map((found) => found[1]),
      name,
    ).toEqual(Object.keys(ways));
  }
});

test('the files that the documentation shows are YAML', () => {
  const shown = blocks('yaml');
  expect(shown.length).toBeGreaterThanOrEqual(3);
  for (const text of shown) expect(parse(text)).toBeTypeOf('object');
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-documented-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'straceback.yaml');
  writeFileSync(file, shown[0] ?? '');
  expect([...(readConfig(file, {}).alertIntake?.sources.keys() ?? [])]).toEqual(['alertmanager', 'pagerduty']);
});
