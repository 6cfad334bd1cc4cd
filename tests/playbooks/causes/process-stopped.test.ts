import { beforeAll, describe, expect, it } from 'vitest';
import { processStopped } from '../../../playbooks/causes/process-stopped.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

describe('fires', () => {
  it('for a process that was sent SIGSTOP', () => {
    const look = loadLook('process-stopped/sigstop');
    const finding = firstFinding(verdictOn(processStopped, look, probes));
    expect(finding.confidence).toBeGreaterThan(0.95);
    expect(finding.title).toContain('state T');
    expect(finding.summary).toContain('all of its 4 threads');
    expect(finding.evidence[0]?.text).toBe('state: T (stopped)');
    expect(finding.fixes[0]?.code?.split('\n')[0]).toBe(`kill -CONT ${look.recorded.pid}`);
  });

  it('for one that a tracer holds, and names it', () => {
    const finding = firstFinding(verdictOn(processStopped, loadLook('process-stopped/traced'), probes));
    expect(finding.title).toMatch(/held by the debugger or tracer with pid \d+/);
    expect(finding.related?.[0]?.why).toContain('traces');
    expect(finding.fixes.map((fix) => fix.code).join('\n')).toMatch(/kill -TERM \d+[\s\S]*kill -KILL \d+/);
  });

  it('less surely when the window was not watched', () => {
    const verdict = verdictOn(processStopped, loadLook('process-stopped/sigstop'), probes, ['sample']);
    expect(firstFinding(verdict).confidence).toBe(0.9);
  });

  it('for one that waits in the freezer of its control group', () => {
    const look = changedLook(loadLook('healthy/thread_pool'), 'sample', (text) =>
      text.replace(/^(thread \d+ waits in )\S+/gm, '$1do_freezer_trap'),
    );
    const finding = firstFinding(verdictOn(processStopped, look, probes));
    expect(finding.title).toContain('frozen');
    expect(finding.fixes[0]?.code).toContain('cgroup.freeze');
  });

  it('for one that the kernel says is frozen, and names the file that thaws it', () => {
    const finding = firstFinding(verdictOn(processStopped, loadLook('process-stopped/frozen'), probes));
    expect(finding.confidence).toBeGreaterThan(0.95);
    expect(finding.summary).toContain('Its only thread stood for the whole window');
    expect(finding.evidence.map((quote) => quote.text)).toContain(
      'frozen: write THAWED to /sys/fs/cgroup/freezer/batch/freezer.state',
    );
    expect(finding.fixes[0]?.code).toMatch(/^echo THAWED > \/sys\/fs\/cgroup\/freezer\/batch\/freezer\.state\n/);
  });

  it('with words for one thread and for two', () => {
    const summary = (tids: number) => {
      const look = changedLook(loadLook('process-stopped/sigstop'), 'sample', (text) => {
        const ids = [...new Set([...text.matchAll(/^thread (\d+)/gm)].map(([, tid]) => tid))].slice(tids);
        return ids.reduce<string>((rest, tid) => rest.replace(new RegExp(`^thread ${tid}.*\n`, 'gm'), ''), text);
      });
      return firstFinding(verdictOn(processStopped, look, probes)).summary;
    };
    expect(summary(1)).toContain('its only thread stood');
    expect(summary(2)).toContain('both of its threads stood');
  });

  it('with a warning when it would read from a terminal as a background job', () => {
    const look = changedLook(loadLook('process-stopped/sigstop'), 'sample', (text) =>
      text.replace(
        /in clock_nanosleep (\d+) times.*$/m,
        'in read $1 times, last read(0x0, 0x7f0000, 0x400, 0x0, 0x0, 0x0) on /dev/pts/3',
      ),
    );
    expect(firstFinding(verdictOn(processStopped, look, probes)).fixes[0]?.detail).toContain('read on /dev/pts/3');
  });
});

describe('is clear', () => {
  it('for a process that sleeps and one that runs', () => {
    expect(verdictOn(processStopped, loadLook('healthy/idle_server'), probes).verdict).toBe('clear');
    expect(verdictOn(processStopped, loadLook('healthy/numeric_job'), probes).verdict).toBe('clear');
  });

  it('for one that was stopped for a moment and ran again in the window', () => {
    const stopped = loadLook('process-stopped/sigstop');
    const look = changedLook(stopped, 'sample', (text) => text.replace(/states T (\d+)/g, 'states S $1'));
    expect(verdictOn(processStopped, look, probes)).toMatchObject({
      verdict: 'clear',
      why: expect.stringContaining('ran again'),
    });
  });

  it('for one that was frozen at first and ran in the window', () => {
    const look = changedLook(loadLook('process-stopped/frozen'), 'sample', (text) =>
      text.replace(/states D \d+, user 0\.00/, 'states R 2 S 130, user 0.20'),
    );
    expect(verdictOn(processStopped, look, probes).verdict).toBe('clear');
  });

  it('for one that strace watches while it runs', () => {
    const look = changedLook(loadLook('process-stopped/traced'), 'identify', (text) =>
      text.replace(/^state: t.*$/m, 'state: S (sleeping)'),
    );
    expect(verdictOn(processStopped, look, probes)).toMatchObject({
      verdict: 'clear',
      why: expect.stringContaining('lets it run'),
    });
  });
});

it('cannot tell when the process was not identified', () => {
  const verdict = verdictOn(processStopped, loadLook('process-stopped/sigstop'), probes, ['identify']);
  expect(verdict).toMatchObject({ verdict: 'cannot-tell', wants: ['identify'] });
});
