"""The files that processes have open, by the names that /proc/locks has for them. Python 3.6 or later, standard library only.

What cannot be read, and what lies beyond a bound, is printed as a line of its own.
"""
import os
import stat as modes
import time

from proc_files import point, slurp

MOST_FDS = 20000
MOST_SECONDS = 2.0
# Where stat() may wait for a server that does not answer.
REMOTE = (b'nfs', b'nfs4', b'cifs', b'smb3', b'ceph', b'9p', b'afs', b'lustre', b'glusterfs', b'fuse')


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
