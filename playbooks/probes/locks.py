"""Who holds and who waits for locks on the files that a process has open, and who else has those files open.

Usage: locks.py PID START_TIME [all]. With `all` it lists every lock of the host, with the files of those who hold them.
Python 3.6 or later, standard library only; it reads /proc and nothing else.
Untrusted names go through shown(), one fact per line; see locks.parse.ts.
"""
import os
import stat as modes
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lock_files import lock_files
from proc_files import point, print_utf8, quoted, shown, slurp

MOST_FDS = 20000
MOST_SECONDS = 2.0
MOST_SHARERS = 32
MOST_SHARED = 64
MOST_LOCKS = 500
# Where stat() may wait for a server that does not answer.
REMOTE = (b'nfs', b'nfs4', b'cifs', b'smb3', b'ceph', b'9p', b'afs', b'lustre', b'glusterfs', b'fuse')
# Number of fcntl on this machine, and F_OFD_SETLKW of fcntl(2).
FCNTL = b'72' if os.uname().machine == 'x86_64' else b'25'
OFD_WAIT = 38


def numbers_in(folder):
    try:
        return sorted(int(name) for name in os.listdir(folder) if name.isdigit())
    except OSError:
        return None


def mounts(pid):
    """Mount id -> (device as `major:minor`, type of file system), as the process sees them."""
    found = {}
    for line in (slurp('/proc/%d/mountinfo' % pid) or b'').split(b'\n'):
        before, _, after = line.partition(b' - ')
        words, kinds = before.split(), after.split()
        if len(words) > 2 and kinds:
            found[words[0]] = (words[2], kinds[0])
    return found


class Fd:
    """One open descriptor: what it points to, how it was opened, and the file's name in /proc/locks."""

    def __init__(self, pid, number, path):
        self.pid = pid
        self.number = number
        self.path = path
        self.locks = []
        self.writable = False
        self.key = None
        self.remote = False

    def read(self, known):
        fields = {}
        for line in (slurp('/proc/%d/fdinfo/%d' % (self.pid, self.number)) or b'').split(b'\n'):
            name, _, value = line.partition(b':')
            if name == b'lock':
                # `1: FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF`: the same words as a line of /proc/locks.
                self.locks.append(value)
            else:
                fields[name] = value.strip()
        try:
            self.writable = int(fields.get(b'flags', b'0'), 8) & 3 != 0
        except ValueError:
            pass
        device, kind = known.get(fields.get(b'mnt_id'), (None, b''))
        self.remote = kind.split(b'.')[0] in REMOTE
        # Since Linux 5.14 fdinfo has the inode number by which /proc/locks calls the file. With the mount's device it is
        # exact, also on overlayfs and btrfs, where stat() shows another device; and it waits for no server.
        if b'ino' in fields and device is not None:
            major, _, minor = device.partition(b':')
            self.key = '%02x:%02x:%s' % (int(major), int(minor), fields[b'ino'].decode('ascii', 'replace'))
        elif not self.remote:
            seen = self.stat()
            if seen is not None:
                self.key = '%02x:%02x:%d' % (os.major(seen.st_dev), os.minor(seen.st_dev), seen.st_ino)
        return self

    def stat(self):
        try:
            return os.stat('/proc/%d/fd/%d' % (self.pid, self.number))
        except OSError:
            return None


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


def target_fds(pid):
    known = mounts(pid)
    numbers = numbers_in('/proc/%d/fd' % pid)
    if numbers is None:
        print('not readable: open files of process %d' % pid)
        return []
    if len(numbers) > MOST_FDS:
        print('not readable: %d of its %d descriptors' % (len(numbers) - MOST_FDS, len(numbers)))
    found = []
    for number in numbers[:MOST_FDS]:
        path = point('/proc/%d/fd/%d' % (pid, number))
        if path is not None and path.startswith(b'/'):
            found.append(Fd(pid, number, path).read(known))
    if any(fd.key is None for fd in found):
        print('not readable: which locks are on files of remote file systems (this kernel does not say)')
    return found


def shareable(fd):
    """Whether other openers of this file say something: a regular file that the target may write to."""
    if not fd.writable or fd.path.startswith((b'/dev/', b'/proc/', b'/sys/', b'/memfd:')):
        return False
    if fd.remote:
        return True
    seen = fd.stat()
    return seen is not None and modes.S_ISREG(seen.st_mode)


def openers(pid, wanted):
    """Descriptors of other processes on files of these names, as far as the bounds allow."""
    names = {path.rsplit(b'/', 1)[-1] for path in wanted}
    began, looked, refused = time.monotonic(), 0, 0
    found = []
    for other in numbers_in('/proc') or []:
        if other in (pid, os.getpid()):
            continue
        numbers = numbers_in('/proc/%d/fd' % other)
        if numbers is None:
            refused += os.path.isdir('/proc/%d' % other)
            continue
        known = None
        for number in numbers:
            looked += 1
            path = point('/proc/%d/fd/%d' % (other, number))
            if path is None or path.rsplit(b'/', 1)[-1] not in names or not path.startswith(b'/'):
                continue
            known = mounts(other) if known is None else known
            found.append(Fd(other, number, path).read(known))
        if looked > MOST_FDS or time.monotonic() - began > MOST_SECONDS:
            print('not readable: open files of processes after %d (the host has too many)' % other)
            break
    if refused:
        print('not readable: open files of %d other processes (permission)' % refused)
    return found


def holders_fds(locks):
    """Descriptors of the processes that have locks, as far as the bounds allow."""
    began, looked, refused = time.monotonic(), 0, 0
    found = []
    pids = sorted({lock.pid for lock in locks if lock.pid > 0 and not lock.waiting})
    for index, pid in enumerate(pids):
        numbers = numbers_in('/proc/%d/fd' % pid)
        if numbers is None:
            refused += os.path.isdir('/proc/%d' % pid)
            continue
        known = mounts(pid)
        for number in numbers:
            looked += 1
            path = point('/proc/%d/fd/%d' % (pid, number))
            if path is not None and path.startswith(b'/'):
                found.append(Fd(pid, number, path).read(known))
        if looked > MOST_FDS or time.monotonic() - began > MOST_SECONDS:
            if index + 1 < len(pids):
                print('not readable: open files of %d processes that hold locks (too many)' % (len(pids) - index - 1))
            break
    if refused:
        print('not readable: open files of %d processes that hold locks (permission)' % refused)
    return found


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
                comm = stat[stat.find(b'(') + 1 : stat.rfind(b')')]
                state = stat[stat.rfind(b')') + 2 :].split()[0].decode('ascii', 'replace')
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
    if stat[stat.rfind(b')') + 2 :].split()[19] != start:
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
