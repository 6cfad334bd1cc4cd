import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, pythons, startStanding } from '../../support/incident.ts';

describe.each(pythons('3.6.15', '3.12.1'))('%s', (python) => {
  it('names a job that waits for an HTTP answer without a timeout', async () => {
    const { pid } = await startStanding('blocked-on-network/price_fetcher.py', { python });
    const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.75);
    expect(finding.title).toMatch(
      /main thread waits in `(PriceSource\.)?price_of`.*127\.0\.0\.1:\d+, without a timeout/,
    );
    expect(finding.summary).toContain('has never got a byte');
    expect(finding.fixes[0]?.code).toContain('timeout=');
    expect(finding.evidence.map((quote) => quote.text).join('\n')).toMatch(/ESTAB/);
  });
});

describe.each(pythons('2.7.18', '3.9.18'))('%s', (python) => {
  it('names a worker thread whose query is never answered', async () => {
    const { pid } = await startStanding('blocked-on-network/ledger_client.py', { python });
    const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.6);
    expect(finding.title).toMatch(/receive|query/);
    expect(finding.summary).toMatch(/last of them/);
  });
});

it('names the upstream in which the threads of a server hang', async () => {
  const { pid } = await startStanding('blocked-on-network/gateway.py');
  const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.75);
  expect(finding.title).toMatch(/load_profile/);
});

it('names an address that does not answer the request to connect', async () => {
  const { pid } = await startStanding('blocked-on-network/full_backlog.py');
  const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.9);
  expect(finding.title).toMatch(/to connect to 127\.0\.0\.1:\d+/);
  expect(finding.summary).toContain('SYN-SENT');
});

it('names a peer that does not read what it is sent', async () => {
  const { pid } = await startStanding('blocked-on-network/backup_upload.py');
  const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.9);
  expect(finding.title).toMatch(/upload.*to send to/);
});

it('names a mail server that never greets', async () => {
  const { pid } = await startStanding('blocked-on-network/greeting.py');
  const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.6);
  expect(finding.title).toMatch(/send/);
});

it('names the silent client for whom a server of one thread lets others wait', async () => {
  const { pid } = await startStanding('blocked-on-network/one_by_one.py');
  const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.8);
  expect(finding.title).toMatch(/its client 127\.0\.0\.1:\d+ to say something, and 3 other clients wait/);
});

it('names a query whose limit comes too late', async () => {
  const { pid } = await startStanding('blocked-on-network/patient_query.py');
  const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.55);
  expect(finding.title).toMatch(/with a timeout of 15 min/);
});

it('names the task of an event loop that awaits an answer without a limit', async () => {
  const { pid } = await startStanding('blocked-on-network/async_lookup.py');
  const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.6);
  expect(finding.title).toMatch(
    /^A task waits in `look_up` .* for an answer of 127\.0\.0\.1:\d+, with no limit around it/,
  );
});

it.skipIf(spawnSync('/usr/bin/python3', ['-c', 'import gevent'], { stdio: 'ignore' }).status !== 0)(
  'names the greenlet that waits for an answer while others go on',
  async () => {
    const { pid } = await startStanding('blocked-on-network/gevent_quotes.py');
    const finding = expectFinding(await examine(pid), 'blocked-on-network', 0.75);
    expect(finding.title).toMatch(/^A greenlet waits in `fetch_quote`/);
    expect(finding.fixes[0]?.code).toContain('gevent.Timeout');
  },
);

it('finds nothing wrong with a subscriber to whom nothing happens', async () => {
  const { pid } = await startStanding('blocked-on-network/healthy_subscriber.py');
  expectHealthy(await examine(pid));
});
