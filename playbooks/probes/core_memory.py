"""The memory of a process that has died, out of its core file, in the shape in which py_read_memory.py gives a live one's.

Pages that the kernel leaves out of cores because files hold them (core(5), coredump_filter) are read from those files, as
long as their build ids still are those of the files that were mapped.
"""
import errno
import os

from core_elf import build_id_of, piece
from py_read_memory import LARGEST_READ, Memory, Torn, Unreadable
from regular_files import open_regular


class CoreMapping(object):
    """One mapping of the process, as py_read_memory.Mapping has it. `inode`: that of the file now at its path, or 0."""

    __slots__ = ('start', 'end', 'flags', 'offset', 'device', 'inode', 'path')

    def __init__(self, start, end, flags, offset, inode, path):
        self.start, self.end, self.flags, self.offset = start, end, flags, offset
        self.device, self.inode, self.path = b'core', inode, path


class CoreMemory(Memory):
    """The memory in a core_elf.Core; `pid` is a live process that sees the same files (its root is used).

    `copies`: paths of files that were kept beside the core, for what has been replaced since.
    """

    def __init__(self, core, pid, copies=()):
        self.core = core
        self.pid = pid
        self.copies = copies
        self.reads = 0
        self._vector = None
        self._files = {}
        self._mappings = self._all_mappings()

    def _all_mappings(self):
        found = []
        for start, end, _, _, bits in self.core.segments:
            flags = ''.join(letter if bits & bit else '-' for letter, bit in (('r', 4), ('w', 2), ('x', 1))) + 'p'
            file = self.core.file_at(start)
            if file is None:
                found.append(CoreMapping(start, end, flags, 0, 0, b''))
            else:
                found.append(CoreMapping(start, end, flags, file.offset + start - file.start, self._inode(file.path), file.path))
        # The kernel keeps an empty segment of what it leaves out; gdb leaves out code that nobody wrote to altogether.
        known = set(mapping.start for mapping in found)
        for file in self.core.files:
            if file.start not in known and self.core.build_id(file.path) is not None:
                found.append(CoreMapping(file.start, file.end, 'r-xp', file.offset, self._inode(file.path), file.path))
        return sorted(found, key=lambda mapping: mapping.start)

    def _inode(self, path):
        """Inode of the file at the path, when it is the one that was mapped; else a number that no file has."""
        fd = self._file(path)
        return os.fstat(fd).st_ino if fd is not None else -1 - list(self._files).index(path)

    def _file(self, path):
        """A descriptor of the file that was mapped from a path, or None when another one is there now."""
        if path not in self._files:
            self._files[path] = None
            there = self.file_of(path)
            if there is not None:
                try:
                    self._files[path] = open_regular(there)
                except (OSError, ValueError):
                    pass
        return self._files[path]

    def file_of(self, path):
        """Where the file that was mapped from a path can be read now, by its build id, as bytes; None where it cannot."""
        # Most of what is mapped (locales, data) is never asked for, and has no build id to be compared.
        was = self.core.build_id(path)
        if was is None:
            return None
        first = self.core.first_of(path)
        ways = [b'/proc/%d/root' % self.pid + path, b'/proc/%d/map_files/%x-%x' % (self.pid, first.start, first.end),
                b'/proc/%d/exe' % self.pid]
        # gdb writes the paths into its cores as the host sees them.
        return next((way for way in ways + list(self.copies) + [path] if build_id_of(way) == was), None)

    def read(self, address, size):
        """`size` bytes at `address`. Raises Torn when neither the core nor a file has them."""
        if not 0 < address < 1 << 63 or not 0 < size <= LARGEST_READ:
            raise Torn('no such address')
        self.reads += 1
        data = self.core.read(address, size)
        while len(data) < size:
            more = self._further(address + len(data), size - len(data))
            if not more:
                raise Torn('not in the core')
            data += more
        return data

    def _further(self, address, size):
        data = self.core.read(address, size)
        if data:
            return data
        file = self.core.file_at(address)
        fd = self._file(file.path) if file is not None else None
        if fd is None:
            return b''
        return piece(fd, min(size, file.end - address), file.offset + address - file.start)

    def check_alive(self, address):
        """Nothing can happen to it any more."""

    def gone(self):
        return Unreadable('failed', os.strerror(errno.EIO))

    def is_kernel_thread(self):
        return False

    def maps(self):
        return self._mappings

    def thread_ids(self):
        """The threads' ids as the process itself knew them."""
        return [thread.tid for thread in self.core.threads]
