import { afterEach, describe, expect, it } from 'vitest';
import {
  endPrograms,
  examine,
  expectFinding,
  expectHealthy,
  startProgram,
  startStanding,
} from '../../support/incident.ts';
import { type MemoryCgroup, makeMemoryCgroup, whyNoMemoryCgroup } from '../../support/memory-cgroup.ts';

const groups: MemoryCgroup[] = [];

afterEach(async () => {
  await endPrograms();
  for (const group of groups.splice(0)) await group.remove();
});

/** Starts a program that waits for a line, puts it into a control group with a limit, and lets it go on. */
const startLimited = async (program: string) => {
  const group = makeMemoryCgroup(96 * 1024 * 1024);
  groups.push(group);
  const live = await startProgram(program);
  group.add(live.pid);
  live.say('go');
  return live;
};

// Making a memory cgroup needs root; without it the kernel cannot be made to kill one program and no other.
describe.skipIf(whyNoMemoryCgroup() !== null)('a process whose relative the kernel killed', () => {
  it('as the master of a worker that was replaced', async () => {
    const live = await startLimited('oom-killed/prefork_crawler.py');
    const [, killed = ''] = /^replaced (\d+) by/.exec(await live.line(/^replaced \d+ by \d+ after signal 9/)) ?? [];
    const finding = expectFinding(await examine(live.pid), 'oom-killed', 0.85);
    expect(finding.title).toContain(`killed process ${killed} `);
    expect(finding.evidence[0]?.text).toContain(`Killed process ${killed} `);
  });

  it('as the worker that replaced it', async () => {
    const live = await startLimited('oom-killed/prefork_crawler.py');
    const [, killed = '', replacement = ''] =
      /^replaced (\d+) by (\d+)/.exec(await live.line(/^replaced \d+ by \d+ after signal 9/)) ?? [];
    const finding = expectFinding(await examine(Number(replacement)), 'oom-killed', 0.85);
    expect(finding.title).toContain(`killed process ${killed} `);
  });

  it('as what a supervisor started in its place', async () => {
    const live = await startLimited('oom-killed/supervised_report.py');
    const [, running = ''] = /^running (\d+)/.exec(await live.line(/^running/)) ?? [];
    const finding = expectFinding(await examine(Number(running)), 'oom-killed', 0.8);
    expect(finding.summary).toMatch(/limit/);
    expect(finding.fixes.map((fix) => fix.title).join()).toMatch(/Bound/);
  });

  it('as a server that goes on without its helper', async () => {
    const live = await startLimited('oom-killed/cache_server.py');
    await live.line(/^lost the helper, exit code -9/);
    expectFinding(await examine(live.pid), 'oom-killed', 0.8);
  });

  it('and says nothing of it about a process elsewhere on the host', async () => {
    const limited = await startLimited('oom-killed/cache_server.py');
    await limited.line(/^lost the helper/);
    const { pid } = await startStanding('healthy/idle_server.py');
    expectHealthy(await examine(pid));
  });
});
