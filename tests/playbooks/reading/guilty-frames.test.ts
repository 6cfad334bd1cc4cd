import { beforeAll, describe, expect, it } from 'vitest';
import type { Cause, Probe } from '../../../playbooks/model/index.ts';
import { guiltyPlaces } from '../../../playbooks/reading/guilty-frames.ts';
import { isLibraryFile } from '../../../playbooks/reading/python.ts';
import { loadCauses, loadProbes } from '../../../playbooks/registry.ts';
import { judgementOn, loadLook, lookFrom } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
let causes: ReadonlyMap<string, Cause>;
beforeAll(async () => {
  [probes, causes] = await Promise.all([loadProbes(), loadCauses()]);
});

describe('guilty places', () => {
  it.each(['busy-loop/category_walk', 'thread-deadlock/two-accounts', 'file-lock-wait/blocking-flock'])(
    'of %s are in the program’s own code, and not too many',
    (name) => {
      const taken = loadLook(name);
      const [finding] = judgementOn(taken, probes, causes).findings;
      if (finding === undefined) throw new Error('nothing was found');
      const places = guiltyPlaces(finding, lookFrom(taken, probes));
      expect(places.length).toBeGreaterThan(0);
      expect(places.length).toBeLessThanOrEqual(3);
      for (const { file, line } of places) {
        expect(isLibraryFile(file)).toBe(false);
        expect(line).toBeGreaterThan(0);
      }
    },
  );

  it('are none without Python stacks, and none for a finding that names no frame', () => {
    const taken = loadLook('busy-loop/category_walk');
    const [finding] = judgementOn(taken, probes, causes).findings;
    if (finding === undefined) throw new Error('nothing was found');
    expect(guiltyPlaces(finding, lookFrom(taken, probes, ['py-stacks']))).toEqual([]);
    const bare = { ...finding, evidence: [], title: 'a', summary: 'b', fixes: [] };
    expect(guiltyPlaces(bare, lookFrom(taken, probes))).toEqual([]);
  });
});
