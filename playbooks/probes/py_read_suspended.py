"""Coroutines and generators that stand still: their frames, and what they wait for, from the outermost one inwards.

What an `await` (or `yield from`) waits for lies on top of the value stack of the frame that is suspended in it
(Objects/genobject.c, _PyGen_yf). Many are read side by side, one step inwards of all of them at a time.
"""
import struct

from py_read_memory import Torn
from py_read_stacks import fields_of, reference_bits

STEPS_MOST = 200
HEAD = 24  # the type of an object, and its first field after it
YIELD_FROM = 72  # opcode of 3.3 to 3.10
RUNNING, CREATED, SUSPENDED, ENDED = 'running', 'created', 'suspended', 'ended'
# Objects between an awaiting frame and what it awaits: the latter is their first field (Objects/genobject.c,
# PyAsyncGenASend.ags_gen, PyAsyncGenAThrow.agt_gen, PyCoroWrapper.cw_coroutine; Modules/_asynciomodule.c).
WRAPPERS = ('coroutine_wrapper', 'async_generator_asend', 'async_generator_athrow', '_asyncio.FutureIter')


class Chain(object):
    """What one outermost coroutine leads to. `frames`: outermost first, (frame address, code address, instruction).

    `leaf`: (type name, address) of the object that the innermost one waits for, or None. `state` is that of the
    outermost one. `pieces`: (address, bytes) that all of this was read from; None where it could not be read.
    """

    __slots__ = ('frames', 'leaf', 'state', 'pieces')

    def __init__(self):
        self.frames, self.leaf, self.state, self.pieces = [], None, SUSPENDED, []


