"""Stacks of threads that go on running while they are read.

One copy of a running thread's stack may be torn: its outer part from before a call, its inner part from after it. So a
stack counts only when several copies, taken one after the other, agree. Where the innermost frames differ between the
copies, because they come and go faster than they can be read, the stack ends with the last frame that stood in all of
them: that shorter stack did exist, at the moment when its last frame made the call. A stack that was proven once is
believed in one copy.
"""
import struct

from py_read_memory import Torn

COPIES = 4  # that must agree
ROUNDS = 8  # of copies, before a thread counts as unread in this sample
DEPTH_MOST = 5000
CHUNKS_MOST = 600
REGION_MOST = 4 << 20  # bytes of one chunk of a data stack
OWNED_BY_C = 3  # and above: frames of the interpreter's own C code (pycore_frame.h, enum _frameowner)
SLACK = 2048  # bytes beyond the top of the data stack, for calls made in the meantime


class Plan(object):
    """Which pieces of memory hold a stack: `pieces` as (address, size), the thread state's first, `size` bytes in all.

    `frames`: frame address -> (piece, offset in it). `regions`: (low, high, piece) of the data stack's chunks.
    `slots`: address of a word that may point to the current frame -> piece.
    """

    def __init__(self):
        self.pieces = []
        self.size = 0
        self.frames = {}
        self.regions = []
        self.slots = {}

    def add(self, address, size):
        self.pieces.append((address, size))
        self.size += size
        return len(self.pieces) - 1


class Chain(object):
    """A stack as read: `frames` outermost first, each (frame address, code address, instruction).

    `cut`: the outermost frames are missing, there were too many.
    """

    __slots__ = ('frames', 'cut')

    def __init__(self, frames, cut):
        self.frames = frames
        self.cut = cut


