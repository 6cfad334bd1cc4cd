"""Which `with` blocks the frames of a stack are inside of.

A `with` block keeps the bound `__exit__` of its context manager on the frame's value stack. To 3.10 the frame's block
stack says how deep the values of each block reach (f_blockstack, b_level); from 3.11 on the code's exception table says
it for the current instruction (Objects/exception_handling_notes.txt); 3.14 keeps `__exit__` and the manager apart.
"""
import struct

from py_read_dicts import Dicts
from py_read_memory import Torn
from py_read_stacks import reference_bits

EXITS = ('__exit__', '__aexit__')
BUILTIN_METHODS = ('builtin_function_or_method', 'builtin_method')
METHODS = ('method', 'instancemethod')
CONDITIONS = ('Condition', '_Condition')
GENERATORS = ('_GeneratorContextManager', '_AsyncGeneratorContextManager', 'GeneratorContextManager')
VALUES_MOST = 600  # of one frame
HOLDS_MOST = 64  # of one frame
BLOCKS_MOST = 20  # CO_MAXBLOCKS
NESTED_MOST = 3  # generators that are context managers inside of each other


class Blocks(object):
    """`with` blocks of one process. `codes` is its CodeReader."""

    def __init__(self, objects, codes):
        self.objects = objects
        self.codes = codes
        self.memory = objects.memory
        self.layout = objects.layout
        self.newer = objects.version >= (3, 11)
        self.apart = objects.version >= (3, 14)
        self.bits = reference_bits(self.layout)
        self.dicts = Dicts(objects)

    def holds(self, frames):
        """{index in `frames`: [(type, address)]} of the context managers, outermost first. `frames`: outermost first.

        What it says holds only if the frames stood all the while.
        """
        found = {}
        for index, frame in enumerate(frames):
            if self.newer and not frame[1].exceptions:
                continue
            managers = self._managers(frame, frames[index + 1:], NESTED_MOST)
            if managers:
                found[index] = managers[:HOLDS_MOST]
        return found

    def _managers(self, frame, inner, nested):
        """The context managers whose blocks a frame is in, each followed by the locks known to be behind it."""
        managers = []
        values = self._block_values(*frame)
        for value, following in zip(values, values[1:] + [0]):
            manager = self._manager(value, following)
            if manager is not None:
                managers.append(manager)
                managers.extend(self._condition_lock(manager, inner))
                managers.extend(self._in_generator(manager, nested))
        return managers

    def _block_values(self, frame, code, offset):
        """The values on the frame's stack that blocks keep there while they last, lowest first."""
        try:
            if self.newer:
                depth = handler_depth(code.exceptions, offset // 2)
                start = frame + self.layout['_PyInterpreterFrame.localsplus'] + 8 * code.locals_count
                levels = range(min(depth, VALUES_MOST))
            else:
                start = self.memory.word(frame + self.layout['PyFrameObject.f_valuestack'])
                levels = sorted(set(level - 1 for level in self._block_levels(frame) if 0 < level <= VALUES_MOST))
                depth = max(levels) + 1 if levels else 0
            if not depth:
                return []
            data = self.memory.read(start, 8 * min(depth, VALUES_MOST))
            return [struct.unpack_from('<Q', data, 8 * level)[0] & self.bits for level in levels]
        except Torn:
            return []

    def _block_levels(self, frame):
        layout = self.layout
        count = self.memory.int32(frame + layout['PyFrameObject.f_iblock'])
        if not 0 < count <= BLOCKS_MOST:
            return []
        size, at = layout['PyTryBlock.size'], layout['PyTryBlock.b_level']
        data = self.memory.read(frame + layout['PyFrameObject.f_blockstack'], size * count)
        return [struct.unpack_from('<i', data, size * block + at)[0] for block in range(count)]

    def _manager(self, value, following):
        """(type, address) of the context manager whose bound `__exit__` is the object at `value`; None for others.

        Where `__exit__` is not bound the manager is the value `following` it.
        """
        bound = bound_method(self.objects, value)
        if bound is None and self.apart and following:
            bound = following, self._unbound_name(value)
        if bound is None or bound[1] not in EXITS:
            return None
        try:
            return self.objects.type_name(self.objects.type_of(bound[0])), bound[0]
        except Torn:
            return None

    def _unbound_name(self, value):
        """The name of the function or method descriptor at `value`, None for anything else."""
        objects, memory, layout = self.objects, self.memory, self.layout
        try:
            if objects.is_instance(value, 'function'):
                return objects.string(memory.word(value + layout['PyFunctionObject.func_name']))
            if objects.is_instance(value, 'method_descriptor'):
                return objects.string(memory.word(value + layout['PyDescrObject.d_name']))
        except Torn:
            pass
        return None

    def _condition_lock(self, manager, inner):
        """The lock of a Condition that is held by its `with` block; none while one of the inner frames waits in it."""
        kind, address = manager
        if kind not in CONDITIONS or any(self._waits_in(frame, address) for frame in inner):
            return []
        try:
            lock = self.dicts.attribute(address, '_Condition__lock' if self.objects.version == (2, 7) else '_lock')
            return [(self.objects.type_name(self.objects.type_of(lock)), lock)] if lock else []
        except Torn:
            return []

    def _waits_in(self, frame, condition):
        address, code, _ = frame
        if code.name.rpartition('.')[2] != 'wait' or code.argument_count < 1:
            return False
        try:
            return self.memory.word(address + locals_at(self.layout)) & self.bits == condition
        except Torn:
            return True

    def _in_generator(self, manager, nested):
        """The blocks that a generator is in which contextlib made a context manager: suspended in its `yield`."""
        kind, address = manager
        if kind not in GENERATORS or not nested:
            return []
        memory, layout = self.memory, self.layout
        try:
            generator = self.dicts.attribute(address, 'gen')
            if not any(self.objects.is_instance(generator, name) for name in ('generator', 'async_generator')):
                return []
            if self.newer:
                frame = generator + layout['PyGenObject.gi_iframe']
                code = layout.first('_PyInterpreterFrame.f_executable', '_PyInterpreterFrame.f_code')
                instruction = layout.first('_PyInterpreterFrame.instr_ptr', '_PyInterpreterFrame.prev_instr')
                instruction = memory.word(frame + instruction)
            else:
                frame = memory.word(generator + layout['PyGenObject.gi_frame'])
                code = layout['PyFrameObject.f_code']
                instruction = memory.int32(frame + layout['PyFrameObject.f_lasti'])
            shown = self.codes.visible([(frame, memory.word(frame + code) & self.bits, instruction)])
            return self._managers(shown[0], [], nested - 1) if shown else []
        except Torn:
            return []


def locals_at(layout):
    """Where a frame has its first local variable."""
    return layout.first('_PyInterpreterFrame.localsplus', 'PyFrameObject.f_localsplus')


def bound_method(objects, value):
    """(address of self, name) of the bound method at `value`, None for anything else."""
    memory, layout = objects.memory, objects.layout
    try:
        if not value:
            return None
        kind = objects.type_of(value)
        if any(objects.is_a(kind, name) for name in BUILTIN_METHODS):
            name = memory.text(memory.word(memory.word(value + layout['PyCFunctionObject.m_ml'])
                                           + layout['PyMethodDef.ml_name']), 64).decode('utf-8', 'replace')
            owner = memory.word(value + layout['PyCFunctionObject.m_self'])
        elif any(objects.is_a(kind, name) for name in METHODS):
            function = memory.word(value + layout['PyMethodObject.im_func'])
            owner = memory.word(value + layout['PyMethodObject.im_self'])
            if not objects.is_instance(function, 'function'):
                return None
            name = objects.string(memory.word(function + layout['PyFunctionObject.func_name']))
        else:
            return None
        return (owner, name) if owner else None
    except Torn:
        return None


def handler_depth(table, unit):
    """How many values stay on the stack for the handler that covers instruction `unit`, 0 without one.

    `table` is co_exceptiontable: start, length, target and depth of each entry as varints of six bits a byte.
    """
    data = bytearray(table)
    at, count = 0, len(data)
    while at < count:
        values = []
        for _ in range(4):
            if at >= count:
                return 0
            byte = data[at]
            at += 1
            value = byte & 63
            while byte & 64 and at < count:
                byte = data[at]
                at += 1
                value = value << 6 | byte & 63
            values.append(value)
        start, length, _, depth = values
        if start <= unit < start + length:
            return depth >> 1
    return 0
