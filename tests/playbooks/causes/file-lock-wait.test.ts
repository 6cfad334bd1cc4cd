import { describe, expect, it } from 'vitest';
import { fileLockWait } from '../../../playbooks/causes/file-lock-wait.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = fileLockWait;
const probes = await loadProbes();

describe('fires', () => {
  it('on a thread that is blocked in flock, without any trace', () => {
    const finding = firingOn(cause, 'file-lock-wait/blocking-flock', ['strace']);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toContain('A second look at the locks, after the window, shows the same holder');
    expect(finding.title).toMatch(
      /^Waits for the file lock `\/var\/lib\/svc\/.*`, which process \d+ \(`python3`\) holds$/,
    );
    expect(finding.summary).toContain('`only_one` (`/srv/svc/nightly_report.py:');
    expect(finding.summary).toMatch(/The kernel names its holder: .*process \d+ .*which is sleeping/);
    expect(quoted(finding)).toMatch(/in flock \d+ times[\s\S]*wanted by \d+[\s\S]*held by \d+/);
    expect(finding.fixes.map((fix) => fix.title)).toEqual([
      expect.stringMatching(/^Diagnose the holder: process \d+$/),
      'Do not delete the lock file while its holder lives',
      'Wait with a deadline, and say for whom',
    ]);
  });

  it('less surely after one look at the locks, and wants a second one but no trace', () => {
    const finding = firingOn(cause, 'file-lock-wait/blocking-flock', ['strace', 'host-locks']);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.8);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(sayOf(cause, 'file-lock-wait/blocking-flock', ['strace', 'host-locks'])).toMatchObject({
      wants: ['host-locks'],
    });
  });

  it('on a polled flock whose file is open only for the attempt: all locks of the host name the holder', () => {
    const finding = firingOn(cause, 'file-lock-wait/second-service');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toMatch(/It tried \d+ times in the trace, every 0\.0\d s, and was refused each time/);
    expect(quoted(finding)).toMatch(/LOCK_EX\|LOCK_NB\) += -1 EAGAIN[\s\S]*held by \d+/);
    expect(finding.related).toHaveLength(1);
  });

  it('without the holder when nothing could name it', () => {
    const finding = firingOn(cause, 'file-lock-wait/second-service', ['host-locks']);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Who holds it could not be seen');
    expect(finding).not.toHaveProperty('related');
    expect(sayOf(cause, 'file-lock-wait/second-service', ['host-locks'])).toMatchObject({ wants: ['host-locks'] });
  });

  it('inside a signal handler, when another process holds the lock', () => {
    const finding = firingOn(cause, 'file-lock-wait/rotating-sibling');
    expect(finding.summary).toContain('It does so inside the handler of SIGTERM, `Worker.on_term`');
    expect(finding.summary).toContain('a process with the same parent');
  });

  it('on a record lock that a thread polls', () => {
    const finding = firingOn(cause, 'file-lock-wait/record-lock');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('the record lock `');
    expect(finding.summary).toContain('(`saver`)');
    expect(quoted(finding)).toMatch(/F_SETLK.*EAGAIN/);
  });

  it('on a folder that serves as a lock, without a guess who made it', () => {
    const finding = firingOn(cause, 'file-lock-wait/folder-lock');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toMatch(/lock file `.*in-use` to go away$/);
    expect(finding.fixes[0]?.detail).toContain('Only when its maker is gone');
  });
});

describe('a wait for a child that wants the lock', () => {
  /** The process is in wait4 for a pid, hexadecimal; of a lock on one file it holds one and somebody wants one. */
  const waiting = (pid: string, wants: number, switches = 0) =>
    changedLook(
      changedLook(loadLook('healthy/child_waiter'), 'sample', (text) =>
        text
          .replace(/in read 138 times, last .*$/m, `in wait4 138 times, last wait4(${pid}, 0x7ffd, 0x0, 0x0, 0x0, 0x0)`)
          .replace('switches 0 voluntary', `switches ${switches} voluntary`),
      ),
      'locks',
      (text) => {
        const side = (word: string, who: number) =>
          `lock: FLOCK WRITE ${word} by ${who}, on fe:00:77 bytes 0 to EOF, target fds 3, state S, "python3", file "/run/svc/state.json", command python3 svc.py\n`;
        return text.replace(/^end/m, `${side('held', 22331)}${side('wanted', wants)}end`);
      },
    );

  it('is a ring of the two, whether it waits for this child or for any', () => {
    for (const pid of ['0x5741', '0xffffffff']) {
      const finding = firstFinding(verdictOn(cause, waiting(pid, 22337), probes));
      expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
      expect(finding.title).toBe(
        'Holds the file lock `/run/svc/state.json` and waits for the end of process 22337, which wants that lock',
      );
      expect(quoted(finding)).toMatch(/held by 22331[\s\S]*wanted by 22337[\s\S]*in wait4 138 times/);
    }
  });

  it('is none when it waits for another child, when a stranger wants the lock, or when its waits come back', () => {
    for (const look of [waiting('0x5742', 22337), waiting('0xffffffff', 999), waiting('0x5741', 22337, 4)])
      expect(verdictOn(cause, look, probes).verdict).toBe('clear');
  });
});

