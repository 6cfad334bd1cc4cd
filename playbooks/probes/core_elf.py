"""Reads the headers and notes of an ELF core file, and build ids; of the memory in it only the pages that are asked for.

Layouts: core(5), elf(5), include/uapi/linux/elfcore.h, fs/binfmt_elf.c. 64-bit little-endian, x86-64 and aarch64.
Runs on the diagnosed host under any Python from 3.6 on; standard library only.
"""
import os
import struct

from regular_files import open_regular

ET_CORE = 4
PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_GNU_BUILD_ID = 1, 3, 6, 3
NT_FILE, NT_SIGINFO = 0x46494c45, 0x53494749
AT_ENTRY, AT_EXECFN = 9, 31
# Offset in elf_prstatus of the program counter: registers begin at 112 (x86-64 user_regs_struct, aarch64 user_pt_regs).
PROGRAM_COUNTER = {62: 112 + 16 * 8, 183: 112 + 32 * 8}
NOTES_MOST = 8 << 20
ARGUMENTS_MOST = 4 << 20
# Signals whose siginfo has an address: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV.
WITH_ADDRESS = (4, 5, 7, 8, 11)


LARGEST_OFFSET = 1 << 62


class NoCore(Exception):
    """It is no core file that can be read; the message says why."""


class Mapped(object):
    """A file that was mapped: `start`, `end`, `offset` in the file in bytes, `path` as bytes."""

    __slots__ = ('start', 'end', 'offset', 'path')

    def __init__(self, start, end, offset, path):
        self.start, self.end, self.offset, self.path = start, end, offset, path


class Thread(object):
    """`tid` as the process itself knew it, `pc` the address that it executed, None where it cannot be told."""

    __slots__ = ('tid', 'pc')

    def __init__(self, tid, pc):
        self.tid, self.pc = tid, pc


