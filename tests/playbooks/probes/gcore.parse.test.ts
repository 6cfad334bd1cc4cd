import { describe, expect, it } from 'vitest';
import { type GcoreData, gcore } from '../../../playbooks/probes/gcore.ts';
import { fixtureStep, loadFixture, parseFixture } from '../../support/fixture.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { evidenceFrom } from '../../support/run-probe.ts';

describe('recorded and written runs', () => {
  const seen = (name: string): { data: GcoreData; partly: readonly string[] } => {
    const parsed = parseFixture(gcore, name);
    if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
    return { data: parsed.data, partly: parsed.partly ?? [] };
  };

  it('reads where the core is, what the stop was and the stacks in it', () => {
    const { data, partly } = seen('gdb-13-core');
    expect(partly).toEqual([]);
    expect(data).toMatchObject({
      path: '/srv/keep/cores/core.30372.495622.20261121T170127Z',
      bytes: 309_276_464,
      sha256: null,
      removeAfter: '2026-11-22T17:01:29.000Z',
      stoppedMs: 1430,
      symbolsMatch: true,
      at: 15,
    });
    expect(data.threads).toHaveLength(5);
    expect(data.threads[1]?.frames.map((frame) => frame.function)).toContain('PyThread_acquire_lock_timed');
    const frame = data.threads[0]?.frames[0];
    expect(frame?.function).toBe('__GI___poll');
    const lines = Buffer.from(loadFixture('gcore', 'gdb-13-core').evidence.stdout).toString().split('\n');
    expect(lines[(frame?.at ?? 0) - 1]).toMatch(/^#0 .*__GI___poll$/);
  });

  it('says when shared memory was left out', () => {
    expect(seen('gdb-13-shared-memory').partly).toEqual([expect.stringMatching(/^shared memory is not in the core/)]);
    expect(seen('gdb-13-shared-memory').data.sha256).toMatch(/^3aa029d1/);
  });

  it('says when the symbols are not those of the process, and when gdb did not finish', () => {
    const { evidence, capture } = loadFixture('gcore', 'gdb-13-core');
    const text = Buffer.from(evidence.stdout).toString();
    const parse = (changed: string) => gcore.parse(evidenceFrom('gcore', changed), fixtureStep(capture));
    expect(parse(text.replace(/executable [0-9a-f]+/, 'executable 00ff00ff'))).toMatchObject({
      data: { symbolsMatch: false },
      partly: [expect.stringMatching(/not the one that the process ran/)],
    });
    expect(parse(text.replace(/executable [0-9a-f]+/, 'executable -'))).toMatchObject({ data: { symbolsMatch: null } });
    expect(parse(text.slice(0, -200))).toMatchObject({ partly: [expect.stringMatching(/did not finish/)] });
    expect(parse(text.replace(/^== stop ends.*$/m, ''))).toMatchObject({ data: { stoppedMs: null } });
  });

  it.each([
    ['no-gdb', 'missing-tool', /gdb is not installed/],
    ['no-permission', 'no-permission', /root/],
    ['another-process', 'target-gone', /had ended/],
    ['no-room', 'failed', /not enough room in .*593926 KiB are needed and 51200 KiB are free/],
    ['unsafe-folder', 'failed', /others can write to \/srv\/open/],
    ['out-of-time', 'timed-out', /unfinished file was removed/],
  ])('%s is no observation', (name, reason, why) => {
    expect(parseFixture(gcore, name)).toEqual({ ok: false, reason, why: expect.stringMatching(why) });
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(gcore));
});
