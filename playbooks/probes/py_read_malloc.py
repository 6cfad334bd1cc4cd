"""glibc malloc's books in another process's memory: the main arena, the ring of arenas, its parameters.

A libc without .symtab names none of them, so they are searched for in its writable data by what they must look like, and
believed only when everything about them holds together: 127 bins that lead to themselves or to chunks that lead back, a
top chunk that ends where its heap ends, a ring of arenas each at the beginning of a heap that names it, and heaps that add
up to the bytes the arena says it has. Layouts: glibc malloc/malloc.c (malloc_state, malloc_par), malloc/arena.c (heap_info).
"""
import re
import struct
from array import array

from py_read_elf import Module
from py_read_memory import Torn, Unreadable

HEAP_MAX = 64 << 20  # HEAP_MAX_SIZE where long has 64 bits, without huge pages by tunable
HEAPS_MOST = 20000
ARENAS_MOST = 4096
BINS = 127
LIBC = re.compile(rb'^libc(-2\.\d+)?\.so(\.6)?( \(deleted\))?$')
MUSL = re.compile(rb'^(ld-musl-|libc\.musl-)')
FAST_BINS = 10
FAST_MOST = 200000


class Layout(object):
    """Offsets in malloc_state. 2.27 added have_fastchunks in front of the fast bins, 2.23 attached_threads."""

    def __init__(self, versions, fast, has_attached):
        self.versions = versions
        self.fast = fast
        self.top = fast + 8 * FAST_BINS
        self.bins = self.top + 16
        self.next = self.bins + 16 * BINS + 16
        self.system = self.next + (24 if has_attached else 16)
        self.size = self.system + 16


LAYOUTS = (Layout('2.27 and later', 16, True), Layout('2.23 to 2.26', 8, True), Layout('2.10 to 2.22', 8, False))
# Where n_mmaps and sbrk_base are in malloc_par: 2.35 and later; 2.24 to 2.34; before, with max_total_mem between them.
PARAMETERS = ((60, 96), (40, 72), (40, 80))


class Arena(object):
    """One malloc_state: `heaps` are (start, end) of the memory that its chunks are in."""

    __slots__ = ('address', 'top', 'system', 'most', 'heaps', 'first')

    def __init__(self, address, top, system, most):
        self.address, self.top, self.system, self.most = address, top, system, most
        self.heaps = []
        self.first = 0


