import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  examine,
  expectFinding,
  expectHealthy,
  headlines,
  pythons,
  startProgram,
  startStanding,
} from '../../support/incident.ts';

const hasModule = (name: string): boolean =>
  spawnSync('/usr/bin/python3', ['-c', `import ${name}`], { stdio: 'ignore' }).status === 0;

const look = { windowSeconds: 2 };

describe.skipIf(!hasModule('requests'))('a pre-fork warmer of caches that gets a large file', () => {
  it('is told by the worker: function, line, peer, and how fast memory grows', async () => {
    const { pid } = await startStanding('buffered-download/warm_cache.py');
    const report = await examine(pid, look);
    const finding = expectFinding(report, 'buffered-download', 0.9);
    expect(finding.title).toMatch(
      /in `Warmer\.warm` .*loads a whole download from 127\.0\.0\.1:\d+ into memory: \+\d+/,
    );
    expect(finding.summary).toContain('`requests`, which was not told to stream');
    expect(finding.summary).toMatch(/MiB a second/);
    expect(finding.fixes[0]?.code).toMatch(/warm_cache\.py:\d+, Warmer\.warm\nwith session\.get\(url, stream=True/);
    expect(finding.fixes.map((fix) => fix.code).join('\n')).toMatch(/head\(url[\s\S]*"curl"/);
    // What else it looks like is explained by it.
    const others = headlines(report).slice(1);
    expect(others.map((each) => each.explainedBy)).toEqual(others.map(() => 'buffered-download'));
  });

  it('is told by its master, with the worker to look at next', async () => {
    const live = await startProgram('buffered-download/warm_cache.py');
    const standing = await live.line(/^standing \d+$/);
    const finding = expectFinding(await examine(live.pid, look), 'buffered-download', 0.7);
    expect(finding.title).toContain(`Its child ${standing.split(' ')[1]} loads`);
    expect(finding.related?.map((each) => `standing ${each.pid}`)).toEqual([standing]);
  });
});

it.each(pythons('3.8.18'))('a mirror that reads a file whole in a thread of its pool, %s', async (python) => {
  const { pid } = await startStanding('buffered-download/mirror_sync.py', { python });
  const finding = expectFinding(await examine(pid, look), 'buffered-download', 0.9);
  expect(finding.title).toContain('`take_over`');
  expect(finding.fixes[0]?.code).toContain('answer.read(1 << 20)');
});

it('an importer that collects what a socket brings', async () => {
  const { pid } = await startStanding('buffered-download/feed_import.py');
  const finding = expectFinding(await examine(pid, look), 'buffered-download', 0.9);
  expect(finding.title).toMatch(/`(Feed\.)?import_all`/);
});

it.skipIf(!hasModule('aiohttp'))('a task that awaits a whole body', async () => {
  const { pid } = await startStanding('buffered-download/asset_fetch.py');
  // A task that runs in the moment of the look has no stack to be seen.
  const finding = expectFinding(await examine(pid, look), 'buffered-download', 0.8);
  expect(finding.title).toMatch(/^A task/);
});

describe('what looks like it', () => {
  it.each(['healthy_stream_to_disk', 'healthy_chart_cache'])('%s is healthy', async (program) => {
    const { pid } = await startStanding(`buffered-download/${program}.py`);
    expectHealthy(await examine(pid, look));
  });

  it('an upload that is kept in memory is no download', async () => {
    const { pid } = await startStanding('buffered-download/upload_store.py');
    const report = await examine(pid, look);
    expect(report.findings.map((finding) => finding.cause)).not.toContain('buffered-download');
  });
});
