"""Reading another process's memory while it runs: never attaching to it, never stopping it.

Reads go through /proc/PID/mem, opened once: that descriptor stays with the address space it was opened on, so after
an exec it answers nothing instead of the new program's bytes (proc(5), kernel fs/proc/base.c). Many scattered pieces
are read in one call of process_vm_readv(2) where ctypes and the kernel allow it.

Runs on the diagnosed host under any Python from 3.6 on; standard library only.
"""
import array
import errno
import os
import re
import struct

PIECES_PER_CALL = 1024  # IOV_MAX
LARGEST_READ = 16 << 20

MAPS_LINE = re.compile(rb'^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) (\S+) (\d+) *(.*)$')


class Unreadable(Exception):
    """There is nothing to show. `reason` is one of the probe's reasons, `sentence` is for a person."""

    def __init__(self, reason, sentence):
        Exception.__init__(self, sentence)
        self.reason = reason
        self.sentence = sentence


class Torn(Exception):
    """What was read does not hold together: it changed while it was read, or is no such thing. Worth another try."""


class Mapping(object):
    """One line of /proc/PID/maps."""

    __slots__ = ('start', 'end', 'flags', 'offset', 'device', 'inode', 'path')

    def __init__(self, match):
        self.start = int(match.group(1), 16)
        self.end = int(match.group(2), 16)
        self.flags = match.group(3).decode('ascii', 'replace')
        self.offset = int(match.group(4), 16)
        self.device = match.group(5)
        self.inode = int(match.group(6))
        self.path = match.group(7)


def start_time(pid):
    """Field 22 of /proc/PID/stat as text, and the state letter; (None, None) when there is no such process."""
    try:
        with open('/proc/%d/stat' % pid, 'rb') as stat:
            fields = stat.read().rpartition(b')')[2].split()
        return fields[19].decode('ascii'), fields[0].decode('ascii')
    except (OSError, IndexError):
        return None, None


def ptrace_advice():
    """What to do about a refused read: names the setting of kernel/yama that decides it."""
    try:
        with open('/proc/sys/kernel/yama/ptrace_scope') as scope:
            value = scope.read().strip()
    except OSError:
        value = None
    advice = "look as root (sudo), or as the process's own user with CAP_SYS_PTRACE"
    if value == '3':
        return 'kernel.yama.ptrace_scope is 3, which forbids it to everybody until the next boot'
    if value in ('1', '2'):
        return '%s; kernel.yama.ptrace_scope is %s' % (advice, value)
    return advice


