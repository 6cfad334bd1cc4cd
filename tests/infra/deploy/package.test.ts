import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = path.join(import.meta.dirname, '../../..');
const npm = (...args: readonly string[]): unknown =>
  JSON.parse(
    execFileSync('npm', args, {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
const Package = z.object({ license: z.string(), dependencies: z.record(z.string(), z.string()) });
const own = Package.parse(JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')));

// `npm test` builds before it tests.
test.skipIf(!existsSync(path.join(ROOT, 'dist/straceback.js')))(
  'the npm package has the program and nothing of its tests',
  () => {
    const [packed] = z
      .tuple([z.object({ files: z.array(z.object({ path: z.string() })) })])
      .parse(npm('pack', '--dry-run', '--json', '--ignore-scripts'));
    const files = packed.files.map((file) => file.path);
    for (const wanted of [
      'LICENSE',
      'README.md',
      'dist/straceback.js',
      'dist/playbooks/catalog/triage.yaml',
      'dist/playbooks/probes/sample.py',
      'dist/workers/ssh/runner.sh',
    ]) {
      expect(files).toContain(wanted);
    }
    expect(files.filter((file) => /(^|\/)tests?\/|\.tsbuildinfo|\.env|__pycache__/.test(file))).toEqual([]);
  },
);

test('the list of materials names every library, with a licence that permits what ours does', () => {
  const Bill = z.object({
    bomFormat: z.literal('CycloneDX'),
    components: z.array(
      z.object({
        name: z.string(),
        properties: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
        group: z.string().optional(),
        licenses: z.array(
          z.object({
            license: z.object({ id: z.string().optional(), name: z.string().optional() }).optional(),
            expression: z.string().optional(),
          }),
        ),
      }),
    ),
  });
  const bill = Bill.parse(npm('sbom', '--sbom-format=cyclonedx', '--sbom-type=application'));
  const licences = new Map(
    bill.components
      .filter(({ properties }) => !properties.some(({ name }) => name === 'cdx:npm:package:development'))
      .map(({ name, group, licenses }) => [
        group === undefined ? name : `${group}/${name}`,
        licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name ?? '').join(),
      ]),
  );
  for (const name of Object.keys(own.dependencies)) expect(licences.has(name), name).toBe(true);
  const others = [...licences].filter(
    ([, licence]) =>
      !/\b(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD|BlueOak-1\.0\.0|Unlicense|CC0-1\.0|MPL-2\.0|Python-2\.0|CC-BY-\d\.0|PostgreSQL)\b/.test(
        licence,
      ),
  );
  expect(others).toEqual([]);
});
