import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { locks } from '../../../playbooks/probes/locks.ts';
import { SampledThread } from '../../../playbooks/probes/sample.ts';
import { strace } from '../../../playbooks/probes/strace.ts';
import { blockedInLock, locksOn, pathKey, pursuits, sides } from '../../../playbooks/reading/locks.ts';
import { evidenceFrom, stepFor } from '../../support/run-probe.ts';

const trace = (...lines: string[]) => {
  const parsed = strace.parse(
    evidenceFrom('strace', `${lines.join('\n')}\n`),
    stepFor(strace, { pid: 70, startTime: '1' }),
  );
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.data;
};

const pursued = (...lines: string[]) =>
  pursuits(trace(...lines)).map(({ tid, kind, path, refused, waiting, taken }) => ({
    tid,
    kind,
    path,
    refused: refused.length,
    waiting: waiting.length,
    taken: taken.length,
  }));

describe('paths', () => {
  it('are the same however a tool escapes them', () => {
    expect(pathKey('/srv/k\\303\\251y\\n"1"')).toBe(pathKey('/srv/kéy\\n"1"'));
    expect(pathKey('/srv/k\\xc3\\xa9y')).toBe('/srv/kéy');
    expect(pathKey('/a\\\\b')).toBe('/a\\b');
    expect(pathKey('/srv/.lock (deleted)')).toBe('/srv/.lock');
    expect(pathKey('/srv/.lock(deleted)')).toBe('/srv/.lock');
    expect(pathKey('/a\\')).toBe('/a\\');
  });

  it('never throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof pathKey(text) === 'string'));
  });
});

describe('lock attempts in a trace', () => {
  it('are refused, taken or waiting, by thread and file', () => {
    expect(
      pursued(
        '70    1.0 flock(3</run/a.lock>, LOCK_EX|LOCK_NB) = -1 EAGAIN (Resource temporarily unavailable) <0.000005>',
        '70    1.1 flock(4</run/a.lock>, LOCK_EX|LOCK_NB) = -1 EAGAIN (Resource temporarily unavailable) <0.000005>',
        '71    1.2 flock(5</run/a.lock>, LOCK_EX) = 0 <0.000005>',
        '71    1.3 flock(5</run/a.lock>, LOCK_UN) = 0 <0.000005>',
        '70    1.4 flock(4</run/a.lock>, LOCK_EX) = ? ERESTARTSYS (To be restarted if SA_RESTART is set) <0.5>',
        '70    1.9 flock(4</run/a.lock>, LOCK_EX <unfinished ...>',
      ),
    ).toEqual([
      { tid: 70, kind: 'flock', path: '/run/a.lock', refused: 2, waiting: 2, taken: 0 },
      { tid: 71, kind: 'flock', path: '/run/a.lock', refused: 0, waiting: 0, taken: 1 },
    ]);
  });

  it('knows record locks, but not their release, their inquiry and other commands of fcntl', () => {
    const lock = 'l_whence=SEEK_SET, l_start=0, l_len=0}';
    expect(
      pursued(
        `70    1.0 fcntl(3</srv/db>, F_SETLK, {l_type=F_WRLCK, ${lock}) = -1 EAGAIN (Resource temporarily unavailable) <0.1>`,
        `70    1.1 fcntl(3</srv/db>, F_OFD_SETLKW, {l_type=F_RDLCK, ${lock}) = 0 <0.1>`,
        `70    1.2 fcntl(3</srv/db>, F_SETLK, {l_type=F_UNLCK, ${lock}) = 0 <0.1>`,
        `70    1.3 fcntl(3</srv/db>, F_GETLK, {l_type=F_WRLCK, ${lock}) = 0 <0.1>`,
        '70    1.4 fcntl(3</srv/db>, F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE) <0.1>',
      ),
    ).toEqual([
      // Asked for to read and to write, the same bytes are two locks.
      { tid: 70, kind: 'record', path: '/srv/db', refused: 1, waiting: 0, taken: 0 },
      { tid: 70, kind: 'record', path: '/srv/db', refused: 0, waiting: 0, taken: 1 },
    ]);
  });

  it('knows files, folders and links that must not exist yet, relative ones too', () => {
    const exists = '= -1 EEXIST (File exists) <0.000010>';
    expect(
      pursued(
        `70    1.0 openat(AT_FDCWD</srv/mail>, "box.lock", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) ${exists}`,
        `70    1.1 openat(AT_FDCWD</srv>, "/srv/mail/box.lock", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) ${exists}`,
        `70    1.2 mkdir("/srv/cache, old/in-use", 0777) ${exists}`,
        `70    1.3 link("/tmp/a.12", "/tmp/a") ${exists}`,
        '70    1.4 symlinkat("12", 4</tmp>, "b") = 0 <0.00001>',
        '70    1.5 openat(AT_FDCWD</srv>, "x", O_WRONLY|O_CREAT, 0600) = 5</srv/x> <0.00001>',
        '70    1.6 openat(AT_FDCWD</srv>, "y", O_RDONLY) = -1 ENOENT (No such file or directory) <0.00001>',
      ),
    ).toEqual([
      { tid: 70, kind: 'file', path: '/srv/mail/box.lock', refused: 2, waiting: 0, taken: 0 },
      { tid: 70, kind: 'file', path: '/srv/cache, old/in-use', refused: 1, waiting: 0, taken: 0 },
      { tid: 70, kind: 'file', path: '/tmp/a', refused: 1, waiting: 0, taken: 0 },
      { tid: 70, kind: 'file', path: '/tmp/b', refused: 0, waiting: 0, taken: 1 },
    ]);
  });

  it('has no path where strace printed none', () => {
    expect(pursued('70    1.0 flock(3, LOCK_EX|LOCK_NB) = -1 EAGAIN (Resource temporarily unavailable) <0.1>')).toEqual(
      [{ tid: 70, kind: 'flock', path: null, refused: 1, waiting: 0, taken: 0 }],
    );
  });
});