class Suspended(object):
    """Reads the chains of coroutines of one process."""

    def __init__(self, objects):
        self.objects = objects
        self.memory = objects.memory
        layout = self.layout = objects.layout
        self.version = objects.version
        self.newer = self.version >= (3, 11)
        self.bits = reference_bits(layout)
        self._kinds = {}
        if self.newer:
            frame = '_PyInterpreterFrame.'
            fields = [(layout.first(frame + 'f_executable', frame + 'f_code'), 'Q'),
                      (layout.first(frame + 'instr_ptr', frame + 'prev_instr'), 'Q'),
                      (layout['_PyInterpreterFrame.stackpointer'], 'Q') if self.version >= (3, 14)
                      else (layout['_PyInterpreterFrame.stacktop'], 'i')]
            self.base = layout['PyGenObject.gi_iframe']
            fields = [(self.base + offset, kind) for offset, kind in fields]
            fields.append((layout['PyGenObject.gi_frame_state'], 'b'))
        else:
            fields = [(layout['PyFrameObject.f_code'], 'Q'), (layout['PyFrameObject.f_lasti'], 'i')]
            if self.version == (3, 10):
                fields += [(layout['PyFrameObject.f_stackdepth'], 'i'), (layout['PyFrameObject.f_state'], 'b'),
                           (layout['PyFrameObject.f_valuestack'], 'Q')]
            else:
                fields.append((layout['PyFrameObject.f_stacktop'], 'Q'))
        self.start = min(fields)[0]
        self.fields, self.order = fields_of(self.start, fields)

    def chains(self, coroutines):
        """The Chain of each of the coroutines (addresses)."""
        chains = [Chain() for _ in coroutines]
        places = [(chain, address) for chain, address in zip(chains, coroutines)]
        for _ in range(STEPS_MOST):
            if not places:
                break
            places = self._step(places)
        for chain, _ in places:
            chain.pieces = None
        return chains

    def _step(self, places):
        """One step inwards: what each (chain, address) leads to, for those that go on."""
        heads = self.memory.read_all([(address, HEAD) for _, address in places])
        further, inside = [], []
        for (chain, address), head in zip(places, heads):
            kind = head and self._kind(struct.unpack_from('<Q', head, 8)[0])
            if not kind:
                chain.pieces = None
            elif kind == 'wrapper':
                further.append((chain, struct.unpack_from('<Q', head, 16)[0]))
                chain.pieces.append((address + 8, head[8:]))
            elif kind == 'frame' or kind == 'generator':
                # To 3.10 frames are objects of their own, and used again by other coroutines.
                at = address if self.newer else struct.unpack_from('<Q', head, 16)[0]
                chain.pieces.append((address + 8, head[8:] if not self.newer else head[8:16]))
                if at:
                    inside.append((chain, address, at, kind))
                else:
                    chain.state = chain.state if chain.frames else ENDED
            elif chain.frames:
                chain.leaf = (self.objects.type_name(struct.unpack_from('<Q', head, 8)[0]), address)
        data = self.memory.read_all([(at + self.start, self.fields.size) for _, _, at, _ in inside])
        waiting = []
        for (chain, address, at, kind), piece in zip(inside, data):
            top = self._enter(chain, at, kind, piece)
            if top:
                waiting.append((chain, top))
        words = self.memory.read_all([(top, 8) for _, top in waiting])
        for (chain, top), word in zip(waiting, words):
            if word is None:
                chain.pieces = None
                continue
            chain.pieces.append((top, word))
            address = struct.unpack('<Q', word)[0] & self.bits
            if address:
                further.append((chain, address))
        return [(chain, address) for chain, address in further if chain.pieces is not None]

    def _kind(self, kind):
        """`frame` for a coroutine or asynchronous generator, `generator`, `wrapper`, `other`; None for no type."""
        if kind not in self._kinds:
            if len(self._kinds) > 5000:
                self._kinds.clear()
            try:
                name = self.objects.type_name(kind)
            except Torn:
                return None
            own = self.objects.is_a(kind, name)
            self._kinds[kind] = 'frame' if own and name in ('coroutine', 'async_generator') else \
                'generator' if own and name == 'generator' else 'wrapper' if name in WRAPPERS else 'other'
        return self._kinds[kind]

    def _enter(self, chain, at, kind, piece):
        """Adds the frame at `at` to a chain; the address of the word that says what it waits for, or None."""
        if piece is None:
            chain.pieces = None
            return None
        values = self.fields.unpack(piece)
        values = [values[place] for place in self.order]
        code, instruction = values[0] & self.bits, values[1]
        state, top = self._state(at, values)
        outermost = not chain.frames
        if outermost:
            chain.state = state
        if state == RUNNING:
            chain.state = RUNNING
        chain.pieces.append((at + self.start, piece))
        if state in (RUNNING, ENDED):
            return None
        chain.frames.append((at + self.base if self.newer else at, code, instruction))
        if state == CREATED or kind == 'generator' and not self._delegates(code, instruction, values):
            return None
        return top

    def _state(self, at, values):
        """(state of the frame, address of the top of its value stack). See enum _framestate in pycore_frame.h."""
        if self.newer:
            state = values[3]
            created = -3 if self.version >= (3, 13) else -2
            if self.version >= (3, 14):
                top = values[2] - 8
            else:
                top = at + self.base + self.layout['_PyInterpreterFrame.localsplus'] + 8 * (values[2] - 1)
        elif self.version == (3, 10):
            state, created = values[3], -2
            top = values[4] + 8 * (values[2] - 1)
        else:
            # To 3.9 the top of the stack is known only while the frame is suspended.
            state = 0 if not values[2] else -1
            created, top = -1 if values[1] == -1 and state else -2, values[2] - 8
            if state == created:
                return CREATED, top
            return (SUSPENDED if state else RUNNING), top
        if state == created:
            return CREATED, top
        return (SUSPENDED if state < 0 else RUNNING if state == 0 else ENDED), top

    def _delegates(self, code, instruction, values):
        """Whether a generator is in `yield from` and not in a plain `yield`."""
        try:
            if self.version >= (3, 13):
                return values[3] == -1
            if self.newer:  # the RESUME that follows says after what it resumes (Lib/dis, opcode RESUME)
                return self.memory.read(instruction + 2, 2)[1:2] in (b'\2', b'\3')
            at = instruction * 2 + 2 if self.version == (3, 10) else instruction + 2
            body = self.memory.word(code + self.layout['PyCodeObject.co_code'])
            text = body + self.layout.first('PyBytesObject.ob_sval', 'PyStringObject.ob_sval')
            return self.memory.read(text + at, 1) == struct.pack('B', YIELD_FROM)
        except Torn:
            return False


def unchanged(memory, strands):
    """Those of (thing, pieces) of which every piece, (address, bytes), still is what it was."""
    wanted = [(address, len(data)) for _, pieces in strands for address, data in pieces]
    found = iter(memory.read_all(wanted))
    return [thing for thing, pieces in strands if all([next(found) == data for _, data in pieces])]
