import { beforeAll, describe, expect, it } from 'vitest';
import { healthy } from '../../../playbooks/causes/healthy.ts';
import type { Cause, Probe } from '../../../playbooks/model/index.ts';
import { loadCauses, loadProbes } from '../../../playbooks/registry.ts';
import { changedLook, firstFinding, judgementOn, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
let causes: ReadonlyMap<string, Cause>;
beforeAll(async () => {
  [probes, causes] = await Promise.all([loadProbes(), loadCauses()]);
});

describe('says what a healthy process is doing', () => {
  it.each([
    ['idle_server', /waits for requests on 127\.0\.0\.1:\d+ in p?poll/, 0.9],
    ['asyncio_server', /waits for requests on 127\.0\.0\.1:\d+ in epoll_wait/, 0.9],
    ['thread_pool', /waits for another thread, or for a signal in `main`/, 0.6],
    [
      'child_waiter',
      /waits for what comes next on a pipe \(descriptor 3\) in `run_step` .* \(it has 1 child \(`sleep`\)\)/,
      0.6,
    ],
    [
      'prefork_server',
      /is the master of 3 processes of its kind that serve requests on 127\.0\.0\.1:\d+, and waits in pselect6 in `main`/,
      0.9,
    ],
    ['consumer', /waits for what comes next from 127\.0\.0\.1:\d+ \(TCP, ESTAB\)/, 0.6],
    ['numeric_job', /works in `is_prime`/, 0.8],
    ['hash_files', /works in `hash_(file|folder)`/, 0.8],
    ['relax_grid', /works in `sweep`/, 0.8],
  ])('%s', (name, what, confidence) => {
    const finding = firstFinding(verdictOn(healthy, loadLook(`healthy/${name}`), probes));
    expect(finding.title).toMatch(what);
    expect(finding.confidence).toBeGreaterThanOrEqual(confidence);
    expect(finding.evidence.length).toBeGreaterThan(0);
    expect(finding.summary).toMatch(/Looked at: \d+ threads?/);
  });

  it('and why a busy one is not in a loop', () => {
    const finding = firstFinding(verdictOn(healthy, loadLook('healthy/numeric_job'), probes));
    expect(finding.summary).toContain('is busy, but gets on');
  });
});

describe('does not call healthy', () => {
  it.each(['busy-loop/settle_orders', 'busy-loop/shard_pick', 'process-stopped/sigstop', 'process-stopped/traced'])(
    '%s',
    (name) => {
      expect(verdictOn(healthy, loadLook(name), probes).verdict).toBe('cannot-tell');
    },
  );

  it('a process with a thread in state D for the whole window', () => {
    const look = changedLook(loadLook('healthy/thread_pool'), 'sample', (text) =>
      text.replace(/states S (\d+)/, 'states D $1'),
    );
    expect(verdictOn(healthy, look, probes)).toMatchObject({
      verdict: 'cannot-tell',
      why: expect.stringContaining('state D'),
    });
  });

  it('one that ended meanwhile', () => {
    const look = changedLook(loadLook('healthy/thread_pool'), 'sample', (text) =>
      text.replace(/^end$/m, 'ended: process 1 ended after 2.32 s\nend'),
    );
    expect(verdictOn(healthy, look, probes)).toMatchObject({
      verdict: 'cannot-tell',
      why: 'it ended while it was looked at',
    });
  });

  it('one whose waits could not be read', () => {
    const look = changedLook(loadLook('healthy/idle_server'), 'sample', (text) =>
      text.replace(/in \w+ (\d+) times, last .*$/gm, 'in an unreadable system call $1 times'),
    );
    expect(verdictOn(healthy, look, probes)).toMatchObject({
      verdict: 'cannot-tell',
      why: expect.stringContaining('root'),
    });
  });

  it('one of which the window was not seen', () => {
    expect(verdictOn(healthy, loadLook('healthy/idle_server'), probes, ['sample'])).toMatchObject({
      verdict: 'cannot-tell',
      wants: ['sample'],
    });
  });
});

it('is less sure when memory grows meanwhile', () => {
  const finding = firstFinding(
    verdictOn(
      healthy,
      changedLook(loadLook('healthy/idle_server'), 'sample', (text) =>
        text.replace(/resident (\d+) kB first, \d+ kB last/, 'resident $1 kB first, 90000 kB last'),
      ),
      probes,
    ),
  );
  expect(finding.confidence).toBe(0.6);
  expect(finding.summary).toMatch(/Its memory grew by \d+ MiB meanwhile/);
});

it('is no surer than the hint that speaks against it leaves room for', () => {
  const { findings } = judgementOn(loadLook('blocked-on-network/curl'), probes, causes);
  const hint = findings.find((finding) => finding.cause === 'blocked-on-network');
  const said = findings.find((finding) => finding.cause === 'healthy');
  expect(hint?.confidence).toBe(0.4);
  expect(said?.confidence).toBeLessThanOrEqual(0.6);
  expect(said?.summary).toContain('A hint speaks against it');
});

it('is silent in the report of a process that has a fault', () => {
  const { findings } = judgementOn(loadLook('blocked-on-network/price_fetcher'), probes, causes);
  expect(findings[0]?.cause).toBe('blocked-on-network');
  expect(findings.map((finding) => finding.cause)).not.toContain('healthy');
});
