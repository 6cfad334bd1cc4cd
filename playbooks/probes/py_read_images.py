"""The bytes of an ELF file: as it lies on disk, or as a process has it mapped."""
import os

from py_read_memory import Torn
from regular_files import open_regular

LARGEST_PIECE = 256 << 20
LARGEST_OFFSET = 1 << 62


class FileImage(object):
    """An ELF file on disk, read by virtual address or by file offset."""

    def __init__(self, path):
        self._fd = open_regular(path)
        self.segments = []

    def close(self):
        os.close(self._fd)

    def identity(self):
        status = os.fstat(self._fd)
        return status.st_ino, status.st_size

    def raw(self, offset, size):
        # Both come out of the file itself, which may say anything.
        if not 0 <= size <= LARGEST_PIECE or not 0 <= offset <= LARGEST_OFFSET:
            raise Torn('not in the file')
        data = os.pread(self._fd, size, offset)
        if len(data) != size:
            raise Torn('file ends early')
        return data

    def at(self, address, size):
        for offset, start, length in self.segments:
            if start <= address and address + size <= start + length:
                return self.raw(offset + address - start, size)
        raise Torn('not in the file')


class MemoryImage(object):
    """The same file as the process has it mapped; `base` is where its first bytes are. Sections are not there."""

    def __init__(self, memory, base):
        self._memory = memory
        self._base = base
        self.bias = 0
        self.segments = []

    def close(self):
        pass

    def raw(self, offset, size):
        return self._memory.read(self._base + offset, size)

    def at(self, address, size):
        return self._memory.read(self.bias + address, size)
