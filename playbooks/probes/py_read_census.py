"""Counts the live objects of another process by type: block by block in pymalloc's pools, and beyond them along the
garbage collector's lists.

Nothing is stopped, so a pool may change while it is read: its list of free blocks must agree with its count, or it is read
again. A block counts as an object only where the type of that very object would stand in it, with a reference count
that one can have; all other blocks in use are counted as `other` (tables of dicts, items of lists, buffers of C code).
"""
import array
import time
from collections import Counter

from py_read_memory import Torn
from py_read_pools import OVERHEAD, find_pools, free_blocks, runs
from py_read_types import PREHEADED

COUNT_MOST = 1 << 33  # a reference count; 3.12 and later give immortal objects 2**32 - 1 or less
ISLANDS_MOST = 300000
TRIES = 3
SECONDS_A_BLOCK = 5e-7  # before anything was measured


class Census(object):
    """What one look counted. `objects` and `bytes` by type address; `share` of the pools' blocks that were looked at.

    `large` objects lie outside of the pools. `containers`: [(items, address, type address)] of the biggest ones.
    """

    def __init__(self, pools):
        self.pools = pools
        self.objects = Counter()
        self.bytes = Counter()
        self.tables = Counter()  # bytes of lists' items, dicts' and sets' tables
        self.other_blocks = self.other_bytes = 0
        self.large = 0
        self.large_objects = Counter()
        self.large_bytes = Counter()
        self.torn = 0
        self.share = 1.0
        self.stride = 1
        self.at = self.seconds = 0.0
        self.complete = pools.complete
        self.containers = []
        self.collected = array.array('Q')  # pool address, block size, objects of the collector's in it, and so on


