import { describe, expect, it } from 'vitest';
import { waitingForever } from '../../../playbooks/causes/waiting-forever.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = waitingForever;
const probes = await loadProbes();
const changed = (name: string, change: (text: string) => string) =>
  verdictOn(cause, changedLook(loadLook(name), 'children', change), probes);

describe('fires', () => {
  it('on a queue whose only producer has died', () => {
    const finding = firingOn(cause, 'waiting-forever/dead-producer');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.7);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toMatch(
      /^The main thread waits in `Intake\.next_order` .* for an item of a queue, and no other thread is left/,
    );
    expect(finding.summary).toContain('Not seen directly: ');
    expect(finding.fixes[0]?.code).toContain('jobs.put(DONE)');
  });

  it('on a task that awaits the end of a pipe which a service has, and on a limit that is an hour away', () => {
    const task = firingOn(cause, 'waiting-forever/awaited');
    expect(task.confidence).toBeGreaterThanOrEqual(0.7);
    expect(task.confidence).toBeLessThan(0.9);
    expect(task.title).toMatch(/^A task waits in .*restart_awaited.* for the end of the output of a child/);
    expect(task.summary).toContain('Not seen directly: that the child itself has ended');
    const patient = firingOn(cause, 'waiting-forever/patient');
    expect(patient.confidence).toBeGreaterThanOrEqual(0.9);
    expect(patient.summary).toMatch(/and is given up only after (?:60|59) min/);
  });

  it('on a pool of which a worker was killed', () => {
    const finding = firingOn(cause, 'waiting-forever/pool-killed');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('all workers are idle: the task was lost');
    expect(finding.summary).toMatch(/Worker \d+ is .* younger than the others/);
    expect(finding.fixes[0]?.code).toContain('ProcessPoolExecutor');
  });

  it('on a queue between processes whose producers were killed', () => {
    const finding = firingOn(cause, 'waiting-forever/dead-processes');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('nobody is left who could write it');
    expect(quoted(finding)).toMatch(/pipe \d+: fd \d+ write[\s\S]*zombie \d+: .*signal 9/);
    expect(finding.related).toHaveLength(2);
  });

  it('on a connection whose other end only this process has', () => {
    const finding = firingOn(cause, 'waiting-forever/dead-answerer');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.fixes[0]?.code).toContain('theirs.close()');
  });

  it.each([
    ['task-not-done', /for all items of a queue to be marked as done, and every other thread waits too/, 'task_done'],
    ['no-sentinel', /for threads to end, having come to its own end/, 'jobs.put(None)'],
    ['nested-futures', /for a future to be done/, 'timeout'],
  ])('on %s, where all threads wait', (name, title, fix) => {
    const finding = firingOn(cause, `waiting-forever/${name}`);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.7);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toMatch(title);
    expect(finding.fixes[0]?.code).toContain(fix);
  });
});

describe('a pipe that a service has inherited', () => {
  it('fires with the child that has ended and who has its pipe', () => {
    const finding = firingOn(cause, 'waiting-forever/release_agent');
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toMatch(/waits in `Agent\.restart_by_script` .*: process 22322 has its pipe open$/);
    expect(finding.summary).toContain('The child 22321 (`sh`) has ended (status 0)');
    expect(quoted(finding)).toMatch(/^pipe 16347328 is held by process 22322: parent 1/m);
    expect(finding.related).toEqual([{ pid: 22322, why: 'it has the pipe open whose end is waited for' }]);
    expect(finding.fixes.at(-1)?.code).toContain('kill 22322');
  });

  const changed = (from: RegExp, to: string) =>
    verdictOn(
      cause,
      changedLook(loadLook('waiting-forever/release_agent'), 'children', (text) => text.replace(from, to)),
      probes,
    );

  it('is less sure when the child is not there any more', () => {
    const finding = firstFinding(changed(/^zombie \d+: .*\n/m, ''));
    expect(finding.confidence).toBe(0.8);
    expect(finding.summary).toContain('Not seen directly: that the child itself has ended');
  });

  it('is less sure of a read that may be one of many', () => {
    const look = changedLook(loadLook('waiting-forever/release_agent'), 'py-stacks', (text) =>
      text.replaceAll('/usr/lib/python3.11/subprocess.py', '/srv/reader.py'),
    );
    const finding = firstFinding(verdictOn(cause, look, probes));
    expect(finding.confidence).toBe(0.75);
    expect(finding.summary).toContain('Not seen directly: that it waits for the end');
  });

  it.each([
    ['the wait goes on', /woke 0 times, as before in read/, 'woke 3 times, not before in read'],
    ['nobody else has the pipe', /^pipe \d+ is held by .*\n/gm, ''],
    ['the process itself has it', /(process 22312 pipe 16347328: fd 3) read/, '$1 both'],
    ['it waits with a limit', /read\(0x3, [^)]*\) on pipe:\[16347328\]/, 'poll(0x3, 0x2, 0x1f40, 0x0, 0x0, 0x0)'],
  ])('is none when %s', (_, from, to) => {
    const verdict = changed(from, to);
    expect(JSON.stringify(verdict)).not.toContain('has its pipe open');
  });
});

