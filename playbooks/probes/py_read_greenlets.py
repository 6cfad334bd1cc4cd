"""Finds greenlets that are not running (gevent, eventlet) and the frames that they are suspended in.

Nothing leads to all greenlets, so the pools in which objects of their size live are searched for words that point to
their types. The suspended frame is kept by the greenlet itself to 1.x, from 2.0 on by a C++ object
that it points to; where in it is found by looking for the one word that points to a frame object (greenlet's
greenlet.h and greenlet_greenlet.hpp of 0.4.17, 2.0.2, 3.1.0 and 3.3.2).
"""
import bisect
import struct
import time

from py_read_memory import Torn
from py_read_pools import OVERHEAD, find_pools, runs
from py_read_stacks import OWNED_BY_C, reference_bits
from py_read_strands import Strand

SEARCH_SECONDS = 0.4
TYPES_MOST = 60
GREENLETS_MOST = 20000
DEPTH_MOST = 200
OLD_HEAD = (16, 72)  # where PyGreenlet has stack_start and top_frame, to 1.x
NEWER_PIMPL = 32  # PyGreenlet.pimpl, from 2.0 on
SCANNED = (56, 184)  # part of what it points to in which the frame is looked for
STACK_BEFORE = 48  # bytes by which stack_start, stack_stop, stack_copy and stack_saved precede it, then two more words


