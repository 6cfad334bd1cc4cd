import { describe, expect, it } from 'vitest';
import { signalStorm } from '../../../playbooks/causes/signal-storm.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf, untoldOn } from '../../support/cause-tests.ts';
import { lookNames } from '../../support/record-look.ts';

const cause = signalStorm;

it('is a hint where SIGHUP asks for reloads, and the receiver catches it', () => {
  for (const [name, title] of [
    ['signal-storm/reload-receiver', /^Gets SIGHUP every 0\.5\d* s from process \d+ and catches it: a reload/],
    ['signal-storm/reload-sender', /^Sends SIGHUP every 0\.5\d* s to process \d+, which catches it: a reload/],
  ] as const) {
    const finding = firingOn(cause, name);
    expect(finding.confidence).toBeLessThan(0.5);
    expect(finding.title).toMatch(title);
  }
});

describe('fires', () => {
  it('on a master that sends SIGTERM every 0.1 s from its own handler', () => {
    const finding = firingOn(cause, 'signal-storm/rotating-master');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^Sends SIGTERM every 0\.1\d* s to process \d+, process \d+ and process \d+, and they do not end$/,
    );
    expect(finding.summary).toContain('`Master.stop_workers` (`/srv/svc/rotating_service.py:');
    expect(finding.related).toHaveLength(3);
    expect(quoted(finding)).toMatch(/kill\(\d+, SIGTERM\) += 0[\s\S]*child \d+: S/);
    expect(finding.fixes[0]?.code).toContain('child.join(max(0, deadline');
  });

  it('on a supervisor with subprocesses', () => {
    const finding = firingOn(cause, 'signal-storm/impatient-supervisor');
    expect(finding.title).toMatch(/^Sends SIGTERM every 0\.2\d s/);
    expect(finding.summary).toContain('Supervisor.stop_helpers');
  });

  it('on a receiver, with what it does and what it makes of the signal', () => {
    const finding = firingOn(cause, 'signal-storm/resumed-reader');
    expect(finding.title).toMatch(/^Gets SIGTERM every 0\.2\d s from process \d+, and does not end$/);
    expect(finding.summary).toContain('from its parent, process');
    expect(finding.summary).toContain('It has a handler for SIGTERM');
    expect(finding.summary).toContain('`Helper.read_request`');
    expect(finding.fixes[1]?.detail).toContain('PEP 475');
  });

  it('on one that ignores the signal', () => {
    expect(firingOn(cause, 'signal-storm/ignoring-tool').summary).toContain('It ignores SIGTERM.');
  });

  it('on signals for zombies, with what is wrong there', () => {
    const finding = firingOn(cause, 'signal-storm/zombie-chaser');
    expect(finding.title).toContain('which has ended already');
    expect(finding.fixes).toHaveLength(1);
    expect(finding.fixes[0]?.detail).toContain('waitpid');
  });

  it('on signals for a process group', () => {
    const finding = firingOn(cause, 'signal-storm/group-stop');
    expect(finding.title).toMatch(/to process group \d+, and it does not end$/);
    expect(finding.fixes[1]?.code).toMatch(/^kill -KILL -- -\d+$/);
  });

  it('on the victim of a handler deadlock, which explains it', () => {
    expect(firingOn(cause, 'signal-handler-deadlock/rotating-holder').title).toMatch(/^Gets SIGTERM every 0\.1\d* s/);
  });
});

describe('cannot tell, but wants a trace', () => {
  it.each([
    ['signal-storm/rotating-master', 'a signal handler was on the stack'],
    ['signal-storm/impatient-supervisor', 'it has children and wakes again and again'],
    ['signal-storm/zombie-chaser', 'it has children and wakes again and again'],
    ['signal-storm/group-stop', 'it has children and wakes again and again'],
    ['signal-storm/resumed-reader', 'is woken again and again out of a call that has no time limit'],
  ])('of %s', (name, why) => {
    const untold = untoldOn(cause, name, ['strace', 'host-locks']);
    expect(untold.why).toContain(why);
    expect(untold.wants).toEqual(['strace']);
  });
});

describe('is clear', () => {
  it('when nothing hints at signals', () => {
    expect(clearOn(cause, 'file-lock-wait/blocking-flock', ['strace'])).toContain('nothing hints at signals');
  });

  it('of kill(pid, 0), SIGUSR1, timers and children that end', () => {
    expect(clearOn(cause, 'healthy/supervisor_kill0')).toContain('no signal came');
    expect(clearOn(cause, 'healthy/worker_usr1')).toContain('SIGUSR1');
    expect(clearOn(cause, 'healthy/interval_timers')).toMatch(/SIGALRM.*SIGPROF|SIGPROF.*SIGALRM/);
  });

  it.each(lookNames('healthy'))('or wants to look closer, on %s', (name) => {
    expect(sayOf(cause, name).verdict).not.toBe('fires');
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, [
    'signal-storm/rotating-master',
    'signal-storm/resumed-reader',
    'signal-storm/group-stop',
  ]);
});