describe('an event loop that nothing can wake', () => {
  const changedIn = (probe: string, from: RegExp, to: string) =>
    verdictOn(
      cause,
      changedLook(loadLook('waiting-forever/lost-answers'), probe, (text) => text.replace(from, to)),
      probes,
    );

  it('fires with its tasks and what it watches', () => {
    const finding = firingOn(cause, 'waiting-forever/lost-answers');
    expect(finding.confidence).toBe(0.85);
    expect(finding.title).toMatch(
      /^7 tasks of the event loop wait in .*`ask` .*answer_broker\.py:15.*, and nothing is left that could wake them$/,
    );
    expect(finding.summary).toContain('There is no other thread.');
    expect(quoted(finding)).toMatch(/epoll_wait\(0x3, .*0xffffffff.*[\s\S]*epoll 3: watches 1 descriptors, 4 socket:/);
  });

  it('fires beside threads that only wait for work', () => {
    const finding = firingOn(cause, 'waiting-forever/async-locks');
    expect(finding.confidence).toBe(0.85);
    expect(finding.summary).toContain('Its other thread waits too, without a time limit.');
    expect(finding.title).toContain('`book`');
  });

  it.each([
    ['a timer is set', 'children', /(epoll_wait\(0x3, 0x[0-9a-f]+, 0x[0-9a-f]+), 0xffffffff/, '$1, 0x4e20'],
    ['it watches a connection', 'children', /watches 1 descriptors/, 'watches 2 descriptors, 9 socket:[77]'],
    ['it watches a pipe that a child writes', 'children', /4 socket:\[\d+\]/, '4 pipe:[77]'],
    ['what it watches is not known', 'children', /^process \d+ epoll .*\n/m, ''],
    ['it handles SIGTERM', 'children', /(process \d+ signals: caught )[0-9a-f]{16}/, '$10000000000004002'],
    ['it woke', 'children', /woke 0 times, as before in epoll_wait/, 'woke 1 times, as before in epoll_wait'],
    ['a task is about to run', 'py-stacks', /^( {2}6 of type \S+) waiting/m, '$1 ready'],
    ['the other end of its socket is elsewhere', 'sockets', /^unix fd=\d+ .*\n/m, ''],
  ])('is none when %s', (_, probe, from, to) => {
    expect(changedIn(probe, from, to).verdict).toBe('clear');
  });

  it('is clear of programs that wait for a signal, or for what a thread receives', () => {
    clearOn(cause, 'healthy/async_stop');
    clearOn(cause, 'healthy/async_thread');
  });
});

describe('is clear', () => {
  it('of a main thread that woke, and of one whose wait has a limit', () => {
    expect(
      changed('waiting-forever/dead-producer', (text) =>
        text.replace('woke 0 times, as before in futex', 'woke 4 times, as before in futex'),
      ).verdict,
    ).toBe('clear');
    expect(
      changed('waiting-forever/dead-producer', (text) =>
        text.replace(/futex\((\S+, \S+, \S+), 0x0,/, 'futex($1, 0x7ffd11112222,'),
      ).verdict,
    ).toBe('clear');
  });

  it('of a pool in which one works', () => {
    expect(
      changed('waiting-forever/pool-killed', (text) => text.replace(/as before in read\(/g, 'not before in read('))
        .verdict,
    ).toBe('clear');
    clearOn(cause, 'healthy/pool_at_work');
  });

  it('of a main thread that waits for the signal to stop', () => {
    clearOn(cause, 'healthy/stop_event');
    const verdict = sayOf(cause, 'healthy/bare_event');
    if (verdict.verdict === 'fires') expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
  });

  it('of deadlocks over pipes', () => {
    for (const name of lookNames('pipe-deadlock')) expect(sayOf(cause, name).verdict, name).not.toBe('fires');
  });
});

it('is only a hint where a signal handler may wake it', () => {
  const verdict = changed('waiting-forever/dead-producer', (text) =>
    text.replace(/(process \d+ signals: caught )[0-9a-f]{16}/, '$10000000000000200'),
  );
  expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
});

it('cannot tell without stacks, relatives or system calls', () => {
  expect(cause.needs.map((probe) => probe.id)).toEqual(['py-stacks', 'children']);
  expect(sayOf(cause, 'waiting-forever/dead-producer', ['py-stacks']).verdict).toBe('cannot-tell');
  expect(sayOf(cause, 'waiting-forever/dead-producer', ['children']).verdict).toBe('cannot-tell');
  expect(
    changed('waiting-forever/dead-producer', (text) =>
      text.replace(/(not|as) before in \w+\([^)]*\)/g, 'not before in an unreadable system call'),
    ).verdict,
  ).toBe('cannot-tell');
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, lookNames('waiting-forever').slice(0, 4));
});