class Glibc(object):
    """malloc's books of a process; raises Unreadable when there are none that hold together."""

    def __init__(self, memory):
        self._memory = memory
        self._maps = memory.maps()
        module, self.name = self._module()
        self.path = module.path
        self.version = version_of(module)
        self._heap = brk_heap(self._maps)
        self.how = 'search'
        named = module.symbol('main_arena')
        layout = named and next((one for one in LAYOUTS if self._is_main(one, named)), None)
        if layout:
            self.layout, self.main, self.how = layout, named, 'symbol'
        else:
            self.layout, self.main = self._search(module)
        self.parameters = self._parameters(module)

    def _module(self):
        by_file = {}
        for mapping in self._maps:
            if mapping.inode:
                by_file.setdefault((mapping.device, mapping.inode), []).append(mapping)
        musl = None
        for mappings in by_file.values():
            name = mappings[0].path.rpartition(b'/')[2]
            if MUSL.match(name):
                musl = mappings
            if LIBC.match(name) and any('x' in mapping.flags for mapping in mappings):
                return self._open(mappings), 'libc'
        if musl:
            raise Unreadable('not-applicable', "Its libc is musl, whose malloc keeps no books that can be read.")
        # Linked statically: malloc is in the executable, which is mapped first.
        first = next((mapping for mapping in self._maps if mapping.inode), None)
        if first is None:
            raise self._memory.gone()
        return self._open(by_file[(first.device, first.inode)]), 'executable'

    def _open(self, mappings):
        mappings.sort(key=lambda mapping: mapping.start)
        try:
            return Module(self._memory, mappings[0].path, mappings, self._maps)
        except (Torn, struct.error, OSError) as error:
            raise Unreadable('not-applicable', 'The file of its libc cannot be read: %s.' % error)

    def executable(self):
        """The Module of the executable, or None where it cannot be read."""
        first = next((mapping for mapping in self._maps if mapping.inode), None)
        try:
            return first and self._open([one for one in self._maps if one.inode == first.inode
                                         and one.device == first.device])
        except Unreadable:
            return None

    def _writable(self, module):
        for mapping in module.writable:
            size = min(mapping.end - mapping.start, 8 << 20)
            try:
                data = self._memory.read(mapping.start, size)
            except Torn:
                continue
            words = array('Q')
            words.frombytes(data[:size // 8 * 8])
            yield mapping.start, words, data

    def _search(self, module):
        found = []
        for start, words, _ in self._writable(module):
            for layout in LAYOUTS:
                bins, last = layout.bins // 8, len(words) - layout.size // 8
                for at in range(0, last + 1):
                    if not words[at + bins] or not words[at + bins + 1]:
                        continue
                    address = start + at * 8
                    if bins_fit(words, at + bins, address + layout.bins - 16) and self._is_main(layout, address):
                        found.append((layout, address))
        if len(found) != 1:
            raise Unreadable('not-parsable', 'The main arena of malloc was not found in its %s: %d places look like it. '
                             'The allocator is another one, or of a version that is not known.' % (self.name, len(found)))
        return found[0]

    def _is_main(self, layout, address):
        """Whether a main arena of this layout is at `address`, as far as itself and its neighbours tell."""
        try:
            data = self._memory.read(address, layout.size)
            words = struct.unpack('<%dQ' % (layout.size // 8), data)
            first = address + layout.bins - 16
            if not bins_fit(words, layout.bins // 8, first):
                return False
            system, most = words[layout.system // 8:layout.system // 8 + 2]
            if system > most or most >= 1 << 46 or system % 16 or (system and not plausible(words[layout.top // 8])):
                return False
            return self._lead_back(words, layout, first) and len(self._ring(layout, address)) > 0
        except (Torn, struct.error):
            return False

    def _lead_back(self, words, layout, first):
        """Whether the chunks that bins lead to lead back to them. Bins that change meanwhile may disagree, not all."""
        agree = differ = 0
        for index in range(BINS):
            self_address = first + 16 * index
            ahead = words[layout.bins // 8 + 2 * index]
            if ahead != self_address and agree + differ < 24:
                back = struct.unpack('<Q', self._memory.read(ahead + 24, 8))[0]
                agree, differ = agree + (back == self_address), differ + (back != self_address)
        return differ <= agree

    def _ring(self, layout, main):
        addresses = [main]
        while True:
            following = self._memory.word(addresses[-1] + layout.next)
            if following == main:
                return addresses
            base = following & -HEAP_MAX
            if following - base not in (32, 48) or len(addresses) >= ARENAS_MOST:
                raise Torn('the ring of arenas leads astray')
            if self._memory.word(base) != following:
                raise Torn('a heap does not name its arena')
            addresses.append(following)

    def _parameters(self, module):
        """Address and variant of malloc_par, or None: its sbrk_base is where the heap begins, and its counts fit."""
        found = set()
        for start, words, data in self._writable(module):
            for mmaps, base in PARAMETERS:
                for at in range(0, len(words) - base // 8):
                    value = words[at + base // 8]
                    if self._heap is None or not self._heap[0] <= value < self._heap[0] + (1 << 20):
                        continue
                    if parameters_fit(data, at * 8, mmaps):
                        found.add((start + at * 8, mmaps, base))
        return found.pop() if len(found) == 1 else None

    def limits(self):
        """trim threshold, mmap threshold, most arenas, n_mmaps, mmapped_mem, max_mmapped_mem; None when not found."""
        if self.parameters is None:
            return None
        address, mmaps, base = self.parameters
        data = self._memory.read(address, base + 8)
        if not parameters_fit(data, 0, mmaps):
            return None
        trim, _, threshold, _, arenas = struct.unpack_from('<5Q', data)
        many, = struct.unpack_from('<i', data, mmaps)
        mapped, most = struct.unpack_from('<QQ', data, mmaps + (20 if mmaps == 60 else 16))
        return trim, threshold, arenas, many, mapped, most

    def arenas(self):
        """All arenas with their heaps as they are now. Raises Torn when they change all the time."""
        for attempt in range(5):
            self._maps = self._memory.maps()
            self._heap = brk_heap(self._maps)
            try:
                return [self._arena(address) for address in self._ring(self.layout, self.main)]
            except Torn:
                if attempt == 4:
                    raise

    def _arena(self, address):
        layout = self.layout
        top = self._memory.word(address + layout.top)
        system, most = struct.unpack('<QQ', self._memory.read(address + layout.system, 16))
        arena = Arena(address, top, system, most)
        if address == self.main:
            self._main_heap(arena)
        else:
            self._other_heaps(arena)
        return arena

    def _main_heap(self, arena):
        if self._heap is None or not self._heap[0] <= arena.top < self._heap[1]:
            return  # nothing was asked for yet, or brk(2) gave nothing and mmap(2) was used
        start = self._heap[0]
        if self.parameters:
            start = self._memory.word(self.parameters[0] + self.parameters[2])
        arena.heaps.append((-(-start // 16) * 16, self._heap[1]))

    def _other_heaps(self, arena):
        base = arena.top & -HEAP_MAX
        own = arena.address & -HEAP_MAX
        header = arena.address - own
        total = 0
        while True:
            owner, previous, size, _ = struct.unpack('<4Q', self._memory.read(base, 32))
            if owner != arena.address or not 0 < size <= HEAP_MAX or len(arena.heaps) > HEAPS_MOST:
                raise Torn('a heap is not of its arena')
            first = arena.address + self.layout.size if base == own else base + header
            arena.heaps.append((-(-first // 16) * 16, base + size))
            total += size
            if base == own:
                break
            base = previous
        if total != arena.system:
            raise Torn('the heaps do not add up to what their arena has')

    def fast(self, arena, deadline):
        """Bytes and number of chunks in the fast bins; as many as can be followed."""
        total = many = 0
        heads = struct.unpack('<%dQ' % FAST_BINS, self._memory.read(arena.address + self.layout.fast, 8 * FAST_BINS))
        hidden = self.version >= (2, 32)  # safe linking
        for chunk in heads:
            while chunk and plausible(chunk) and many < FAST_MOST:
                try:
                    size, ahead = struct.unpack('<QQ', self._memory.read(chunk + 8, 16))
                except Torn:
                    break
                if not 32 <= size & ~7 <= 176:
                    break
                total, many = total + (size & ~7), many + 1
                chunk = ahead ^ (chunk + 16 >> 12) if hidden else ahead
                if many % 1024 == 0 and deadline():
                    return total, many
        return total, many


def brk_heap(maps):
    """(start, end) of what brk(2) gave, or None. After a fork it grows as a second mapping beside the first."""
    parts = [one for one in maps if one.path == b'[heap]']
    return (min(one.start for one in parts), max(one.end for one in parts)) if parts else None


def plausible(address):
    """Whether it may be the address of a chunk."""
    return 1 << 16 <= address < 1 << 47 and address % 16 == 0


def bins_fit(words, at, first):
    """Whether 127 pairs from index `at` on are bins; an empty one holds its own address, `first` for the first."""
    empty = 0
    for index in range(BINS):
        ahead, back = words[at + 2 * index], words[at + 2 * index + 1]
        own = first + 16 * index
        if ahead == own and back == own:
            empty += 1
        elif ahead == own or back == own or not plausible(ahead) or not plausible(back):
            return False
    return empty > 0


def parameters_fit(data, at, mmaps):
    """Whether the bytes at `at` may be malloc_par: default number of mmapped chunks at most, counts and sums that fit."""
    many, limit, most, fixed = struct.unpack_from('<4i', data, at + mmaps)
    mapped, mapped_most = struct.unpack_from('<QQ', data, at + mmaps + (20 if mmaps == 60 else 16))
    _, _, threshold, test, _ = struct.unpack_from('<5Q', data, at)
    return (limit == 65536 and 0 <= many <= most <= limit and fixed in (0, 1) and mapped <= mapped_most < 1 << 46
            and mapped % 4096 == 0 and (many == 0) == (mapped == 0) and threshold < 1 << 40 and test < 1 << 16)


def version_of(module):
    """(2, 36) by the banner in the file; (0, 0) when there is none."""
    try:
        match = re.search(rb'GNU C Library [^\n]{0,200}?version (\d+)\.(\d+)', module.contents(16 << 20))
    except (Torn, OSError):
        return 0, 0
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)
