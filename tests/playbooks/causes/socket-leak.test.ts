import { describe, expect, it } from 'vitest';
import { socketLeak } from '../../../playbooks/causes/socket-leak.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = socketLeak;
const probes = await loadProbes();

describe('fires', () => {
  it('on answers that are left half read, with peer, number and pace', () => {
    const finding = firingOn(cause, 'socket-leak/rate_client');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/^\d+ connections to 127\.0\.0\.1:\d+ are closed by the other side .*CLOSE-WAIT/);
    expect(finding.summary).toMatch(/evenly in between: more come all the time.*take \d+ %/);
    expect(quoted(finding)).toMatch(/CLOSE-WAIT[\s\S]*kind socket/);
    expect(finding.fixes[1]?.code).toMatch(/ss -tnp state close-wait dst 127\.0\.0\.1:\d+ \| grep -c pid=\d+,/);
  });

  it('on sessions that were left behind together, and on bytes that nobody read', () => {
    const finding = firingOn(cause, 'socket-leak/webhook_sender');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).not.toContain('evenly in between');
    expect(finding.summary).toMatch(/On \d+ of them bytes came that were never read/);
  });

  it('on clients that have gone', () => {
    const finding = firingOn(cause, 'socket-leak/line_server');
    expect(finding.title).toMatch(/connections of clients of 127\.0\.0\.1:\d+/);
    expect(finding.fixes[0]?.title).toBe('Close the connection when the client is gone');
  });
});

describe('does not', () => {
  it('mind a pool whose idle connections the other side closed', () => {
    const verdict = sayOf(cause, 'healthy/idle_pool');
    const findings = verdict.verdict === 'fires' ? verdict.findings : [];
    for (const finding of findings) expect(finding.confidence).toBeLessThan(0.5);
  });

  it('mind connections that were closed just now', () => {
    const fresh = changedLook(loadLook('socket-leak/rate_client'), 'sockets', (text) =>
      text.replace(/lastack:\d+/g, 'lastack:12'),
    );
    expect(verdictOn(cause, fresh, probes)).toMatchObject({ verdict: 'clear' });
  });

  it('mind open connections', () => {
    expect(clearOn(cause, 'healthy/crowded_hub')).toContain('no connection waits for this process to close it');
  });

  it.each(lookNames('healthy'))('find a fault in %s', (name) => {
    const verdict = sayOf(cause, name);
    const findings = verdict.verdict === 'fires' ? verdict.findings : [];
    for (const finding of findings) expect(finding.confidence).toBeLessThan(0.5);
  });
});

it('goes by the number alone where the kernel tells no ages', () => {
  const old = changedLook(loadLook('socket-leak/rate_client'), 'sockets', (text) => text.replace(/ lastack:\d+/g, ''));
  const finding = firstFinding(verdictOn(cause, old, probes));
  expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, ['socket-leak/rate_client', 'socket-leak/line_server', 'healthy/idle_pool']);
});
