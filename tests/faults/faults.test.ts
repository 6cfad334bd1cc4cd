import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runFaults } from './drive.ts';
import { canMakeHosts } from './hosts.ts';
import { startParts } from './parts.ts';
import { FAULT_KINDS } from './plan.ts';
import { failed, tableOf } from './table.ts';

const LIMIT_MS = 10 * 60_000;

test.skipIf(!canMakeHosts())(
  'two bots and two workers of which each part fails once: each request has one answer, and nothing is left behind',
  async () => {
    const parts = await startParts({ hosts: 2, targets: 3, bots: 2, workers: 2 });
    try {
      const [host] = parts.hosts;
      const ran = await runFaults(parts, { seed: 3, looks: 20, say: () => undefined });
      expect(failed(ran), tableOf(ran)).toBe(false);
      expect(ran.outcomes.reports, tableOf(ran)).toBeGreaterThan(0);
      // A connection that could be cut, a socket or PostgreSQL may not have been there.
      const kinds = FAULT_KINDS.filter((kind) => !/^(?:connection|socket|PostgreSQL)/.test(kind));
      expect([...ran.faults.keys()]).toEqual(expect.arrayContaining(kinds));
      // What the run itself looks with does see what a look would leave.
      const root = `/proc/${host?.holder}/root`;
      mkdirSync(path.join(root, 'dev/shm/straceback.0123'));
      mkdirSync(path.join(root, 'var/tmp/straceback/cores'), { recursive: true });
      writeFileSync(path.join(root, 'var/tmp/straceback/cores/core.1.2.20261122T000000Z.partial'), 'half');
      expect(host?.leftFiles()).toEqual([
        '/dev/shm/straceback.0123',
        '/var/tmp/straceback/cores/core.1.2.20261122T000000Z.partial',
      ]);
    } finally {
      await parts.close();
    }
  },
  LIMIT_MS,
);
