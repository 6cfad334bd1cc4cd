"""Walks the chunks of malloc's heaps in another process's memory, by their headers only.

Only pages that are in memory are read (proc_pid_pagemap(5)): a page in swap is not brought back by looking at it. A
chunk's header holds its own size and whether the chunk before it is in use; a free chunk's size stands behind it once
more. So what was read while the process changed it shows, is read again, and is never counted. Layout: malloc_chunk in
glibc malloc/malloc.c.
"""
import os
import struct
from array import array
from itertools import accumulate

from py_read_memory import Torn

PAGE = os.sysconf('SC_PAGE_SIZE')
WINDOW = 64  # pages read at once
PRESENT, SWAPPED = 1 << 63, 1 << 62
HEADER = struct.Struct('<QQ')
TORN_MOST = 20
STEPS_A_CHECK = 4096
SIZES_MOST = 20000
CHANGED = 'it changed all the time, or is damaged'


class Pages(object):
    """Which pages of a range are in memory."""

    def __init__(self, pid, start, end):
        self.start = start // PAGE * PAGE
        count = -(-(end - self.start) // PAGE)
        data = b''
        try:
            with open('/proc/%d/pagemap' % pid, 'rb', 0) as pagemap:
                pagemap.seek(self.start // PAGE * 8)
                while len(data) < count * 8:
                    piece = pagemap.read(min(count * 8 - len(data), 1 << 20))
                    if not piece:
                        break
                    data += piece
        except OSError:
            pass
        self.known = len(data) == count * 8
        entries = array('Q')
        if self.known:
            entries.frombytes(data)
        self.present = bytearray(entry >= PRESENT for entry in entries)
        self.swapped = sum(1 for entry in entries if entry & SWAPPED and entry < PRESENT)
        self._sums = array('L', [0])
        self._sums.extend(accumulate(self.present))

    def run(self, address):
        """Bytes from `address` on that can be read at once: to the end of present pages, a window's worth at most."""
        if not self.known:
            return PAGE - address % PAGE
        index = first = (address - self.start) // PAGE
        while index < len(self.present) and self.present[index] and index - first < WINDOW:
            index += 1
        return max(0, (index - first) * PAGE - address % PAGE)

    def is_swapped(self, address):
        return self.known and not self.present[(address - self.start) // PAGE]

    def resident(self, start, end):
        """Bytes between two addresses that are in memory, and those in whole pages."""
        if not self.known:
            return 0, 0
        low, high = (start - self.start) // PAGE, (end - self.start) // PAGE
        if low == high:
            return (end - start if self.present[low] else 0), 0
        inner = -(-(start - self.start) // PAGE)
        whole = (self._sums[high] - self._sums[inner]) * PAGE if high > inner else 0
        total = whole
        if inner > low and self.present[low]:
            total += self.start + inner * PAGE - start
        if high < len(self.present) and self.present[high]:
            total += end - (self.start + high * PAGE)
        return total, whole


class Tally(object):
    """What a walk found, in bytes and chunks."""

    def __init__(self):
        self.walked = self.size = self.used = self.used_chunks = self.free = self.free_chunks = 0
        self.free_resident = self.trimmable = self.swapped = self.largest = 0
        self.top = self.top_resident = 0
        self.last_used = None  # size of the chunk in use that is nearest to the top
        self.stopped = None
        self.sizes = {}

    def add(self, other):
        for name in ('walked', 'size', 'used', 'used_chunks', 'free', 'free_chunks', 'free_resident', 'trimmable',
                     'swapped', 'top', 'top_resident'):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.largest = max(self.largest, other.largest)
        self.stopped = self.stopped or other.stopped
        for size, many in other.sizes.items():
            self.sizes[size] = self.sizes.get(size, 0) + many


def walk(memory, start, end, top, deadline):
    """The Tally of the chunks from `start` to `top`, or to the end mark of a heap that is full."""
    for attempt in range(3):
        pages = Pages(memory.pid, start, end)
        tally = Tally()
        tally.size, tally.swapped = end - start, pages.swapped * PAGE
        state = Walk(memory, pages, start, end, top if start <= top < end else None)
        try:
            state.go(tally, deadline)
        except Torn as torn:
            tally.stopped = str(torn)
        tally.walked = state.at - start
        if tally.stopped != CHANGED or deadline():
            break
    return tally


class Walk(object):
    """One pass over one heap."""

    def __init__(self, memory, pages, start, end, top):
        self._memory, self._pages, self._end, self._top = memory, pages, end, top
        self.at = start
        self._base, self._data, self._limit = 0, b'', 0

    def _load(self, address):
        run = self._pages.run(address)
        if run < 16:
            raise Torn('a part is in swap' if self._pages.is_swapped(address) else 'a header is not in memory')
        self._base = address
        self._data = self._memory.read(address, run)
        self._limit = address + run - 16

    def go(self, tally, deadline):
        """Counts every chunk once the header behind it has said whether it is in use."""
        pages, sizes, unpack = self._pages, tally.sizes, HEADER.unpack_from
        at, size, steps, torn = self.at, None, 0, 0
        end, top = self._end, self._top
        last_size = 0
        while True:
            following = at if size is None else at + size
            if following + 16 > end:
                raise Torn(CHANGED)
            if not self._base <= following <= self._limit:
                self._load(following)
            before, own = unpack(self._data, following - self._base)
            length = own & ~7
            good = length >= 32 and length % 16 == 0 and following + length <= end
            marked = not good and top is None and length <= 16 and following + 32 >= end - PAGE
            if size is not None and not own & 1 and before != size:
                good = marked = False
            if not (good or marked):
                torn += 1
                if torn > TORN_MOST:
                    raise Torn(CHANGED)
                self._load(at)  # what it was changed into meanwhile
                size = None if size is None else unpack(self._data, 0)[1] & ~7
                if size is not None and not 32 <= size <= end - at:
                    raise Torn(CHANGED)
                continue
            if size is not None:
                if own & 1:
                    tally.used += size
                    tally.used_chunks += 1
                    if len(sizes) < SIZES_MOST or size in sizes:
                        sizes[size] = sizes.get(size, 0) + 1
                    last_size = size
                else:
                    resident, whole = pages.resident(at + 24, following)
                    tally.free += size
                    tally.free_chunks += 1
                    tally.free_resident += resident
                    tally.trimmable += whole
                    tally.largest = max(tally.largest, size)
            self.at = at = following
            size = length
            if following == top:
                tally.top = length
                tally.top_resident = pages.resident(min(at + 16, end - 1), min(at + length, end) - 1)[0]
                tally.last_used = last_size or None
                self.at = end
                return
            if marked:
                self.at = end
                return
            steps += 1
            if steps % STEPS_A_CHECK == 0 and deadline():
                raise Torn('out of time')
            if top is not None and following > top:
                raise Torn('the top moved while it was walked')