class Memory(object):
    """The memory of process `pid` that started at `started` (clock ticks after boot, as text).

    Raises Unreadable when the process is gone, is another one, or may not be read.
    """

    def __init__(self, pid, started):
        self.pid = pid
        self.started = started
        self.reads = 0
        self._check_identity()
        try:
            self._fd = os.open('/proc/%d/mem' % pid, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESRCH):
                raise Unreadable('target-gone', 'Process %d ended before it could be read.' % pid)
            raise Unreadable('no-permission', 'Reading the memory of process %d is not permitted (%s): %s.'
                             % (pid, os.strerror(error.errno), ptrace_advice()))
        self._check_identity()
        self._vector = vector_reader(pid)

    def _check_identity(self):
        started, state = start_time(self.pid)
        if started is None:
            raise Unreadable('target-gone', 'There is no process %d any more.' % self.pid)
        if started != self.started:
            raise Unreadable('target-gone', 'Process %d is another one now: it started at %s, not at %s.'
                             % (self.pid, started, self.started))
        if state in ('Z', 'X'):
            raise Unreadable('target-gone', 'Process %d has ended (state %s).' % (self.pid, state))

    def is_kernel_thread(self):
        """Whether flag PF_KTHREAD (0x00200000, include/linux/sched.h) is set in field 9 of /proc/PID/stat."""
        try:
            with open('/proc/%d/stat' % self.pid, 'rb') as stat:
                return bool(int(stat.read().rpartition(b')')[2].split()[6]) & 0x00200000)
        except (OSError, IndexError, ValueError):
            return False

    def gone(self):
        """The Unreadable that says why the address space that was opened is no more."""
        try:
            self._check_identity()
        except Unreadable as why:
            return why
        return Unreadable('target-gone', 'Process %d replaced its program (exec) while it was read.' % self.pid)

    def check_alive(self, address):
        """Raises Unreadable unless the address space still answers at `address`, a place known to be mapped."""
        self.read(address, 8)

    def read(self, address, size):
        """`size` bytes at `address`. Raises Torn when they are not mapped, Unreadable when the process is gone."""
        if not 0 < address < 1 << 63 or not 0 < size <= LARGEST_READ:
            raise Torn('no such address')
        self.reads += 1
        try:
            data = os.pread(self._fd, size, address)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EFAULT):
                raise Torn('not mapped')
            raise Unreadable('no-permission', 'Reading the memory of process %d failed: %s.'
                             % (self.pid, os.strerror(error.errno)))
        if len(data) != size:
            if not data:
                raise self.gone()
            raise Torn('not mapped to the end')
        return data

    def word(self, address):
        """The pointer-sized number at `address`."""
        return struct.unpack('<Q', self.read(address, 8))[0]

    def int32(self, address):
        """The signed 32-bit number at `address`."""
        return struct.unpack('<i', self.read(address, 4))[0]

    def text(self, address, limit=256):
        """The zero-terminated bytes at `address`, at most `limit` of them, without crossing into an unmapped page."""
        data = b''
        while len(data) < limit:
            here = address + len(data)
            piece = self.read(here, min(limit - len(data), 4096 - here % 4096))
            end = piece.find(b'\0')
            if end >= 0:
                return data + piece[:end]
            data += piece
        raise Torn('no end of text')

    def read_all(self, pieces):
        """The bytes of each (address, size) of `pieces`, None for one that is not mapped, in as few calls as can be."""
        if self._vector is None:
            return [self._try(address, size) for address, size in pieces]
        found = []
        for first in range(0, len(pieces), PIECES_PER_CALL):
            some = pieces[first:first + PIECES_PER_CALL]
            self.reads += 1
            data = self._vector(some)
            if data is None:
                if self._vector.refused():
                    self._vector = None
                    return found + [self._try(address, size) for address, size in pieces[first:]]
                found.extend(self._try(address, size) for address, size in some)
                continue
            at = 0
            for _, size in some:
                found.append(data[at:at + size])
                at += size
        return found

    def _try(self, address, size):
        try:
            return self.read(address, size)
        except Torn:
            return None

    def maps(self):
        """The mappings, in order of address. Raises Unreadable."""
        try:
            with open('/proc/%d/maps' % self.pid, 'rb') as maps:
                lines = maps.read().split(b'\n')
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESRCH):
                raise self.gone()
            raise Unreadable('no-permission', 'Reading the memory map of process %d is not permitted: %s.'
                             % (self.pid, ptrace_advice()))
        matches = (MAPS_LINE.match(line) for line in lines)
        return [Mapping(match) for match in matches if match]

    def page_flags(self, address, count):
        """The words of /proc/PID/pagemap for `count` pages of 4 KiB from `address` on; None where it cannot be read."""
        if os.sysconf('SC_PAGE_SIZE') != 4096:
            return None
        try:
            with open('/proc/%d/pagemap' % self.pid, 'rb', 0) as pages:
                pages.seek(address // 4096 * 8)
                words = array.array('Q')
                words.frombytes(pages.read(8 * count))
        except (OSError, ValueError):
            return None
        return words if len(words) == count else None

    def thread_ids(self):
        """The thread ids in /proc/PID/task; empty when the process is gone."""
        try:
            return [int(name) for name in os.listdir('/proc/%d/task' % self.pid)]
        except OSError:
            return []


def vector_reader(pid):
    """A function that reads many pieces in one process_vm_readv(2), or None where that cannot be.

    It returns None instead of bytes when not all could be read.
    """
    try:
        import ctypes
        call = ctypes.CDLL(None, use_errno=True).process_vm_readv
    except (ImportError, OSError, AttributeError):
        return None
    call.restype = ctypes.c_ssize_t
    call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    buffers = {'size': 0, 'buffer': None, 'errno': 0}

    def read(pieces):
        total = 0
        flat = []
        for address, size in pieces:
            if not 0 < address < 1 << 63 or size <= 0:
                return None
            flat.append(address)
            flat.append(size)
            total += size
        if total > LARGEST_READ:
            return None
        if buffers['size'] < total:
            buffers['size'] = max(total, 1 << 16)
            buffers['buffer'] = ctypes.create_string_buffer(buffers['size'])
        local = struct.pack('QQ', ctypes.addressof(buffers['buffer']), total)
        remote = struct.pack('%dQ' % len(flat), *flat)
        if call(pid, local, 1, remote, len(pieces), 0) != total:
            buffers['errno'] = ctypes.get_errno()
            return None
        return ctypes.string_at(buffers['buffer'], total)

    # A kernel or a seccomp filter without the call refuses it each time; then pieces are read one by one.
    read.refused = lambda: buffers['errno'] in (errno.EPERM, errno.ENOSYS)
    return read
