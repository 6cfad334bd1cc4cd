import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, pythons, startStanding } from '../../support/incident.ts';

/** Whether the system's own Python has a library that some programs need. */
const has = (library: string): boolean => spawnSync('/usr/bin/python3', ['-c', `import ${library}`]).status === 0;

describe.each(pythons('3.8.18', '3.13.0'))('%s', (python) => {
  it('names the synchronous request in a handler of asyncio, before the peer that does not answer', async () => {
    const { pid } = await startStanding('event-loop-blocked/order_gateway.py', { python });
    const report = await examine(pid);
    const finding = expectFinding(report, 'event-loop-blocked', 0.9);
    expect(finding.title).toMatch(/asyncio.*of`.*order_gateway\.py:20.*recvfrom/);
    expect(finding.summary).toMatch(/serve`.*order_gateway\.py:32/);
    expect(finding.fixes[0]?.code).toContain('asyncio.to_thread(of, *args)');
    expect(report.findings.find((each) => each.cause === 'blocked-on-network')?.explainedBy).toBe('event-loop-blocked');
  });

  it('names the computation that a request waits for, which gets on', async () => {
    const { pid } = await startStanding('event-loop-blocked/report_api.py', { python });
    const finding = expectFinding(await examine(pid), 'event-loop-blocked', 0.8);
    expect(finding.title).toMatch(/yearly.*report_api\.py:1[67].*computes/);
    expect(finding.fixes[0]?.code).toContain('run_in_executor(process_pool, yearly');
  });
});

it('names a coroutine that waits for the loop in which it runs', async () => {
  const { pid } = await startStanding('event-loop-blocked/import_bridge.py');
  const finding = expectFinding(await examine(pid), 'event-loop-blocked', 0.9);
  expect(finding.title).toMatch(/Bridge\.get.*futex/);
  expect(finding.fixes[0]?.code).toContain('asyncio.wrap_future');
});

it.skipIf(!has('eventlet'))('names the unpatched sleep of a green thread of eventlet', async () => {
  const { pid } = await startStanding('event-loop-blocked/mail_relay.py');
  const finding = expectFinding(await examine(pid), 'event-loop-blocked', 0.9);
  expect(finding.title).toMatch(/eventlet.*Relay\.deliver.*mail_relay\.py:20.*clock_nanosleep/);
  expect(finding.fixes[0]?.code).toContain('eventlet.monkey_patch()');
});

it.skipIf(!has('gevent'))('names pauses of half a second that a handler of gevent makes again and again', async () => {
  const { pid } = await startStanding('event-loop-blocked/meter_reader.py');
  const finding = expectFinding(await examine(pid), 'event-loop-blocked', 0.7);
  expect(finding.title).toMatch(/gevent.*settle.*meter_reader\.py:14/);
});

it.skipIf(!has('gevent'))('names a spawned function of gevent by the hub that is suspended meanwhile', async () => {
  const { pid } = await startStanding('event-loop-blocked/rate_refresh.py');
  expect(expectFinding(await examine(pid), 'event-loop-blocked', 0.9).title).toMatch(
    /gevent.*refresh.*rate_refresh\.py:14/,
  );
});

it('names one call that waits again and again inside of itself', async () => {
  const { pid } = await startStanding('event-loop-blocked/ledger_api.py');
  const report = await examine(pid);
  const finding = report.findings.find((each) => each.cause === 'event-loop-blocked');
  expect(finding?.confidence, JSON.stringify(report.findings)).toBeGreaterThanOrEqual(0.8);
  expect(finding?.title).toMatch(/Ledger\.add.*ledger_api\.py:16/);
});

describe('a loop whose callbacks come back', () => {
  it('is no fault when threads do what blocks', async () => {
    const { pid } = await startStanding('event-loop-blocked/healthy_executor.py');
    expectHealthy(await examine(pid));
  });

  it('is no fault when it is busy with one request after another', async () => {
    const { pid } = await startStanding('event-loop-blocked/healthy_loaded.py');
    expectHealthy(await examine(pid));
  });

  it.skipIf(!has('eventlet'))('is no fault when green threads give way', async () => {
    const { pid } = await startStanding('event-loop-blocked/healthy_green.py');
    expectHealthy(await examine(pid));
  });
});
