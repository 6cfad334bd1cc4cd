import { describe, expect, it } from 'vitest';
import { signalHandlerDeadlock } from '../../../playbooks/causes/signal-handler-deadlock.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import {
  clearOn,
  expectHealthyOn,
  expectNeverThrowsOn,
  firingOn,
  quoted,
  sayOf,
  untoldOn,
} from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = signalHandlerDeadlock;
const probes = await loadProbes();
const AFTER_TWO_PHASES = ['strace', 'host-locks', 'lsof'];

describe('fires', () => {
  it('on a handler that polls for a file lock which its own process holds, and names the sender', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/rotating-holder');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^The SIGTERM handler `Worker\.on_term` \(`\/srv\/svc\/rotating_service\.py:\d+`\) waits for the file lock `.*\.service\.log`, which its own thread holds$/,
    );
    expect(finding.summary).toMatch(/interrupted the main thread in `SharedRotatingHandler\.doRollover`/);
    expect(finding.summary).toMatch(/\d+ runs of this handler are stacked/);
    expect(finding.summary).toMatch(/SIGTERM came from its parent, process \d+ .* \d+ times, every 0\.\d+ s/);
    expect(quoted(finding)).toMatch(/inside with FileLock[\s\S]*EAGAIN[\s\S]*FLOCK WRITE held by/);
    expect(finding.related?.[0]?.why).toContain('sends SIGTERM');
    expect(finding.fixes.map((fix) => fix.title)).toEqual([
      expect.stringContaining('only set a flag'),
      expect.stringContaining('Send SIGTERM once'),
      expect.stringContaining('SIGKILL to process'),
    ]);
    expect(finding.fixes[1]?.detail).toContain('os._exit');
  });

  it('on a native handler that wants the lock of malloc which the code under it has', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/encoder');
    expect(finding.confidence).toBeGreaterThan(0.8);
    expect(finding.title).toBe(
      'A native handler of SIGPROF waits for a lock of the C library in the main thread, which its own thread holds',
    );
    expect(finding.summary).toContain(
      'The main thread stood in `encode` (`/srv/app/encoder.py:11`) at a lock of the C library',
    );
    expect(quoted(finding)).toMatch(/stands at a lock of libc, and blocks signals that it handles: 27/);
    // Who blocks no signal that it handles is in no handler.
    const without = changedLook(loadLook('signal-handler-deadlock/encoder'), 'sample', (text) =>
      text.replace('blocks signals that it handles: 27', 'blocks signals that it handles: none'),
    );
    expect(verdictOn(cause, without, probes)).toMatchObject({ verdict: 'clear' });
  });

  it('on a native handler that wants the mutex which the code under it has', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/native-mutex');
    expect(finding.confidence).toBeGreaterThan(0.8);
    expect(finding.title).toMatch(
      /^A native handler of SIGUSR1 waits for the mutex at 0x[0-9a-f]+ in the main thread, which its own thread holds$/,
    );
    expect(finding.summary).toContain('The mutex notes this very thread as its owner');
    const other = changedLook(loadLook('signal-handler-deadlock/native-mutex'), 'sample', (text) =>
      text.replace(/which thread \d+ has/, 'which thread 1 has'),
    );
    expect(verdictOn(cause, other, probes).verdict).not.toBe('fires');
  });

  it('on a lock between processes that nobody else has', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/shared-alone');
    expect(finding.confidence).toBe(0.78);
    expect(finding.title).toContain('`main.<locals>.reload`');
    expect(finding.summary).toContain('there is no other thread that could hold it or give it back');
    const family = (from: RegExp, to: string) =>
      verdictOn(
        cause,
        changedLook(loadLook('signal-handler-deadlock/shared-alone'), 'children', (text) => text.replace(from, to)),
        probes,
      ).verdict;
    expect(family(/ sibling, /, ' descendant, ')).not.toBe('fires');
    expect(family(/(: target, .*) executed, /, '$1 forked, ')).not.toBe('fires');
  });

  it('on it when some samples of its deep stacks could not be read, and not when hardly any could', () => {
    const torn = (unread: number) =>
      verdictOn(
        cause,
        changedLook(loadLook('signal-handler-deadlock/rotating-holder'), 'py-stacks', (text) =>
          text.replace(/ unread 0 /, ` unread ${unread} `),
        ),
        probes,
      );
    expect(firstFinding(torn(9)).confidence).toBeGreaterThanOrEqual(0.9);
    expect(torn(200).verdict).not.toBe('fires');
  });

  it('on one that blocks in flock, without any trace', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/blocking-flock', AFTER_TWO_PHASES);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('SIGUSR1 handler `Daemon.on_usr1`');
    expect(finding.summary).toContain('`Journal.compact`');
    expect(quoted(finding)).toMatch(/in flock \d+ times[\s\S]*wanted by \d+[\s\S]*held by \d+/);
    expect(finding.fixes.at(-1)?.detail).toContain('Do not delete the lock file');
  });

  it('on one that waits for a lock in memory, and counts the threads behind it', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/thread-lock', AFTER_TWO_PHASES);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toContain('`Registry.summary`');
    expect(finding.summary).toContain('3 other threads of this process wait behind it');
    const [, address] = /inside with _thread\.lock at (0x[0-9a-f]+)/.exec(quoted(finding)) ?? [];
    expect(quoted(finding)).toContain(`waits for _thread.lock at ${address}`);
  });

  it("on one that waits for a queue's mutex, and names the program's own code", () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/queue-mutex', AFTER_TWO_PHASES);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toMatch(/in `Queue\.put` .*, called by `Runner\.produce`/);
    const [, address] = /waits for _thread\.lock at (0x[0-9a-f]+)/.exec(quoted(finding)) ?? [];
    expect(quoted(finding)).toContain(`inside with _thread.lock at ${address}`);
  });

  it('with one link inferred where a lock was taken without a with', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/plain-acquire');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.8);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Not seen directly: which frame took the lock cannot be seen');
    expect(sayOf(cause, 'signal-handler-deadlock/plain-acquire')).not.toHaveProperty('wants');
  });

  it('with one link inferred for a lock between processes', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/shared-lock');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.7);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toContain('waits for a `Lock`');
    expect(finding.summary).toContain('Not seen directly: ');
  });

  it('on a lock file, more surely when the process has it open', () => {
    const finding = firingOn(cause, 'signal-handler-deadlock/dot-lock');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toContain('mailbox.lock');
    expect(quoted(finding)).toMatch(/O_EXCL.*EEXIST/);
    expect(finding.fixes.at(-1)?.code).toMatch(/^kill -KILL \d+\nrm /);
  });
});

