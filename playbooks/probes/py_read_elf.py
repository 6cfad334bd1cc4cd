"""Where a symbol of an ELF file lies in a running process: .gnu.hash, .hash, .symtab, and named sections.

Files are opened through /proc/PID/map_files (the very inode that is mapped, whatever happened to its path), else
through /proc/PID/exe or /proc/PID/root when device and inode are the mapped ones. Where no file can be opened the
dynamic symbols are read from the process's memory. Layouts: elf(5), gABI; GNU hash: glibc elf/dl-lookup.c.
"""
import os
import struct

from py_read_images import FileImage, MemoryImage
from py_read_memory import Torn, Unreadable

PT_LOAD, PT_DYNAMIC = 1, 2
DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH = 4, 5, 6, 0x6ffffef5
SHT_SYMTAB, SHT_DYNSYM = 2, 11
MACHINES = {62: 'x86-64', 183: 'aarch64'}
SYMBOL = struct.Struct('<IBBHQQ')
PAGE = os.sysconf('SC_PAGE_SIZE')


class Module(object):
    """One ELF file of the process: `name`, `mappings` (those of the file and the anonymous tail after them), `bias`."""

    def __init__(self, memory, path, mappings, following):
        self.path = path
        self.name = os.path.basename(path.decode('utf-8', 'surrogateescape').replace(' (deleted)', ''))
        self.mappings = mappings
        self.start = mappings[0].start
        self.end = max(mapping.end for mapping in mappings)
        self._memory = memory
        self._image = self._open()
        self._read_header()
        self._extend(following)

    def _open(self):
        """The file that is mapped, by whichever way the host permits; the mapped bytes themselves as the last one."""
        first = self.mappings[0]
        pid = self._memory.pid
        path = os.fsdecode(self.path)
        for way in ('/proc/%d/map_files/%x-%x' % (pid, first.start, first.end),
                    '/proc/%d/exe' % pid, '/proc/%d/root%s' % (pid, path)):
            try:
                image = FileImage(way)
            except (OSError, ValueError):
                continue
            if image.identity()[0] == first.inode:
                return image
            image.close()
        return MemoryImage(self._memory, first.start)

    def close(self):
        self._image.close()

    def _read_header(self):
        head = self._image.raw(0, 64)
        if head[:6] != b'\x7fELF\x02\x01':
            raise Torn('no 64-bit little-endian ELF file')
        self.machine = MACHINES.get(struct.unpack_from('<H', head, 18)[0])
        if self.machine is None:
            raise Torn('neither x86-64 nor aarch64')
        phoff, shoff = struct.unpack_from('<QQ', head, 32)
        phentsize, phnum, shentsize, shnum, shstrndx = struct.unpack_from('<HHHHH', head, 54)
        self._sections = (shoff, shentsize, shnum, shstrndx)
        if phentsize != 56 or phnum > 256:
            raise Torn('unusual program headers')
        table = self._image.raw(phoff, phentsize * phnum)
        self._dynamic = None
        loads = []
        for index in range(phnum):
            kind, _, offset, address, _, filesize, memsize, _ = struct.unpack_from('<IIQQQQQQ', table, index * 56)
            if kind == PT_LOAD:
                loads.append((offset, address, filesize, memsize))
            elif kind == PT_DYNAMIC:
                self._dynamic = (address, min(filesize, 1 << 14))
        self._image.segments = [load[:3] for load in loads]
        self._loads = loads
        self.bias = self._find_bias(loads)
        if isinstance(self._image, MemoryImage):
            self._image.bias = self.bias

    def _find_bias(self, loads):
        for mapping in self.mappings:
            for offset, address, _, _ in loads:
                if offset - offset % PAGE == mapping.offset:
                    return mapping.start - (address - address % PAGE)
        raise Torn('mapped in no usual way')

    def _extend(self, following):
        """Takes in the anonymous mapping that holds the end of .bss."""
        top = max([self.end] + [self.bias + address + memsize for _, address, _, memsize in self._loads])
        self.writable = [mapping for mapping in self.mappings if 'w' in mapping.flags]
        for mapping in following:
            if not mapping.inode and self.end <= mapping.start < top:
                self.writable.append(mapping)
        self.end = max(self.end, (top + PAGE - 1) // PAGE * PAGE)

    def __contains__(self, address):
        return self.start <= address < self.end

    def symbol(self, name):
        """The address in the process of a defined symbol, or None. Never raises Torn."""
        name = name.encode('ascii')
        for look in (self._by_dynamic, self._by_sections):
            try:
                value = look(name)
            except (Torn, struct.error):
                continue
            if value:
                return self.bias + value
        return None

    def exported(self, name):
        """The address in the process of a symbol that the file offers to others, or None; cheaper than `symbol`."""
        try:
            value = self._by_dynamic(name.encode('ascii'))
        except (Torn, struct.error):
            return None
        return self.bias + value if value else None

    def contents(self, most):
        """The first `most` bytes of the file where it can be opened, else of what is mapped of it. Raises Torn."""
        if isinstance(self._image, MemoryImage):
            first = self.mappings[0]
            return self._image.raw(0, min(first.end - first.start, most))
        return self._image.raw(0, min(self._image.identity()[1], most))

    def section(self, name):
        """The address in the process of the section of that name, or None."""
        if isinstance(self._image, MemoryImage):
            return None
        try:
            for section_name, header in self._section_headers():
                if section_name == name.encode('ascii') and header[3]:
                    return self.bias + header[3]
        except (Torn, struct.error):
            pass
        return None

    def _section_headers(self):
        offset, entry, count, names = self._sections
        if isinstance(self._image, MemoryImage) or entry != 64 or not 0 < count < 4096 or names >= count:
            return []
        table = self._image.raw(offset, entry * count)
        headers = [struct.unpack_from('<IIQQQQIIQQ', table, index * 64) for index in range(count)]
        strings = self._image.raw(headers[names][4], min(headers[names][5], 1 << 20))
        return [(strings[header[0]:strings.find(b'\0', header[0])], header) for header in headers]

    def _by_sections(self, name):
        headers = self._section_headers()
        for _, header in headers:
            if header[1] not in (SHT_SYMTAB, SHT_DYNSYM) or header[6] >= len(headers) or header[9] != SYMBOL.size:
                continue
            strings_header = headers[header[6]][1]
            if header[5] > 256 << 20 or strings_header[5] > 256 << 20:
                continue
            strings = self._image.raw(strings_header[4], strings_header[5])
            wanted = offsets_of(strings, name)
            if not wanted:
                continue
            symbols = self._image.raw(header[4], header[5])
            for at in wanted:
                value = find_symbol(symbols, at)
                if value:
                    return value
        return None

    def _dynamic_tags(self):
        if self._dynamic is None:
            return {}
        address, size = self._dynamic
        data = self._image.at(address, size)
        tags = {}
        for at in range(0, size - 15, 16):
            tag, value = struct.unpack_from('<QQ', data, at)
            if tag == 0:
                break
            # The dynamic linker of glibc rewrites these to addresses in the process; musl's does not.
            tags[tag] = value - self.bias if self.bias and value >= self.bias else value
        return tags

    def _by_dynamic(self, name):
        tags = self._dynamic_tags()
        if DT_SYMTAB not in tags or DT_STRTAB not in tags:
            return None
        if DT_GNU_HASH in tags:
            candidates = self._gnu_hash(tags[DT_GNU_HASH], name)
        elif DT_HASH in tags:
            candidates = self._old_hash(tags[DT_HASH], name)
        else:
            return None
        for index in candidates:
            entry = self._image.at(tags[DT_SYMTAB] + index * SYMBOL.size, SYMBOL.size)
            at, _, _, section, value, _ = SYMBOL.unpack(entry)
            if section and value and self._image.at(tags[DT_STRTAB] + at, len(name) + 1) == name + b'\0':
                return value
        return None

    def _gnu_hash(self, table, name):
        value = 5381
        for byte in bytearray(name):
            value = (value * 33 + byte) & 0xffffffff
        buckets, first, bloom, _ = struct.unpack('<IIII', self._image.at(table, 16))
        if not buckets:
            return
        chains = table + 16 + bloom * 8
        index, = struct.unpack('<I', self._image.at(chains + value % buckets * 4, 4))
        while index >= first:
            entry, = struct.unpack('<I', self._image.at(chains + (buckets + index - first) * 4, 4))
            if entry | 1 == value | 1:
                yield index
            if entry & 1:
                return
            index += 1

    def _old_hash(self, table, name):
        value = 0
        for byte in bytearray(name):
            value = (value << 4) + byte
            high = value & 0xf0000000
            value = (value ^ high >> 24) & ~high & 0xffffffff
        buckets, chains = struct.unpack('<II', self._image.at(table, 8))
        if not buckets:
            return
        index, = struct.unpack('<I', self._image.at(table + 8 + value % buckets * 4, 4))
        for _ in range(chains):
            if not index:
                return
            yield index
            index, = struct.unpack('<I', self._image.at(table + 8 + (buckets + index) * 4, 4))


def offsets_of(strings, name):
    """Where `name` stands in a string table, also as the end of a longer string."""
    found = []
    at = strings.find(name + b'\0')
    while at >= 0:
        found.append(at)
        at = strings.find(name + b'\0', at + 1)
    return found


def find_symbol(symbols, name_at):
    """The value of the defined symbol in a symbol table whose name stands at offset `name_at`, or None."""
    needle = struct.pack('<I', name_at)
    at = symbols.find(needle)
    while at >= 0:
        if at % SYMBOL.size == 0:
            _, _, _, section, value, _ = SYMBOL.unpack_from(symbols, at)
            if section and value:
                return value
        at = symbols.find(needle, at + 1)
    return None


def modules(memory):
    """The ELF files that the process has mapped executable, those that look like Python's first. Raises Unreadable."""
    maps = memory.maps()
    by_file = {}
    order = []
    for mapping in maps:
        if mapping.inode:
            key = (mapping.device, mapping.inode)
            if key not in by_file:
                by_file[key] = []
                order.append(key)
            by_file[key].append(mapping)
    if not maps:
        if memory.is_kernel_thread():
            raise Unreadable('not-applicable', 'Process %d is a kernel thread: it has no memory of its own.' % memory.pid)
        raise Unreadable('target-gone', 'Process %d has ended: it has given up its memory.' % memory.pid)
    files = [by_file[key] for key in order if any('x' in mapping.flags for mapping in by_file[key])]
    files.sort(key=lambda mappings: 0 if b'python' in os.path.basename(mappings[0].path) else 1)
    for mappings in files[:400]:
        mappings.sort(key=lambda mapping: mapping.start)
        try:
            module = Module(memory, mappings[0].path, mappings, maps)
        except (Torn, struct.error, OSError):
            continue
        yield module