describe('whose a lock file is', () => {
  const with_ = async (line: string) => {
    const recorded = loadLook('file-lock-wait/folder-lock');
    const path = /mkdir\("([^"]+)"/.exec(
      Buffer.from(recorded.evidence.find((each) => each.probe === 'strace')?.stdout ?? []).toString(),
    )?.[1];
    const look = changedLook(recorded, 'locks', (text) =>
      text.replace(/^end$/m, line.replaceAll('PATH', path ?? '?').concat('\nend')),
    );
    return firstFinding(verdictOn(cause, look, await loadProbes()));
  };

  it('is told by the pid in it', async () => {
    const finding = await with_('lockfile: "PATH" names 812, near, state S, "python3", command python3 fill.py');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.8);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toContain('which is process 812’s');
    expect(finding.summary).toContain('Inferred: that the number in it is its maker’s pid');
    expect(finding.related).toEqual([{ pid: 812, why: expect.stringContaining('it made') }]);
  });

  it('is sure when that process has it open, too', async () => {
    const finding = await with_(
      'lockfile: "PATH" names 812, near, state S, "python3", command python3 fill.py\nlockfile: "PATH" is open in 812, near, state S, "python3", command python3 fill.py',
    );
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
  });

  it('is nobody’s when that process is gone', async () => {
    const finding = await with_('lockfile: "PATH" names 812, near, state ?, ?, command ?');
    expect(finding.title).toContain('which process 812 left behind');
    expect(finding.fixes[0]?.code).toMatch(/^ps -p 812 \|\| rm -r /);
    expect(finding).not.toHaveProperty('related');
  });
});

describe('cannot tell, but wants a trace', () => {
  it.each(['second-service', 'record-lock', 'folder-lock', 'rotating-sibling'])('of the naps of %s', (name) => {
    const untold = untoldOn(cause, `file-lock-wait/${name}`, ['strace', 'host-locks']);
    expect(untold.why).toContain('only in a trace');
    expect(untold.wants).toEqual(['strace', 'host-locks']);
  });
});

it('wants no trace of a program that only sleeps between its turns', () => {
  expect(sayOf(cause, 'healthy/idle_sleeper').verdict).toBe('clear');
});

describe('is clear', () => {
  it('of a lock that the process holds itself', () => {
    expect(clearOn(cause, 'signal-handler-deadlock/rotating-holder')).toContain('its signal handler waits for it');
    expect(clearOn(cause, 'signal-handler-deadlock/blocking-flock')).toContain('its signal handler waits for it');
    expect(clearOn(cause, 'signal-handler-deadlock/dot-lock')).toBeTruthy();
  });

  it.each(['flock_writers', 'polling_writers', 'record_writers'])('of locks in heavy use: %s', (name) => {
    clearOn(cause, `healthy/${name}`);
  });

  it('or gives no more than a hint, of a lock that went on to another holder meanwhile', () => {
    const finding = firingOn(cause, 'healthy/long_turns');
    expect(finding.confidence).toBeLessThan(0.5);
    expect(finding.summary).toContain('shows another holder: the lock is handed on');
  });

  it.each(lookNames('healthy'))('or wants to look closer, on %s', (name) => {
    const verdict = sayOf(cause, name);
    for (const finding of verdict.verdict === 'fires' ? verdict.findings : []) {
      expect(finding.confidence).toBeLessThan(0.5);
    }
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, ['file-lock-wait/blocking-flock', 'file-lock-wait/record-lock']);
});