describe('cannot tell', () => {
  it.each(['rotating-holder', 'dot-lock'])('without a trace what a napping handler of %s tries', (name) => {
    const { why, wants } = untoldOn(cause, `signal-handler-deadlock/${name}`, AFTER_TWO_PHASES);
    expect(why).toContain('sleeps and wakes again and again');
    expect(wants).toEqual(['strace', 'host-locks']);
  });

  it('without Python stacks, and wants those of gdb', () => {
    const { wants } = untoldOn(cause, 'signal-handler-deadlock/thread-lock', ['py-stacks']);
    expect(wants).toEqual(['py-bt']);
  });

  it('who holds the lock without /proc/locks, but infers it from the stack', () => {
    const without = ['locks', 'host-locks'];
    const finding = firingOn(cause, 'signal-handler-deadlock/rotating-holder', without);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Not seen directly: who holds the lock could not be seen');
  });
});

describe('fires on a handler that waits for what only other code could bring', () => {
  it.each([
    ['signal-handler-deadlock/event', 'an event that somebody sets', /`Worker\.on_term`/],
    ['signal-handler-deadlock/full-queue', 'room in a full queue', /`Worker\.on_term`/],
  ])('%s', (name, words, handler) => {
    const finding = firingOn(cause, name);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.7);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toContain(`waits for ${words}`);
    expect(finding.title).toMatch(handler);
    expect(finding.summary).toContain('Not seen directly: ');
    expect(finding.fixes[0]?.title).toContain('only set a flag');
  });
});

describe('is clear', () => {
  it('when another process holds the lock', () => {
    expect(clearOn(cause, 'file-lock-wait/rotating-sibling')).toMatch(/, but process \d+ holds it$/);
    expect(clearOn(cause, 'file-lock-wait/rotating-sibling', ['host-locks'])).toContain(
      'this process does not hold it',
    );
  });

  it('when a handler waits for children', () => {
    expect(clearOn(cause, 'healthy/stopping_in_handler', AFTER_TWO_PHASES)).toContain('waits in wait4, not for a lock');
  });

  it('when a handler sleeps and wakes and tries no lock', () => {
    expect(clearOn(cause, 'signal-storm/rotating-master')).toContain('tried to get no lock');
  });

  it.each([...lookNames('healthy'), 'file-lock-wait/second-service', 'signal-storm/resumed-reader'])(
    'on %s',
    (name) => {
      expectHealthyOn(cause, name);
    },
  );
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, [
    'signal-handler-deadlock/blocking-flock',
    'signal-handler-deadlock/queue-mutex',
    'signal-handler-deadlock/dot-lock',
  ]);
});
