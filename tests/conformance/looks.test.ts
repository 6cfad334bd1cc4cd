import { beforeAll, describe, expect, it } from 'vitest';
import type { Cause, Probe } from '../../playbooks/model/index.ts';
import { loadCauses, loadProbes } from '../../playbooks/registry.ts';
import { judgementOn, loadLook, lookNames, verdictOn } from '../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
let causes: ReadonlyMap<string, Cause>;
beforeAll(async () => {
  [probes, causes] = await Promise.all([loadProbes(), loadCauses()]);
});

describe.each(lookNames('healthy'))('%s', (name) => {
  it('is given no fault by any cause', () => {
    const look = loadLook(name);
    for (const cause of causes.values()) {
      if (cause.id === 'healthy') continue;
      const verdict = verdictOn(cause, look, probes);
      const findings = verdict.verdict === 'fires' ? verdict.findings : [];
      const wrong = findings.filter((finding) => finding.confidence >= 0.5).map((finding) => finding.title);
      expect(wrong, cause.id).toEqual([]);
    }
  });

  it('makes every cause answer, and quote only what is there', () => {
    const { findings, ruledOut, cannotTell } = judgementOn(loadLook(name), probes, causes);
    const answered = new Set([...findings, ...ruledOut, ...cannotTell].map((each) => each.cause));
    for (const id of causes.keys()) if (id !== 'healthy') expect(answered, id).toContain(id);
    for (const each of cannotTell) expect(each.why, each.cause).not.toContain('its rule failed');
  });
});

describe('a look of which parts are missing', () => {
  const faults = ['busy-loop', 'blocked-on-network', 'process-stopped'];

  it.each(faults.flatMap((kind) => lookNames(kind)))('%s: no cause fails, whatever was not seen', (name) => {
    const look = loadLook(name);
    for (const missing of [...look.recorded.steps.map((step) => step.probe)]) {
      for (const cause of causes.values()) {
        expect(() => verdictOn(cause, look, probes, [missing]), `${cause.id} without ${missing}`).not.toThrow();
      }
    }
  });
});