class Core(object):
    """A core file. The thread that died comes first in `threads`. Raises NoCore or OSError."""

    def __init__(self, fd):
        self.fd = fd
        self.signal = self.code = self.address = self.sender = None
        self.pid = self.parent = self.group = None
        self.name = self.command = b''
        self.entry = self.execfn = None
        self.threads, self.files, self.segments = [], [], []
        head = os.pread(fd, 64, 0)
        if not head:
            raise NoCore('it was cut before its notes were whole')
        if len(head) < 64 or head[:4] != b'\x7fELF':
            raise NoCore('no ELF file')
        kind, self.machine = struct.unpack_from('<HH', head, 16)
        if head[4:6] != b'\x02\x01' or self.machine not in PROGRAM_COUNTER:
            raise NoCore('of a kind of machine that is not read here')
        if kind != ET_CORE:
            raise NoCore('no core')
        offset, = struct.unpack_from('<Q', head, 32)
        size, count = struct.unpack_from('<HH', head, 54)
        if size != 56 or count == 0xffff:
            raise NoCore('more segments than are read here')
        table = piece(fd, size * count, offset)
        notes = []
        for at in range(0, len(table) - 55, 56):
            kind, flags, start, address, _, filed, length, _ = struct.unpack_from('<IIQQQQQQ', table, at)
            if kind == PT_LOAD:
                self.segments.append((address, address + length, start, filed, flags))
            elif kind == PT_NOTE:
                wanted = min(filed, NOTES_MOST - sum(map(len, notes)))
                notes.append(piece(fd, wanted, start))
                if len(notes[-1]) < wanted:
                    raise NoCore('it was cut before its notes were whole')
        for data in notes:
            for name, kind, text in notes_in(data):
                self._take(name, kind, text)
        if not self.threads:
            raise NoCore('it was cut before its notes were whole')

    def _take(self, name, kind, text):
        if name not in (b'CORE', b'LINUX'):
            return
        try:
            if kind == NT_PRSTATUS:
                self._take_thread(text)
            elif kind == NT_PRPSINFO:
                self.pid, self.parent, self.group = struct.unpack_from('<iii', text, 24)
                self.name, self.command = text[40:56].split(b'\0')[0], text[56:136].split(b'\0')[0].strip()
            elif kind == NT_SIGINFO and self.code is None:
                self._take_signal(text)
            elif kind == NT_FILE:
                self._take_files(text)
            elif kind == NT_AUXV:
                for at in range(0, len(text) - 15, 16):
                    key, value = struct.unpack_from('<QQ', text, at)
                    if key == AT_ENTRY:
                        self.entry = value
                    elif key == AT_EXECFN:
                        self.execfn = value
        except struct.error:
            pass

    def _take_thread(self, text):
        number, = struct.unpack_from('<i', text, 0)
        current, = struct.unpack_from('<h', text, 12)
        tid, = struct.unpack_from('<i', text, 32)
        if not self.threads:
            self.signal = current or number or None
        pc, = struct.unpack_from('<Q', text, PROGRAM_COUNTER[self.machine])
        self.threads.append(Thread(tid, pc))

    def _take_signal(self, text):
        number, _, self.code = struct.unpack_from('<iii', text, 0)
        self.signal = self.signal or number or None
        if self.code > 0 and number in WITH_ADDRESS:
            self.address, = struct.unpack_from('<Q', text, 16)
        elif self.code <= 0:
            self.sender, = struct.unpack_from('<i', text, 16)

    def _take_files(self, text):
        count, page = struct.unpack_from('<QQ', text, 0)
        if count > len(text) // 24:
            return
        names = text[16 + count * 24:].split(b'\0')
        for index, name in zip(range(count), names):
            start, end, offset = struct.unpack_from('<QQQ', text, 16 + index * 24)
            self.files.append(Mapped(start, end, offset * page, name))

    def file_at(self, address):
        """The Mapped that holds an address, or None."""
        return next((each for each in self.files if address is not None and each.start <= address < each.end), None)

    def executable(self):
        """Path of the program's file as bytes, or None: the file that holds its entry point."""
        found = self.file_at(self.entry)
        return found.path if found else None

    def first_of(self, path):
        """The mapping of a file's beginning, or None."""
        return next((each for each in self.files if each.path == path and each.offset == 0), None)

    def place(self, address):
        """(path, offset of the address from where the file begins in memory), or None outside of files."""
        found = self.file_at(address)
        first = found and self.first_of(found.path)
        return (found.path, address - first.start) if first else None

    def read(self, address, size):
        """Bytes that the core holds of the memory; fewer where it holds no more."""
        for start, end, offset, filed, _ in self.segments:
            if start <= address < end:
                return piece(self.fd, max(0, min(size, start + filed - address)), offset + address - start)
        return b''

    def ran_as(self, command):
        """Whether the process was started with these arguments: bytes as in /proc/PID/cmdline (proc_pid_cmdline(5)).

        The kernel puts them and the environment on the stack right below the name of the program (fs/exec.c).
        """
        for start, end, offset, filed, _ in self.segments:
            if command and self.execfn is not None and start <= self.execfn < end:
                begin = max(start, self.execfn - ARGUMENTS_MOST)
                return command in piece(self.fd, self.execfn - begin, offset + begin - start)
        return False

    def build_id(self, path):
        """Build id of a file as it was mapped, in hex; None where the core does not hold its first page."""
        first = self.first_of(path)
        return build_id_in(self.read(first.start, 4096)) if first else None


def piece(fd, size, offset):
    """At most `size` bytes of a file; none where it cannot have any: the offset may come out of the file itself."""
    return os.pread(fd, size, offset) if 0 <= offset <= LARGEST_OFFSET else b''


def notes_in(data):
    """(name, type, content) of each note (elf(5))."""
    at = 0
    while at + 12 <= len(data):
        name, size, kind = struct.unpack_from('<III', data, at)
        text = at + 12 + (name + 3) // 4 * 4
        if name > 64 or text + size > len(data):
            return
        yield data[at + 12:at + 12 + name].rstrip(b'\0'), kind, data[text:text + size]
        at = text + (size + 3) // 4 * 4


def build_id_in(page):
    """Build id in the first page of an ELF file, in hex, or None."""
    if len(page) < 64 or page[:6] != b'\x7fELF\x02\x01':
        return None
    offset, = struct.unpack_from('<Q', page, 32)
    size, count = struct.unpack_from('<HH', page, 54)
    for index in range(min(count, 64)):
        try:
            kind, _, start, _, _, length = struct.unpack_from('<IIQQQQ', page, offset + index * size)
        except (struct.error, OverflowError):
            return None
        if kind == PT_NOTE:
            for name, note, text in notes_in(page[start:start + length]):
                if name == b'GNU' and note == NT_GNU_BUILD_ID:
                    return ''.join('%02x' % byte for byte in bytearray(text))
    return None


def build_id_of(path):
    """Build id of a regular file on disk, in hex, or None. Never waits for a pipe."""
    try:
        fd = open_regular(path)
    except (OSError, ValueError):
        return None
    try:
        return build_id_in(os.pread(fd, 4096, 0))
    except OSError:
        return None
    finally:
        os.close(fd)
