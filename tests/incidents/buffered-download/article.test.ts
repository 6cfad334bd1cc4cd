import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { endPrograms, examine, expectFinding, startProgram } from '../../support/incident.ts';
import { type MemoryCgroup, makeMemoryCgroup, whyNoMemoryCgroup } from '../../support/memory-cgroup.ts';

const groups: MemoryCgroup[] = [];

afterEach(async () => {
  await endPrograms();
  for (const group of groups.splice(0)) await group.remove();
});

const missing = spawnSync('/usr/bin/python3', ['-c', 'import gevent, requests'], { stdio: 'ignore' }).status !== 0;

/** A refresher of caches in a control group with a limit, one worker of which has begun to load a film. */
const startService = async (limitMiB: number, bytesPerSecond: number) => {
  const group = makeMemoryCgroup(limitMiB << 20);
  groups.push(group);
  const live = await startProgram('buffered-download/cdn_refresh.py', { args: [String(bytesPerSecond)] });
  group.add(live.pid);
  live.say('go');
  return live;
};

describe.skipIf(missing || whyNoMemoryCgroup() !== null)(
  'a service that is killed for want of memory now and then',
  () => {
    it('is told while memory grows: by what, how fast, and when the group is out of it', async () => {
      const live = await startService(1500, 10e6);
      const worker = Number((await live.line(/^standing \d+$/)).split(' ')[1]);
      const finding = expectFinding(await examine(worker, { windowSeconds: 2 }), 'buffered-download', 0.8);
      expect(finding.title).toMatch(/`Worker\.refresh` .*loads a whole download from 127\.0\.0\.1:\d+ into memory/);
      expect(finding.summary).toMatch(/At this rate its control group, which may have 1\.5 GiB, is out of memory in/);
      expect(finding.fixes.map((fix) => fix.title).join()).toContain('curl');
    });

    it('is told afterwards, by its master and by the worker that took the place', async () => {
      const live = await startService(220, 40e6);
      const line = await live.line(/^replaced \d+ by \d+ after signal 9/);
      const [, killed, successor] = /^replaced (\d+) by (\d+)/.exec(line) ?? [];
      for (const pid of [live.pid, Number(successor)]) {
        const finding = expectFinding(await examine(pid, { windowSeconds: 1 }), 'oom-killed', 0.85);
        expect(finding.title).toContain(`killed process ${killed} `);
        expect(finding.evidence[0]?.text).toContain(`Killed process ${killed} `);
        expect(finding.fixes[0]?.detail).toContain('Whole responses');
      }
    });
  },
);