class StackReader(object):
    """Reads chains of frames: PyFrameObjects to 3.10, _PyInterpreterFrames (data stack, generators) from 3.11 on."""

    def __init__(self, memory, layout):
        self.memory = memory
        self.newer = layout.version >= (3, 11)
        self.bits = reference_bits(layout)
        frame = '_PyInterpreterFrame.' if self.newer else 'PyFrameObject.'
        code = layout.first(frame + 'f_executable', frame + 'f_code')
        previous = layout.first(frame + 'previous', frame + 'f_back')
        instruction = layout.first(frame + 'instr_ptr', frame + 'prev_instr', frame + 'f_lasti')
        # To 3.10 only the middle of a frame is copied, from f_back to f_lasti.
        self.base = 0 if self.newer else previous
        self.size = layout['_PyInterpreterFrame.localsplus'] if self.newer else instruction + 4 - previous
        fields = [(code, 'Q'), (previous, 'Q'), (instruction, 'Q' if self.newer else 'i')]
        if self.newer:
            fields.append((layout['_PyInterpreterFrame.owner'], 'b'))
        self.fields, self.order = fields_of(self.base, fields)
        # 3.11 and 3.12 keep the current frame in a structure on the C stack; 3.10's cframe is something else.
        self.cframe = layout.get('PyThreadState.cframe') if self.newer else None
        if self.cframe is not None:
            self.top = self.cframe
            self.slot_offset = layout['_PyCFrame.current_frame']
        else:
            self.top = layout.first('PyThreadState.current_frame', 'PyThreadState.frame')
        self.state = (self.top, self.top + 8)
        self.chunk = None
        if self.newer:
            self.chunk = layout['PyThreadState.datastack_chunk']
            self.chunk_data = layout['_PyStackChunk.data']
            self.state = (min(self.top, self.chunk), max(self.top + 8, self.chunk + 16))

    def read(self, plan):
        """One copy of the planned pieces. Raises Torn."""
        copy = self.memory.read_all(plan.pieces)
        if None in copy:
            raise Torn('not mapped')
        return copy

    def plan(self, thread, older=None):
        """The Plan for the stack of the thread state at `thread` as it is now, with all of `older`. Raises Torn."""
        plan = Plan()
        low, high = self.state
        plan.add(thread + low, high - low)
        state = self.memory.read(thread + low, high - low)
        if self.cframe is not None:
            slots = set([word_of(state, self.top - low) + self.slot_offset])
            slots.update(older.slots if older and len(older.slots) < 8 else ())
            for slot in sorted(slots):
                plan.slots[slot] = plan.add(slot, 8)
        for start, size in self._regions(state) if self.newer else ():
            plan.regions.append((start, start + size, plan.add(start, size)))
        self._add_frames(plan)
        if older is not None and len(older.frames) < 2 * DEPTH_MOST:
            for address, (piece, _) in older.frames.items():
                outside = older.pieces[piece][1] == self.size and not self._in_region(plan, address)
                if outside and address not in plan.frames:
                    plan.frames[address] = (plan.add(address + self.base, self.size), 0)
        return plan

    def _regions(self, state):
        """(address, size) of the used part of each chunk of the data stack (Python/pystate.c, push_chunk)."""
        low = self.state[0]
        chunk, top = struct.unpack_from('<QQ', state, self.chunk - low)
        regions, last = [], True
        while chunk and len(regions) < CHUNKS_MOST:
            previous, size, used = struct.unpack('<QQQ', self.memory.read(chunk, 24))
            start = chunk + self.chunk_data
            end = min(top + SLACK, chunk + size) if last else start + used * 8
            if not start <= end <= chunk + size or size > 1 << 32:
                raise Torn('no chunk of a data stack')
            if end > start:
                start = max(start, end - REGION_MOST)
                regions.append((start, end - start))
            chunk, last = previous, False
        return regions

    def _add_frames(self, plan):
        """Walks the stack once and adds the frames that lie outside the chunks."""
        copy = dict(enumerate(self.read(plan)))
        address = self._top(plan, copy)
        depth = 0
        while address and depth < DEPTH_MOST:
            if address in plan.frames:
                raise Torn('frames go in a circle')
            place = self._in_region(plan, address)
            if place is None:
                piece = plan.add(address + self.base, self.size)
                copy[piece] = self.memory.read(address + self.base, self.size)
                place = (piece, 0)
            plan.frames[address] = place
            address = self.fields.unpack_from(copy[place[0]], place[1])[self.order[1]]
            depth += 1

    def _in_region(self, plan, address):
        for low, high, piece in plan.regions:
            if low <= address and address + self.size <= high:
                return piece, address - low
        return None

    def _top(self, plan, copy):
        """Address of the innermost frame in a copy, 0 for none."""
        word = word_of(copy[0], self.top - self.state[0])
        if self.cframe is None:
            return word
        piece = plan.slots.get(word + self.slot_offset)
        if piece is None:
            raise Torn('on another C stack frame')
        return word_of(copy[piece], 0)

    def parse(self, plan, copy):
        """The Chain that a copy shows. Raises Torn when it leads out of the plan."""
        address = self._top(plan, copy)
        frames, seen, places, unpack = [], set(), plan.frames, self.fields.unpack_from
        code, previous, instruction = self.order[:3]
        owner = self.order[3] if self.newer else None
        bits = self.bits
        # Beyond the top of the data stack lie frames that have ended. One is still the current frame for a moment, or
        # for as long as an embedding program leaves the thread state of an idle thread as it was.
        if self.newer and plan.regions and address >= word_of(copy[0], self.chunk + 8 - self.state[0]):
            low, high, _ = plan.regions[0]
            if low <= address < high:
                raise Torn('a frame that has ended')
        while address:
            if len(frames) >= DEPTH_MOST:
                return Chain(frames[::-1], True)
            place = places.get(address) or self._in_region(plan, address)
            if place is None or address in seen:
                raise Torn('frames lead nowhere')
            seen.add(address)
            values = unpack(copy[place[0]], place[1])
            if owner is not None and values[owner] >= OWNED_BY_C:
                frames.append((address, 0, 0))
            else:
                frames.append((address, values[code] & bits, values[instruction]))
            address = values[previous]
        frames.reverse()
        return Chain(frames, False)

    def prove(self, thread, believed):
        """(plan, copy, chain) of the stack of the thread state at `thread`, proven by several copies. Raises Torn.

        `believed(chain)` says whether such a stack has been proven before. `copy` is None when the chain is shorter
        than what the copies showed. The first copies that can be compared decide, whatever they show: to go on until
        all frames agree would favour the stacks that stay for longer.
        """
        plan, why = None, Torn('always another stack')
        for _ in range(ROUNDS):
            try:
                plan = self.plan(thread, plan)
            except Torn as torn:
                why = torn
                continue
            copies = self._copies(plan)
            for copy, chain in copies:
                if believed(chain):
                    return plan, copy, chain
            if len(copies) < COPIES:
                continue
            agreed = agreement([chain for _, chain in copies])
            if agreed is not None:
                copy, last = copies[-1]
                return plan, copy if agreed.frames == last.frames else None, agreed
        raise why

    def _copies(self, plan):
        """Copies of the planned pieces with their chains, taken in one go, without those that lead out of the plan."""
        count = len(plan.pieces)
        data = self.memory.read_all(plan.pieces * COPIES)
        found, before = [], None
        for first in range(0, count * COPIES, count):
            copy = data[first:first + count]
            if copy == before:
                if found and found[-1][0] == copy:
                    found.append(found[-1])
                continue
            before = copy
            if None in copy:
                continue
            try:
                found.append((copy, self.parse(plan, copy)))
            except Torn:
                pass
        return found


