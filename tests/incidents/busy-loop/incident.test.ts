import { spawnSync } from 'node:child_process';
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import {
  examine,
  expectFinding,
  expectHealthy,
  pythons,
  startProgram,
  startStanding,
  untilBurnt,
} from '../../support/incident.ts';

/** Asks a server that may never answer; the answer, or the end of the server, is of no interest. */
const ask = (port: string, path: string): void => {
  request({ host: '127.0.0.1', port, path })
    .on('error', () => {})
    .end();
};

describe.each(pythons('2.7.18', '3.8.18', '3.12.1'))('%s', (python) => {
  it('names the loop around enumerate in a service that answers nobody any more', async () => {
    const live = await startProgram('busy-loop/recall_service.py', { python });
    const port = (await live.line(/^port \d+$/)).split(' ')[1] ?? '';
    ask(port, '/recall');
    await live.line(/^standing/);
    ask(port, '/health');
    // `hang` traces in any case; `triage` would leave that out, because clients that wait make it conclusive before.
    const finding = expectFinding(await examine(live.pid, { playbook: 'hang' }), 'busy-loop', 0.9);
    expect(finding.title).toMatch(/sample_game/);
    expect(finding.title).toMatch(/recall_service\.py:37-4\d/);
    expect(finding.summary).toContain('while pool_can_use and len(taken) < want:');
    expect(finding.summary).toContain('strace saw not a single system call');
    expect(finding.evidence.map((quote) => quote.text).join('\n')).toMatch(/sample_game/);
    expect(finding.fixes[0]?.code).toContain(`gcore -o /var/tmp/core ${live.pid}`);
    expect(finding.fixes[1]?.code).toContain('while pool_can_use and len(taken) < want:');
  });
});

describe.each(pythons('3.6.15', '3.10.13', '3.13.0'))('%s', (python) => {
  it('names a worker thread that goes round its pending orders, though it counts the rounds', async () => {
    const { pid } = await startStanding('busy-loop/settle_orders.py', { python });
    const finding = expectFinding(await examine(pid), 'busy-loop', 0.85);
    expect(finding.title).toMatch(/settle_batch/);
    expect(finding.summary).toContain('while pending:');
    expect(finding.summary).toContain('`self.rounds`');
  });

  it('names a walk along parents that lead in a circle', async () => {
    const { pid } = await startStanding('busy-loop/category_walk.py', { python });
    const finding = expectFinding(await examine(pid), 'busy-loop', 0.85);
    expect(finding.title).toMatch(/path_to_root.*category_walk\.py:21-23/);
    expect(finding.summary).toContain('`node`');
  });
});

it('names a client that reads the end of its connection again and again', async () => {
  const { pid } = await startStanding('busy-loop/line_client.py');
  const finding = expectFinding(await examine(pid), 'busy-loop', 0.9);
  expect(finding.title).toMatch(/recvfrom.*read_line/);
  expect(finding.summary).toContain('CLOSE-WAIT');
  expect(finding.fixes[0]?.code).toContain('if not data');
});

it('names a reader of sockets that are not ready', async () => {
  const { pid } = await startStanding('busy-loop/feed_poller.py');
  const finding = expectFinding(await examine(pid), 'busy-loop', 0.9);
  expect(finding.title).toMatch(/recvfrom.*poll/);
  expect(finding.summary).toContain('EAGAIN');
});

it('names a server that is told of bytes that it never takes', async () => {
  const { pid } = await startStanding('busy-loop/mux_server.py');
  const finding = expectFinding(await examine(pid), 'busy-loop', 0.9);
  expect(finding.title).toMatch(/epoll_wait.*run/);
  expect(finding.fixes[0]?.title).toContain('stop watching');
});

it('names a search in native code that goes round', async () => {
  const live = await startProgram('busy-loop/shard_pick.py');
  await live.line(/^picking/);
  await untilBurnt(live.pid, 0.3);
  const finding = expectFinding(await examine(live.pid), 'busy-loop', 0.6);
  expect(finding.title).toMatch(/next_shard.*shard_pick\.py:12/);
});

const eventlet = spawnSync('/usr/bin/python3', ['-c', 'import eventlet']).status === 0;

it.skipIf(!eventlet)(
  'names the loop in a green thread of eventlet, which explains that nobody else is served',
  async () => {
    const { pid } = await startStanding('busy-loop/green_recall.py');
    const report = await examine(pid);
    const finding = expectFinding(report, 'busy-loop', 0.9);
    expect(finding.title).toMatch(/get_anchor_by_sn.*green_recall\.py:29-37/);
    expect(finding.summary).toContain('while pool_can_use and curr_sample_cnt < sample_cnt:');
    expect(finding.summary).toContain('strace saw not a single system call');
    expect(report.findings.find((each) => each.cause === 'event-loop-blocked')?.explainedBy).toBe('busy-loop');
  },
);

it('names a list that grows while it is gone over, with the same things again and again', async () => {
  const { pid } = await startStanding('busy-loop/retry_pool.py');
  const finding = expectFinding(await examine(pid), 'busy-loop', 0.85);
  expect(finding.title).toMatch(/Sender\.run.*retry_pool\.py:18-23/);
  expect(finding.summary).toMatch(/`len\(parcels\)` grew from \d+ to \d+, as fast as the loop went over it/);
  expect(finding.fixes[1]?.title).toContain('Do not add to `parcels`');
});

it('names a loop that logs the same failure again and again', async () => {
  const { pid } = await startStanding('busy-loop/endpoint_client.py');
  const finding = expectFinding(await examine(pid), 'busy-loop', 0.7);
  expect(finding.title).toMatch(/Client\.run.*endpoint_client\.py:2\d-2\d.*says the same again and again/);
  expect(finding.summary).toContain('cannot connect: ledger');
});

it('is no fault when the same line is written for each batch of work that gets on', async () => {
  const { pid } = await startStanding('busy-loop/healthy_progress.py');
  expectHealthy(await examine(pid));
});

it('is no fault when a walk finds new things, and its list grows', async () => {
  const { pid } = await startStanding('busy-loop/healthy_crawl.py');
  const wrong = (await examine(pid)).findings.filter((each) => each.cause === 'busy-loop' && each.confidence >= 0.5);
  expect(wrong).toEqual([]);
});
