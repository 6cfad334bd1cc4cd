"""The layout of a process's interpreter: from the table of its version, and from what it publishes itself.

From 3.13 on the process publishes most offsets (`_Py_DebugOffsets`, Include/internal/pycore_runtime.h and
pycore_debug_offsets.h); what it publishes is taken in place of the table. A version not in the table is refused.
"""
import struct

from py_read_memory import Torn, Unreadable
from py_read_offsets import TABLES


class Layout(object):
    """The offsets of one build. `version` is (major, minor); `layout['PyCodeObject.co_name']` is an offset.

    `published`: all that the process itself publishes (3.13 and later), by name.
    """

    def __init__(self, version, offsets):
        self.version = version
        self.offsets = offsets
        self.published = {}

    def __getitem__(self, name):
        return self.offsets[name]

    def get(self, name):
        return self.offsets.get(name)

    def first(self, *names):
        """The offset of whichever of these fields this version has: they were renamed in between."""
        for name in names:
            if name in self.offsets:
                return self.offsets[name]
        raise KeyError(names[0])


def parse_table(text):
    """`Struct field=offset …` lines as {'Struct.field': offset}."""
    offsets = {}
    for line in text.splitlines():
        words = line.split()
        for word in words[1:]:
            field, _, offset = word.partition('=')
            offsets['%s.%s' % (words[0], field)] = int(offset)
    return offsets


def table_layout(version):
    """The layout of a (major, minor) in the table. Raises Unreadable for one that is not."""
    if version not in TABLES:
        known = ', '.join('%d.%d' % key for key in sorted(TABLES))
        raise Unreadable('not-applicable', 'Python %d.%d is not one of the versions that can be read (%s).'
                         % (version + (known,)))
    return Layout(version, parse_table(TABLES[version]))


# The published offsets in the order in which they stand after cookie, version and flags (3.13: pycore_runtime.h).
# Names that are in no table are published, and not needed here.
PUBLISHED = {
    (3, 13): '''
        _PyRuntimeState size finalizing interpreters.head
        PyInterpreterState size id next threads.head gc imports.modules sysdict builtins ceval.gil gil gil_enabled
        PyInterpreterState gil_locked gil_holder
        PyThreadState size prev next interp current_frame thread_id native_thread_id datastack_chunk status
        _PyInterpreterFrame size previous f_executable instr_ptr localsplus owner
        PyCodeObject size co_filename co_name co_qualname co_linetable co_firstlineno co_argcount co_localsplusnames
        PyCodeObject co_localspluskinds co_code_adaptive
        PyObject size ob_type
        PyTypeObject size tp_name tp_repr tp_flags
        PyTupleObject size ob_item ob_size
        PyListObject size ob_item ob_size
        PyDictObject size ma_keys ma_values
        PyFloatObject size ob_fval
        PyLongObject size long_value.lv_tag long_value.ob_digit
        PyBytesObject size ob_size ob_sval
        PyUnicodeObject size state length asciiobject_size
        GCState size collecting
    ''',
    (3, 14): '''
        _PyRuntimeState size finalizing interpreters.head
        PyInterpreterState size id next threads.head threads.main gc imports.modules sysdict builtins ceval.gil gil
        PyInterpreterState gil_enabled gil_locked gil_holder code_object_generation tlbc_generation
        PyThreadState size prev next interp current_frame thread_id native_thread_id datastack_chunk status
        _PyInterpreterFrame size previous f_executable instr_ptr localsplus owner stackpointer tlbc_index
        PyCodeObject size co_filename co_name co_qualname co_linetable co_firstlineno co_argcount co_localsplusnames
        PyCodeObject co_localspluskinds co_code_adaptive co_tlbc
        PyObject size ob_type
        PyTypeObject size tp_name tp_repr tp_flags
        PyTupleObject size ob_item ob_size
        PyListObject size ob_item ob_size
        PySetObject size used table mask
        PyDictObject size ma_keys ma_values
        PyFloatObject size ob_fval
        PyLongObject size long_value.lv_tag long_value.ob_digit
        PyBytesObject size ob_size ob_sval
        PyUnicodeObject size state length asciiobject_size
        GCState size collecting
    ''',
}
# What is published of structures of which more is read than is published: where it is not as in the table, neither is
# the rest.
TELLING = ('PyCodeObject.size', '_PyInterpreterFrame.localsplus', 'PyThreadState.datastack_chunk')


def published_layout(memory, address, key, version):
    """The layout of 3.13 and later: the table's with what `_Py_DebugOffsets` at `address` says. Raises Unreadable."""
    layout = table_layout(key)
    lines = [line.split() for line in PUBLISHED[key].splitlines() if line.strip()]
    names = ['%s.%s' % (line[0], field) for line in lines for field in line[1:]]
    data = memory.read(address, 24 + 8 * len(names))
    cookie, number, free_threaded = struct.unpack_from('<8sQQ', data)
    if cookie != b'xdebugpy' or (number >> 24, number >> 16 & 255) != key:
        raise Torn('no debug offsets where they should be')
    if free_threaded:
        raise Unreadable('not-applicable', 'Python %s without an interpreter lock (free-threaded) cannot be read.'
                         % version)
    offsets = dict(zip(names, struct.unpack_from('<%dQ' % len(names), data, 24)))
    if any(offset > 1 << 24 for offset in offsets.values()):
        raise Torn('debug offsets out of range')
    if any(offsets[name] != layout[name] for name in TELLING if layout.get(name) is not None):
        raise Unreadable('not-applicable', 'This build of Python %s lays its structures out in another way than the '
                         'builds that are known.' % version)
    layout.published = offsets
    layout.offsets['PyASCIIObject.state'] = offsets['PyUnicodeObject.state']
    layout.offsets['PyASCIIObject.length'] = offsets['PyUnicodeObject.length']
    layout.offsets['PyASCIIObject.size'] = offsets['PyUnicodeObject.asciiobject_size']
    for name, offset in offsets.items():
        if name in layout.offsets and name != 'PyUnicodeObject.size':
            layout.offsets[name] = offset
    return layout