def reference_bits(layout):
    """The bits of a reference in a frame that are the address: from 3.14 on it is tagged (pycore_stackref.h)."""
    return ~3 if layout.version >= (3, 14) else ~0


def fields_of(base, fields):
    """A Struct for (offset, format) fields as they lie after `base`, and at which place in it each comes out."""
    ordered = sorted(fields)
    text, at = '<', base
    for offset, kind in ordered:
        text += '%dx%s' % (offset - at, kind)
        at = offset + struct.calcsize('<' + kind)
    return struct.Struct(text), [ordered.index(field) for field in fields]


def word_of(data, at):
    """The pointer-sized number at offset `at` of `data`."""
    return struct.unpack_from('<Q', data, at)[0]


def agreement(chains):
    """The Chain that all of `chains` have in common, from the outermost frame on; None when there is none.

    One more frame follows where all around the middle copy agree which it is, though not at which instruction.
    """
    lists = aligned(chains)
    if lists is None:
        return None
    cut = any(chain.cut for chain in chains)
    shortest = min(len(frames) for frames in lists)
    same = 0
    first = lists[0]
    others = [frames for frames in lists[1:] if frames is not first]
    while same < shortest and all(frames[same] == first[same] for frames in others):
        same += 1
    agreed = first[:same]
    if same < max(len(frames) for frames in lists):
        middle = len(lists) // 2
        around = lists[middle - 1:middle + 2]
        if all(len(frames) > same and frames[same][:2] == around[0][same][:2] for frames in around):
            agreed = agreed + [around[1][same]]
    return Chain(agreed, cut) if agreed or not shortest else None


def aligned(chains):
    """The chains' frames from a frame on that all of them have; where outer ones were cut off that is not the first."""
    if not any(chain.cut for chain in chains):
        return [chain.frames for chain in chains]
    places = [dict((frame[0], at) for at, frame in enumerate(chain.frames)) for chain in chains]
    for chain in chains:
        if chain.frames and all(chain.frames[0][0] in place for place in places):
            start = chain.frames[0][0]
            return [chain.frames[place[start]:] for chain, place in zip(chains, places)]
    return None