class Counting(object):
    """One census after the other of the same process."""

    def __init__(self, types, sizes):
        self.types = types
        self.memory = types.memory
        self.version = types.objects.version
        self.sizes = sizes
        self.gc_words = types.gc_head // 8
        self.pace = SECONDS_A_BLOCK

    def count(self, seconds, heads=(), stride=None):
        """A Census that takes about `seconds`. `heads`: addresses of the collector's list heads.

        Of more blocks than can be counted in that time, those in every so many'th MiB are: the same ones in each look
        that is given the same `stride`.
        """
        began = time.monotonic()
        deadline = began + seconds
        pools = find_pools(self.memory, self.version, deadline)
        census = Census(pools)
        left = max(deadline - time.monotonic(), seconds / 4)
        census.stride = stride or max(1, int(pools.blocks * self.pace / left + 0.999))
        chosen = pools.used
        if census.stride > 1:
            chosen = [pool for pool in pools.used if (pool[0] >> 20) * 2654435761 % 4294967296 % census.stride == 0]
        self.inside = pools.numbers()
        self.inside.add(0)
        self.bits = pools.bits
        self.starts = set()
        counting, blocks, cut = time.process_time(), 0, deadline + 2 * seconds
        for base, data, here in runs(self.memory, pools, chosen):
            words = array.array('Q')
            words.frombytes(data)
            for pool in here:
                at = (pool[0] - base) >> 3
                blocks += self._pool(census, pool, words[at:at + pools.size // 8])
            if time.monotonic() > cut:
                census.complete = False
                break
        if blocks > 100000:
            self.pace = (time.process_time() - counting) / blocks
        census.share = blocks / float(pools.blocks) if pools.blocks else 1.0
        census.blocks = blocks
        self._islands(census, heads, cut)
        census.containers = self.sizes.biggest()
        census.at = began
        census.seconds = time.monotonic() - began
        return census

    def _pool(self, census, pool, words):
        """Counts one pool; returns the number of its blocks in use."""
        address, block, _, _ = pool
        size = census.pools.size
        for _ in range(TRIES):
            free = free_blocks(words, address, size, block)
            if free is not None:
                break
            words = array.array('Q')
            try:
                words.frombytes(self.memory.read(address, size))
            except Torn:
                break
        if free is None:
            census.torn += 1
            return 0
        free, blocks = free
        found = self._kinds(words, block, blocks, free)
        counts = Counter(found)
        other = counts.pop(0, 0) - len(free)
        census.other_blocks += other
        census.other_bytes += other * block
        objects, total, collected = census.objects, census.bytes, 0
        for kind, number in counts.items():
            objects[kind] += number
            total[kind] += number * block
            if kind in self.types.collected:
                collected += number
        if collected:
            census.collected.extend((address, block, collected))
            inside, bits, step = self.inside, self.bits, block >> 3
            # Neighbours in the collector's lists that lie outside of all pools.
            for first in (OVERHEAD >> 3, (OVERHEAD >> 3) + 2) if self.types.preheaders else (OVERHEAD >> 3,):
                outside = set(word for word in words[first:(OVERHEAD + blocks * block) >> 3:step] if word >> bits not in inside)
                if outside:
                    self.starts.update(outside)
        if not self.sizes.disjoint(counts):
            self.sizes.look(census, address, block, found, words)
        return blocks - len(free)

    def _kinds(self, words, block, blocks, free):
        """The type address of the object in each block, 0 for none."""
        types, step, first = self.types, block >> 3, OVERHEAD >> 3
        end = first + blocks * step
        if free:
            zero = array.array('Q', bytes(8 * step))
            for index in free:
                words[first + index * step:first + (index + 1) * step] = zero
        known = types.known
        for again in (False, True):
            kinds = self._match(words, first, end, step)
            if again or 0 not in kinds:
                return kinds
            unknown = self._unknown(words, first, end, step, kinds)
            if not unknown:
                return kinds
            before = len(known)
            types.resolve(unknown)
            if len(known) == before:
                return kinds
        return kinds

    def _match(self, words, first, end, step):
        plain, collected, preheaded = self.types.places
        most, g = COUNT_MOST, self.gc_words
        counts = words[first:end:step]
        kinds = words[first + 1:end:step]
        if self.version >= (3, 14):  # flags and an overflow count stand in the upper half
            counts = [count & 0xffffffff for count in counts]
        if step < g + 2:
            return [a if a in plain and 0 < r < most else 0 for r, a in zip(counts, kinds)]
        behind, second = words[first + g:end:step], words[first + g + 1:end:step]
        if step < g + 4 or not preheaded:
            return [a if a in plain and 0 < r < most else b if b in collected and 0 < s < most else 0
                    for r, a, s, b in zip(counts, kinds, behind, second)]
        third, last = words[first + g + 2:end:step], words[first + g + 3:end:step]
        return [a if a in plain and 0 < r < most else b if b in collected and 0 < s < most
                else c if c in preheaded and 0 < t < most else 0
                for r, a, s, b, t, c in zip(counts, kinds, behind, second, third, last)]

    def _unknown(self, words, first, end, step, kinds):
        """Words that may be types nobody has looked at yet. Types are too big to lie in a pool themselves."""
        unknown = set()
        for place in (1, self.gc_words + 1, self.gc_words + 3):
            if step > place and (place != self.gc_words + 3 or self.types.preheaders):
                column = words[first + place:end:step]
                unknown.update(word for word, kind in zip(column, kinds) if not kind)
        rejected, inside, bits = self.types.rejected, self.inside, self.bits
        return [word for word in unknown - rejected if word >> bits not in inside and not word & 7 and word < 1 << 47]

    def _islands(self, census, heads, deadline):
        """Counts the collector's objects outside of the pools, along the lists from where these leave the pools."""
        types, size = self.types, self.types.gc_head
        seen = set(heads)
        starts = sorted(start & ~3 for start in self.starts if 4096 <= start < 1 << 47 and not start & 4)
        starts.extend(heads)
        for start in starts:
            at, hops = start, 0
            if start in heads:
                at = self._next(start)
            while at and at not in seen and at >> self.bits not in self.inside:
                seen.add(at)
                hops += 1
                if census.large >= ISLANDS_MOST or hops % 64 == 0 and time.monotonic() > deadline:
                    census.complete = False
                    return
                following = self._large(census, at, size)
                if following is None:
                    break
                at = following

    def _next(self, head):
        try:
            return self.memory.word(head) & ~3
        except Torn:
            return 0

    def _large(self, census, at, size):
        """Takes in the object whose PyGC_Head is at `at`; returns the next one's, None when there is no object."""
        pieces = self.memory.read_all([(at, size + 24)])
        if pieces[0] is None or at & 7:
            return None
        words = array.array('Q')
        words.frombytes(pieces[0])
        g = self.gc_words
        count, kind = words[g], self.types.get(words[g + 1])
        if self.version >= (3, 14):
            count &= 0xffffffff
        if kind is None or kind.address not in self.types.collected or not 0 < count < COUNT_MOST:
            return None
        # ob_size of an int counts differently, but an int is none of the collector's.
        items = words[g + 2] if kind.item and words[g + 2] < 1 << 32 else 0
        census.large_objects[kind.address] += 1
        census.large_bytes[kind.address] += size + kind.size + kind.item * items + (16 if kind.place == PREHEADED else 0)
        census.large += 1
        return words[0] & ~3

