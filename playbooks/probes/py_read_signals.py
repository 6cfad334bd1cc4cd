"""Which frames of a stack are Python signal handlers.

CPython calls a handler as handler(signum, frame) out of the evaluation loop, `frame` being the one that was
interrupted (Modules/signalmodule.c, _PyErr_CheckSignalsTstate). So a frame is a handler's when among its arguments a
signal number is followed by the frame object of the very frame it was called from.
"""
import struct

from py_read_memory import Torn
from py_read_stacks import reference_bits

SIGNALS = range(1, 65)
SLOTS_MOST = 300
ITEMS_MOST = 16
CO_VARARGS = 4


def handlers(objects, frames):
    """{index in `frames`: signal number}. `frames` are outermost first, each (frame address, Code, offset).

    What it says holds only if the frames stood all the while.
    """
    memory, layout = objects.memory, objects.layout
    newer = layout.version >= (3, 11)
    bits = reference_bits(layout)
    slots_at = layout['_PyInterpreterFrame.localsplus' if newer else 'PyFrameObject.f_localsplus']
    wanted, pieces = [], []
    for index in range(1, len(frames)):
        frame, code, _ = frames[index]
        slots = code.argument_count + code.keyword_only + 1 if code.flags & CO_VARARGS else code.argument_count
        if slots >= 2 - (code.flags & CO_VARARGS) and slots <= SLOTS_MOST:
            wanted.append((index, slots))
            cells = [code.locals_count + cell + 1 for cell in code.cell_arguments.values()]
            pieces.append((frame + slots_at, 8 * max([slots] + cells)))
    found = {}
    for (index, slots), data in zip(wanted, memory.read_all(pieces)):
        if data is None:
            continue
        code = frames[index][1]
        everything = [slot & bits for slot in struct.unpack('<%dQ' % (len(data) // 8), data)]
        values = list(everything[:slots])
        for argument, cell in code.cell_arguments.items():
            if argument < slots:
                values[argument] = everything[code.locals_count + cell]
        if code.flags & CO_VARARGS:
            values[code.argument_count:] = tuple_items(objects, opened(objects, values[-1]))
        outer = frames[index - 1][0]
        for number, frame in zip(values, values[1:]):
            if is_frame(objects, opened(objects, frame), outer):
                value = objects.integer(opened(objects, number) or 0)
                if value in SIGNALS:
                    found[index] = value
    return found


def is_frame(objects, address, outer):
    """Whether the object at `address` is the frame object of the frame at `outer`."""
    if objects.version < (3, 11):
        return address == outer
    try:
        return objects.is_instance(address, 'frame') and \
            objects.memory.word(address + objects.layout['PyFrameObject.f_frame']) == outer
    except Torn:
        return False


def opened(objects, value):
    """What is in the cell, for an argument that an inner function uses too."""
    if value and objects.is_instance(value, 'cell'):
        try:
            return objects.memory.word(value + objects.layout['PyCellObject.ob_ref'])
        except Torn:
            return 0
    return value


def tuple_items(objects, address):
    """The first items of the tuple at `address`; empty for anything else."""
    try:
        if not objects.is_instance(address, 'tuple'):
            return []
        size = objects.memory.word(address + objects.layout['PyVarObject.ob_size'])
        if not 0 < size < 1 << 32:
            return []
        size = min(size, ITEMS_MOST)
        data = objects.memory.read(address + objects.layout['PyTupleObject.ob_item'], size * 8)
        return list(struct.unpack('<%dQ' % size, data))
    except Torn:
        return []
