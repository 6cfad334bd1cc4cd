import { spawnSync } from 'node:child_process';
import { describe, expect, it, test } from 'vitest';
import { examine, expectFinding, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'socket-leak';

describe.each(pythons('3.9.18', '3.12.1'))('%s', (python) => {
  it('finds the answers that are never closed', async () => {
    const { pid } = await startStanding(`${HERE}/rate_client.py`, { python, args: ['40'] });
    const report = await examine(pid, { windowSeconds: 2 });
    const finding = expectFinding(report, 'socket-leak', 0.9);
    expect(finding.title).toMatch(/connections to 127\.0\.0\.1:\d+/);
    const leak = report.findings.find((each) => each.cause === 'fd-leak');
    if (leak !== undefined) expect(leak.explainedBy).toBe('socket-leak');
  });
});

const requests = spawnSync('/usr/bin/python3', ['-c', 'import requests']).status === 0;

test.skipIf(!requests)('finds the sessions of requests that were left behind', async () => {
  const { pid } = await startStanding(`${HERE}/webhook_sender.py`, { args: ['60'] });
  expectFinding(await examine(pid, { windowSeconds: 2 }), 'socket-leak', 0.8);
});

it('finds clients that have gone and are still held', async () => {
  const { pid } = await startStanding(`${HERE}/line_server.py`, { args: ['40'] });
  const finding = expectFinding(await examine(pid, { windowSeconds: 2 }), 'socket-leak', 0.8);
  expect(finding.title).toMatch(/clients of 127\.0\.0\.1:\d+/);
});

it('does not take the idle connections of a pool for a leak', async () => {
  const { pid } = await startStanding(`${HERE}/healthy_pool.py`);
  const report = await examine(pid, { windowSeconds: 2 });
  const wrong = report.findings.filter((each) => each.confidence >= 0.5 && /^(fd|socket)-leak$/.test(each.cause));
  expect(wrong).toEqual([]);
});
