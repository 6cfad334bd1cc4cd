import { describe, expect, it } from 'vitest';
import { fdLeak } from '../../../playbooks/causes/fd-leak.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = fdLeak;
const probes = await loadProbes();

describe('fires', () => {
  it('on one file that is opened again and again, and says how long that can go on', () => {
    const finding = firingOn(cause, 'fd-leak/price_feed');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /opened and not closed, \d+ of \d+ .*: \d+ times the file `\/var\/lib\/svc\/.*prices.csv`/,
    );
    expect(finding.summary).toMatch(
      /In 2 s the number rose from \d+ to \d+\. At this pace the limit is reached in about/,
    );
    expect(quoted(finding)).toMatch(/open: \d+ at 0.00 s[\s\S]*group file: .* 0 closed, 1 names/);
    expect(finding.fixes[0]?.code).toContain('with open(path) as file');
  });

  it('surely when the trace shows the refusal, and names the thread that meets it', () => {
    const finding = firingOn(cause, 'fd-leak/thumbnailer');
    expect(finding.confidence).toBe(0.95);
    expect(finding.title).toMatch(/^No descriptor is left, .*deleted files `\/var\/lib\/svc\/#/);
    expect(finding.summary).toMatch(/`openat` fail with EMFILE \d+ times/);
    expect(finding.summary).toMatch(/thread \d+ \(`render-\d`\)/);
    expect(quoted(finding)).toContain('EMFILE');
    expect(finding.fixes.map((fix) => fix.code ?? '').join('\n')).toMatch(/prlimit --pid \d+ --nofile=480:/);
  });

  it('less surely at the limit without a trace, and wants one', () => {
    const verdict = sayOf(cause, 'fd-leak/thumbnailer', ['strace']);
    expect(verdict).toMatchObject({ verdict: 'fires', wants: ['strace'] });
    expect(firstFinding(verdict).confidence).toBeLessThan(0.95);
  });

  it('surely without a trace when its own log tells of the refusal, and wants none', () => {
    const verdict = sayOf(cause, 'fd-leak/archive_keeper');
    expect(verdict).not.toHaveProperty('wants');
    const finding = firingOn(cause, 'fd-leak/archive_keeper');
    expect(finding.confidence).toBe(0.93);
    expect(finding.summary).toMatch(
      /Its own log says \d+ times that too many files were open, last .* before this look/,
    );
    expect(quoted(finding)).toMatch(/Too many open files: 'mail\/box-\d+\.mbox'/);
    expect(sayOf(cause, 'fd-leak/archive_keeper', ['log-tail'])).toMatchObject({ wants: ['strace'] });
  });

  it('not for what a log says of an earlier process', () => {
    const older = changedLook(loadLook('fd-leak/archive_keeper'), 'log-tail', (text) =>
      text.replace(/ files time \d+: /g, ' files time 1000000000: '),
    );
    const finding = firstFinding(verdictOn(cause, older, probes));
    expect(finding.summary).not.toContain('Its own log');
    expect(finding.confidence).toBeLessThan(0.93);
  });

  it('near the limit without growth, and says what is inferred', () => {
    const finding = firingOn(cause, 'fd-leak/report_runner');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toMatch(/nearly used up, \d+ of 200 .*ends of pipes/);
    expect(finding.summary).toContain('Inferred: that they are not needed any more');
  });

  it('on sockets and epoll instances that only become more', () => {
    const finding = firingOn(cause, 'fd-leak/event_loops');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.8);
    expect(finding.summary).toContain('0 closed in the window');
  });
});

describe('does not', () => {
  it('call a crowd of clients a leak: a hint at most', () => {
    const finding = firingOn(cause, 'healthy/crowded_hub');
    expect(finding.confidence).toBeLessThan(0.5);
    expect(finding.summary).toContain('this may be load');
    expect(finding.fixes.map((fix) => fix.title).join()).not.toContain('Close');
  });

  it('mind clients that come and go', () => {
    expect(clearOn(cause, 'healthy/busy_visits')).toMatch(/far from the limit/);
  });

  it('mind a steady number', () => {
    const steady = changedLook(loadLook('fd-leak/price_feed'), 'fds', (text) =>
      text.replace(/^open: .*$/m, 'open: 41 at 0.00 s, 41 at 1.00 s, 41 at 2.00 s').replace(/13 opened/g, '0 opened'),
    );
    expect(verdictOn(cause, steady, probes)).toMatchObject({ verdict: 'clear' });
  });

  it('mind a number that rises and falls', () => {
    const waves = changedLook(loadLook('fd-leak/price_feed'), 'fds', (text) =>
      text.replace(/^open: .*$/m, 'open: 41 at 0.00 s, 60 at 0.50 s, 44 at 1.00 s, 63 at 1.50 s, 54 at 2.00 s'),
    );
    expect(verdictOn(cause, waves, probes)).toMatchObject({ verdict: 'clear' });
  });

  it('make a cause of what stacked signal handlers have open, which is a symptom, and wants a trace of it', () => {
    const frames = Array.from(
      { length: 30 },
      () => '    on_term  /srv/svc/price_feed.py:12  (def at 10)  [signal handler 15 SIGTERM]',
    );
    const stacked = changedLook(loadLook('fd-leak/price_feed'), 'py-stacks', (text) =>
      text.replace(/( {4}main {2})/, `${frames.join('\n')}\n$1`),
    );
    const verdict = verdictOn(cause, stacked, probes);
    expect(verdict).toMatchObject({ verdict: 'fires', wants: ['strace'] });
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
    expect(firstFinding(verdict).summary).toContain('30 runs of signal handlers stand on each other');
  });

  it('take two handlers on the stack for the reason of many more descriptors', () => {
    const frames = Array.from(
      { length: 2 },
      () => '    on_term  /srv/svc/price_feed.py:12  (def at 10)  [signal handler 15 SIGTERM]',
    );
    const stacked = changedLook(loadLook('fd-leak/price_feed'), 'py-stacks', (text) =>
      text.replace(/( {4}main {2})/, `${frames.join('\n')}\n$1`),
    );
    expect(firstFinding(verdictOn(cause, stacked, probes)).confidence).toBeGreaterThanOrEqual(0.9);
  });

  describe.each([
    ['clients that are there', '*:40100', 'clear'],
    ['clients that have gone', '*:0', 'fires'],
  ] as const)('mind more connections at a Unix socket, of %s', (_, peer, verdict) => {
    it(`is ${verdict}`, () => {
      const rising = changedLook(loadLook('fd-leak/price_feed'), 'fds', (text) =>
        text
          .replace(/^kind file:/m, 'kind socket:')
          .replace(/^group file: (.*), "[^"]*"$/m, 'group socket: $1, -')
          .replace(/^newest: .*\n/gm, ''),
      );
      const ends = Array.from(
        { length: 48 },
        (_, index) =>
          `unix fd=${index + 5} ESTAB 0 0 /run/svc.sock:${50_000 + index} ${peer} u_str ino:${50_000 + index}\n`,
      );
      const taken = changedLook(rising, 'sockets', (text) =>
        text.replace(
          /^== sockets:.*\n?/m,
          `unix fd=3 LISTEN 0 200 /run/svc.sock:4711 *:0 u_str ino:4711\n${ends.join('')}== sockets: 49, shown: 49, ambiguous names: 0\n`,
        ),
      );
      expect(verdictOn(cause, taken, probes).verdict).toBe(verdict);
    });
  });

  it.each(lookNames('healthy'))('find a fault in %s', (name) => {
    const verdict = sayOf(cause, name);
    const findings = verdict.verdict === 'fires' ? verdict.findings : [];
    for (const finding of findings) expect(finding.confidence).toBeLessThan(0.5);
  });
});

it('cannot tell without having seen the descriptors', () => {
  expect(sayOf(cause, 'fd-leak/price_feed', ['fds'])).toMatchObject({ verdict: 'cannot-tell', wants: ['fds'] });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, ['fd-leak/thumbnailer', 'fd-leak/event_loops', 'healthy/crowded_hub']);
});