class Greenlets(object):
    """The greenlets of one process. `complete` is False when some were not looked for."""

    def __init__(self, objects, dicts, reader):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        self.dicts = dicts
        self.reader = reader
        self.bits = reference_bits(objects.layout)
        self._stacks = []
        self.complete = True
        self._addresses = None
        self._types = {}
        self._frame_at = None
        self._old = False

    def find(self, modules, threads):
        """(address,) of each of the greenlets that are not running, of threads `threads`. Raises Torn.

        Memory is searched the first time; later those that were found then are looked at again.
        """
        if self._addresses is None:
            self._addresses = self._search(modules)
        self._stacks = stacks_of(self.memory, threads)
        return [greenlet[:1] for greenlet in self._suspended(self._addresses)]

    def _search(self, modules):
        """Addresses of objects of the greenlet types. Raises Torn."""
        module = modules.get('greenlet._greenlet') or modules.get('greenlet')
        self._old = 'greenlet._greenlet' not in modules
        names = self.memory.word(module + self.layout['PyModuleObject.md_dict'])
        kind = self.dicts.value(names, 'greenlet')
        if not kind:
            raise Torn('no type of greenlets')
        self._old = self._old or self._basic_size(kind) > 48
        self._types = set(self._with_subtypes(kind))
        head = self.layout['PyGC_Head.size']
        sizes = [head + self._basic_size(each) for each in self._types]
        end = time.monotonic() + SEARCH_SECONDS
        pools = find_pools(self.memory, self.objects.version, end)
        chosen = [pool for pool in pools.used if any(0 <= pool[1] - size < 16 for size in sizes)]
        found = []
        for start, data, some in runs(self.memory, pools, chosen):
            if time.monotonic() > end or len(found) > GREENLETS_MOST:
                self.complete = False
                break
            words = memoryview(data).cast('Q')
            for address, block, _, carved in some:
                base, step = (address - start) // 8, block // 8
                kinds = words[base + (OVERHEAD + head) // 8 + 1:base + carved // 8:step].tolist()
                if not self._types.isdisjoint(kinds):
                    found.extend(address + OVERHEAD + head + at * block for at, kind in enumerate(kinds)
                                 if kind in self._types)
        self.complete = self.complete and pools.complete and not pools.swapped
        return found[:GREENLETS_MOST]

    def _basic_size(self, kind):
        return self.memory.word(kind + self.layout['PyTypeObject.tp_basicsize'])

    def _with_subtypes(self, kind):
        """The type and all that are derived from it (PyTypeObject.tp_subclasses)."""
        found, left = [], [kind]
        while left and len(found) < TYPES_MOST:
            kind = left.pop()
            if kind in found:
                continue
            found.append(kind)
            subclasses = self.memory.word(kind + self.layout['PyTypeObject.tp_subclasses'])
            if not subclasses:
                continue
            if self.objects.version == (2, 7):
                weak = self.objects.list_items(subclasses)
            else:
                weak = [value for _, value in self.dicts.items(subclasses)]
            for reference in weak:
                left.append(self.memory.word(reference + self.layout['PyWeakReference.wr_object']))
        return [each for each in found if self._is_type(each)]

    def _is_type(self, kind):
        try:
            return bool(self.objects.type_name(kind))
        except Torn:
            return False

    def _suspended(self, addresses):
        """(address, type, frame object, stack words, piece) of the greenlets that are suspended in a frame."""
        heads = self.memory.read_all([(address, 80) for address in addresses])
        living = [(address, head) for address, head in zip(addresses, heads) if head]
        if self._old:
            holders = [(address, head, address) for address, head in living]
        else:
            holders = [(address, head, struct.unpack_from('<Q', head, NEWER_PIMPL)[0]) for address, head in living]
        data = self.memory.read_all([(holder, SCANNED[1]) for _, _, holder in holders])
        if self._frame_at is None:
            self._frame_at = OLD_HEAD[1] if self._old else self._find_frame(data)
        at = self._frame_at
        if at is None:
            return []
        found, seen = [], set()
        for (address, head, holder), body in zip(holders, data):
            count, kind = struct.unpack_from('<QQ', head)
            if not body or not count & 0xffffffff or count >> 48 and self.objects.version < (3, 14):
                continue
            frame = struct.unpack_from('<Q', body, at)[0]
            first = OLD_HEAD[0] if self._old else at - STACK_BEFORE
            if kind in self._types and frame and frame not in seen and self.objects.is_instance(frame, 'frame'):
                seen.add(frame)
                stack = struct.unpack_from('<QQQQ', body, first)
                found.append((address, kind, frame, stack, (holder + first, body[first:at + 8])))
        return found

    def _find_frame(self, bodies):
        """At which offset most of the C++ objects have a pointer to a frame object."""
        counts = {}
        for body in [body for body in bodies if body][:200]:
            for at in range(SCANNED[0], SCANNED[1] - 8, 8):
                if self.objects.is_instance(struct.unpack_from('<Q', body, at)[0], 'frame'):
                    counts[at] = counts.get(at, 0) + 1
        return max(counts, key=counts.get) if counts else None

    def strands(self, greenlets):
        """The Strands of greenlets that `find` gave, all walked outwards side by side; `frames` is None when torn."""
        strands, places = [], []
        for address, kind, frame, stack, piece in self._suspended([greenlet[0] for greenlet in greenlets]):
            strand = Strand(address, self.objects.type_name(kind))
            strand.frames, strand.pieces = [], [piece]
            strand.ident = stack[0]
            strands.append(strand)
            if self.reader.newer:
                try:
                    frame = self.memory.word(frame + self.layout['PyFrameObject.f_frame'])
                except Torn:
                    frame = 0
            places.append((strand, frame, stack))
        for _ in range(DEPTH_MOST):
            places = self._outwards(places)
            if not places:
                break
        for strand in strands:
            if strand.frames is not None:
                strand.frames.reverse()
            strand.ident = thread_on(self._stacks, strand.ident)
        return strands

    def _outwards(self, places):
        reader = self.reader
        wanted = []
        for _, frame, (start, _, copy, saved) in places:
            # What another greenlet has overwritten of the C stack is in a copy; from 3.12 on frames lie there too.
            moved = copy - start if copy and start <= frame < start + saved else 0
            wanted.append((frame + moved + reader.base, reader.size))
        further = []
        for (strand, frame, stack), (at, _), data in zip(places, wanted, self.memory.read_all(wanted)):
            if data is None:
                strand.frames = None
                continue
            values = reader.fields.unpack_from(data)
            code, previous, instruction = [values[place] for place in reader.order[:3]]
            strand.pieces.append((at, data))
            owner = values[reader.order[3]] if reader.newer else 0
            if owner < OWNED_BY_C and code & self.bits:
                strand.frames.append((frame, code & self.bits, instruction))
            if previous:
                further.append((strand, previous, stack))
        return further


def stacks_of(memory, threads):
    """(first address, end, ident of the thread) of the mappings with the C stacks of the threads.

    A thread's descriptor lies at the top of its stack; the first thread's is elsewhere, its stack is named.
    """
    ordered = sorted(set(thread.ident for thread in threads))
    found = []
    for mapping in memory.maps():
        if mapping.path == b'[stack]':
            found.extend((mapping.start, mapping.end, each.ident) for each in threads if each.tid == memory.pid)
            continue
        at = bisect.bisect_left(ordered, mapping.start)
        if at < len(ordered) and ordered[at] < mapping.end and 'w' in mapping.flags:
            found.append((mapping.start, mapping.end, ordered[at]))
    return found


def thread_on(stacks, address):
    """The ident of the thread whose C stack an address is on, None when that cannot be told."""
    return next((ident for start, end, ident in stacks if start <= address < end), None)
