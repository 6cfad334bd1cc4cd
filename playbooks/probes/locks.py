"""Who holds and who waits for locks on the files that a process has open, and who else has those files open.

Usage: locks.py PID START_TIME [all]. With `all` it lists every lock of the host, with the files of those who hold them.
Python 3.6 or later, standard library only; it reads /proc and nothing else.
Untrusted names go through shown(), one fact per line; see locks.parse.ts.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lock_files import lock_files
from open_files import holders_fds, numbers_in, openers, shareable, target_fds
from proc_files import comm_of, fields, print_utf8, quoted, shown, slurp

MOST_SHARERS = 32
MOST_SHARED = 64
MOST_LOCKS = 500
# Number of fcntl on this machine, and F_OFD_SETLKW of fcntl(2).
FCNTL = b'72' if os.uname().machine == 'x86_64' else b'25'
OFD_WAIT = 38


class Lock:
    """One line of /proc/locks."""

    def __init__(self, waiting, words):
        self.waiting = waiting
        self.kind, self.mode, self.pid, self.key = words[0], words[2], int(words[3]), words[4]
        self.start, self.end = words[5], words[6]


def lock_of(text):
    """`12: -> POSIX  ADVISORY  WRITE 17 fe:00:77 0 EOF` as a Lock, or None."""
    words = text.decode('ascii', 'replace').split()[1:]
    waiting = words[:1] == ['->']
    words = words[1:] if waiting else words
    known = len(words) >= 7 and words[0] in ('FLOCK', 'POSIX', 'OFDLCK', 'LEASE') and words[2] in ('READ', 'WRITE')
    return Lock(waiting, words) if known and words[3].lstrip('-').isdigit() else None


def waits_in_ofd_lock(pid, key, fds):
    """Whether a thread of the process waits in fcntl(F_OFD_SETLKW) on this file: such waiters have no pid in /proc/locks."""
    numbers = {fd.number for fd in fds if fd.pid == pid and fd.key == key}
    for tid in (numbers_in('/proc/%d/task' % pid) or [])[:512]:
        words = (slurp('/proc/%d/task/%d/syscall' % (pid, tid)) or b'').split()
        if len(words) > 2 and words[0] == FCNTL and int(words[2], 16) == OFD_WAIT and int(words[1], 16) in numbers:
            return True
    return False


def owners(lock, fds):
    """The processes behind a lock. The pid in /proc/locks took it; a flock or open-file-description lock may since have
    gone on to whoever inherited the descriptor, and the latter kind shows no pid at all."""
    lives = lock.pid > 0 and os.path.isdir('/proc/%d' % lock.pid)
    if lives and (lock.waiting or lock.kind in ('POSIX', 'LEASE')):
        return [lock.pid]
    having = sorted({fd.pid for fd in fds if fd.key == lock.key})
    if lock.waiting:
        found = [pid for pid in having if lock.kind == 'OFDLCK' and waits_in_ofd_lock(pid, lock.key, fds)]
    else:
        words = (lock.kind, lock.mode, lock.key, lock.start, lock.end)
        found = []
        for pid in having:
            held = [lock_of(text) for fd in fds if fd.pid == pid and fd.key == lock.key for text in fd.locks]
            if any(one and (one.kind, one.mode, one.key, one.start, one.end) == words for one in held):
                found.append(pid)
    return [lock.pid] if lock.pid in found or not found else found


class People:
    """Name, state and command line of processes, read once each."""

    def __init__(self):
        self.known = {}

    def about(self, pid):
        if pid not in self.known:
            stat = slurp('/proc/%d/stat' % pid) if pid > 0 else None
            if stat:
                comm, state = comm_of(stat), fields(stat)[0].decode('ascii', 'replace')
                command = (slurp('/proc/%d/cmdline' % pid, 4096) or b'')[:500].rstrip(b'\0').replace(b'\0', b' ')
                self.known[pid] = (quoted(comm), state, shown(command or b'[' + comm + b']'))
            else:
                self.known[pid] = ('?', '?', '?')
        return self.known[pid]


def main():
    pid, start = int(sys.argv[1]), sys.argv[2].encode()
    print('locks 1')
    stat = slurp('/proc/%d/stat' % pid)
    if not stat:
        print('gone: there is no process %d' % pid)
        return
    if fields(stat)[19] != start:
        print('gone: process %d is another one by now' % pid)
        return
    mine = target_fds(pid)
    keys = {fd.key for fd in mine if fd.key}
    text = slurp('/proc/locks', 16 << 20)
    if text is None:
        print('not readable: /proc/locks')
    everything = sys.argv[3:4] == ['all']
    locks = [lock for lock in map(lock_of, (text or b'').split(b'\n')) if lock]
    if not everything:
        locks = [lock for lock in locks if lock.key in keys or lock.pid == pid]
    if len(locks) > MOST_LOCKS:
        print('not readable: %d of %d locks' % (len(locks) - MOST_LOCKS, len(locks)))
    locks = locks[:MOST_LOCKS]
    locked = {lock.key for lock in locks}
    shared = [] if everything else [fd for fd in mine if shareable(fd)]
    found = list(lock_files(pid, [fd.path for fd in mine]))
    wanted = [fd.path for fd in mine if fd in shared or fd.key in locked]
    others = openers(pid, wanted + [path for path, near, _ in found if near])
    if everything:
        others += holders_fds([lock for lock in locks if lock.key not in keys])
    people = People()
    for lock in locks:
        path = next((fd.path for fd in mine + others if fd.key == lock.key), None)
        numbers = ' '.join(str(fd.number) for fd in mine if fd.key == lock.key)
        for owner in owners(lock, mine + others):
            comm, state, command = people.about(owner)
            print(
                'lock: %s %s %s %d, on %s bytes %s to %s, target fds %s, state %s, %s, file %s, command %s'
                % (
                    lock.kind, lock.mode, 'wanted by' if lock.waiting else 'held by', owner, lock.key, lock.start, lock.end,
                    numbers or 'none', state, comm, quoted(path) if path else '?', command,
                )
            )
    paths = []
    for fd in shared:
        if fd.path in paths:
            continue
        sharers = sorted({other.pid for other in others if other.key == fd.key if fd.key or other.path == fd.path})
        if not sharers:
            continue
        paths.append(fd.path)
        if len(paths) > MOST_SHARED:
            print('not readable: files shared with other processes beyond the first %d' % MOST_SHARED)
            break
        more = '' if len(sharers) <= MOST_SHARERS else ', and %d more' % (len(sharers) - MOST_SHARERS)
        print('shared: %s is open in %s%s' % (
            quoted(fd.path), ', '.join('%d %s' % (other, people.about(other)[0]) for other in sharers[:MOST_SHARERS]), more,
        ))
    for line in file_lines(pid, found, others, people):
        print(line)
    print('end')


def file_lines(pid, found, others, people):
    """Lines about files that serve as locks by being there: whose pid is written in them, and who has them open."""
    for path, near, owner in found:
        where = 'near' if near else 'far'
        users = sorted({other.pid for other in others if other.path == path} - {owner, pid})
        for who, how in [(owner, 'names')] + [(user, 'is open in') for user in users[:4]]:
            if who is None:
                continue
            comm, state, command = people.about(who)
            yield 'lockfile: %s %s %d, %s, state %s, %s, command %s' % (quoted(path), how, who, where, state, comm, command)
        if owner is None and not users:
            yield 'lockfile: %s names nobody, %s' % (quoted(path), where)


if __name__ == '__main__':
    print_utf8()
    main()
    sys.stdout.flush()
