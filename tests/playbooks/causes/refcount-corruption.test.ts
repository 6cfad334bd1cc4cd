import { beforeAll, describe, expect, it } from 'vitest';
import { refcountCorruption } from '../../../playbooks/causes/refcount-corruption.ts';
import type { Cause, Probe } from '../../../playbooks/model/index.ts';
import { loadCauses, loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, judgementOn, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
let causes: ReadonlyMap<string, Cause>;
beforeAll(async () => {
  [probes, causes] = await Promise.all([loadProbes(), loadCauses()]);
});

const UWSGI = 'refcount-corruption/uwsgi_shop';
const COLLECTOR = 'refcount-corruption/report_master';

describe('fires', () => {
  it('for an extension that is on the stack when the interpreter gives up over an object', () => {
    const finding = firingOn(refcountCorruption, UWSGI);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/SIGABRT .*reference count is wrong: in `rowcache\.\S+`, met in `Orders\.confirm`/);
    expect(finding.summary).toContain('`envelope`');
    expect(finding.summary).toContain('the interpreter itself said');
    expect(quoted(finding)).toMatch(/already tracked|Fatal Python error/);
    expect(finding.fixes[0]?.detail).toContain('Py_INCREF is missing');
  });

  it('first, and explains the crashes', () => {
    const { findings } = judgementOn(loadLook(UWSGI), probes, causes);
    expect(findings.map((finding) => finding.cause).slice(0, 2)).toEqual(['refcount-corruption', 'native-crash']);
    expect(findings[1]?.explainedBy).toBe('refcount-corruption');
  });

  it('with a suspect where the damage is met later, in the garbage collector', () => {
    const finding = firingOn(refcountCorruption, COLLECTOR);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.75);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toContain('suspect is `rowcache.');
    expect(finding.summary).toMatch(/garbage collector/);
    expect(finding.summary).toMatch(/Inferred: which extension did the damage/);
  });

  it('by the interpreter’s own words in the log, and asks for the core', () => {
    const verdict = sayOf(refcountCorruption, UWSGI, ['core-stacks']);
    expect(firstFinding(verdict).confidence).toBeGreaterThanOrEqual(0.6);
    expect(firstFinding(verdict).confidence).toBeLessThan(0.9);
    expect(verdict).toMatchObject({ wants: ['core-stacks'] });
  });

  it('with less, when several extensions were loaded', () => {
    const several = changedLook(loadLook(COLLECTOR), 'core-stacks', (text) =>
      text.replace(/^( {2}extension ").*"$/m, '$1/srv/a.so"\n  extension "/srv/b.so"'),
    );
    const finding = firstFinding(verdictOn(refcountCorruption, several, probes));
    expect(finding.confidence).toBeLessThan(0.75);
    expect(finding.summary).toContain('`a.so` and `b.so`');
  });
});

describe('is clear', () => {
  it('of a crash in an extension’s own code', () => {
    expect(clearOn(refcountCorruption, 'native-crash/thumbnail_master')).toContain('core');
  });

  it('of a healthy master', () => {
    expect(clearOn(refcountCorruption, 'healthy/kills_slow_workers')).toContain('nobody of its family crashed');
  });
});

describe('cannot tell', () => {
  it('while the core is not opened, or there is none', () => {
    expect(sayOf(refcountCorruption, COLLECTOR, ['core-stacks'])).toMatchObject({
      verdict: 'cannot-tell',
      wants: ['core-stacks'],
    });
    expect(sayOf(refcountCorruption, 'native-crash/blur_pool')).toMatchObject({ verdict: 'cannot-tell', wants: [] });
  });

  it('without logs', () => {
    const verdict = sayOf(refcountCorruption, 'healthy/kills_slow_workers', ['log-tail']);
    expect(verdict).toMatchObject({ verdict: 'cannot-tell', wants: ['log-tail'] });
  });
});

it('never throws', () => expectNeverThrowsOn(refcountCorruption, [UWSGI, COLLECTOR]));