const thread = (name: string, args: string[], fd: string | null) =>
  SampledThread.parse({
    tid: 70,
    comm: 'x',
    samples: 10,
    states: { S: 10 },
    userSeconds: 0,
    systemSeconds: 0,
    voluntarySwitches: 0,
    involuntarySwitches: 0,
    syscalls: [{ name, count: 9, args, fd, at: 3 }],
    wchans: [],
    kernelStack: [],
    at: 2,
  });

describe('a sampled thread', () => {
  it('is blocked in a lock when its call waits for one', () => {
    expect(blockedInLock(thread('flock', ['0x4', '0x2'], '/run/a.lock'))).toEqual({
      tid: 70,
      kind: 'flock',
      path: '/run/a.lock',
      fd: 4,
      share: 0.9,
      at: 3,
    });
    expect(blockedInLock(thread('fcntl', ['0x4', '0x7'], '/srv/db'))?.kind).toBe('record');
    expect(blockedInLock(thread('fcntl', ['0x4', '0x26'], '/srv/db'))?.kind).toBe('record');
  });

  it('is not when it is in another call', () => {
    expect(blockedInLock(thread('fcntl', ['0x4', '0x3'], '/srv/db'))).toBeNull();
    expect(blockedInLock(thread('read', ['0x4'], '/srv/db'))).toBeNull();
  });
});

const table = (() => {
  const line = (kind: string, verb: string, pid: number, inode: string, fds: string, file: string) =>
    `lock: ${kind} WRITE ${verb} by ${pid}, on ${inode} bytes 0 to EOF, target fds ${fds}, state S, "x", file ${file}, command x`;
  const text = [
    'locks 1',
    line('FLOCK', 'held', 81, 'fe:00:1', 'none', '"/run/a.lock"'),
    line('FLOCK', 'wanted', 70, 'fe:00:1', '4', '"/run/a.lock"'),
    line('FLOCK', 'wanted', 82, 'fe:00:1', 'none', '?'),
    line('POSIX', 'held', 83, 'fe:00:1', 'none', '"/run/a.lock"'),
    line('FLOCK', 'held', 84, 'fe:00:2', '9', '?'),
    'end',
  ].join('\n');
  const parsed = locks.parse(evidenceFrom('locks', text), stepFor(locks, { pid: 70, startTime: '1' }));
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.data;
})();

describe('the table of locks', () => {
  it('gives all that is on one file, by kind', () => {
    const found = sides(locksOn(table, { kind: 'flock', path: '/run/a.lock', fd: null }));
    expect(found.holders.map((lock) => lock.pid)).toEqual([81]);
    expect(found.waiters.map((lock) => lock.pid)).toEqual([70, 82]);
    expect(locksOn(table, { kind: 'record', path: '/run/a.lock', fd: null }).map((lock) => lock.pid)).toEqual([83]);
    expect(locksOn(table, { kind: 'file', path: '/run/a.lock', fd: null })).toEqual([]);
  });

  it('goes by the descriptor where there is no path', () => {
    expect(locksOn(table, { kind: 'flock', path: null, fd: 9 }).map((lock) => lock.pid)).toEqual([84]);
    expect(locksOn(table, { kind: 'flock', path: null, fd: 5 })).toEqual([]);
    expect(locksOn(table, { kind: 'flock', path: null, fd: null })).toEqual([]);
  });
});
