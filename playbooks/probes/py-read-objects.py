"""Reads Python objects out of another process: types, strings, numbers, code objects and their line tables.

Everything that is read is checked against what it should be and bounded in size; Torn is raised for what does not fit.
"""
import struct

from py_read_memory import Torn

NAME_MOST = 4096  # characters of a name that are read; the rest is cut
TABLE_MOST = 4 << 20  # bytes of a line table
TABLE_CHECKED = 512  # bytes of it by which a code object is known again
CODES_MOST = 5000
SMALL_TABLE = 1 << 16  # beyond it, lines are decoded when asked for
REFCOUNT_MOST = 1 << 40  # a word of a freed block is a pointer there, or zero


class Objects(object):
    """Objects of one process, with its layout."""

    def __init__(self, memory, runtime):
        self.memory = memory
        self.runtime = runtime
        self.layout = runtime.layout
        self.version = runtime.layout.version
        self.table_offset = self.layout.first('PyBytesObject.ob_sval', 'PyStringObject.ob_sval')
        self._types = {}
        self._static = {}

    def type_of(self, address):
        """Address of the type of the object at `address`."""
        return self.memory.word(address + self.layout['PyObject.ob_type'])

    def type_name(self, kind):
        """tp_name of the type at `kind`, e.g. `_thread.RLock`, `builtin_function_or_method`. Raises Torn."""
        if kind not in self._types:
            self._types[kind] = self._read_type_name(kind)
            if len(self._types) > 20000:
                self._types.clear()
                return self._read_type_name(kind)
        return self._types[kind]

    def _read_type_name(self, kind):
        memory, layout = self.memory, self.layout
        meta = self.type_of(kind)
        # The type of every metatype is `type`, which is its own type.
        if self.type_of(self.type_of(meta)) != self.type_of(meta):
            raise Torn('no type')
        return memory.text(memory.word(kind + layout['PyTypeObject.tp_name']), 512).decode('utf-8', 'replace')

    def is_a(self, kind, name):
        """Whether the type at `kind` is the interpreter's own type of that name, no class that is called so too."""
        known = self._static.get(name)
        if known is None and kind in self.runtime.module and self.type_name(kind) == name:
            known = self._static[name] = kind
        return kind == known

    def is_instance(self, address, name):
        """Whether the object at `address` is exactly of the interpreter's own type of that name. False when torn."""
        try:
            return bool(address) and self.is_a(self.type_of(address), name)
        except Torn:
            return False

    def string(self, address):
        """The str (2.7: str or unicode) at `address`, lone surrogates and all. Raises Torn for anything else."""
        kind = self.type_of(address)
        if self.version == (2, 7):
            if self.is_a(kind, 'str'):
                return self._bytes(address, 'PyStringObject.ob_sval', NAME_MOST).decode('utf-8', 'surrogateescape')
            raise Torn('no str')
        if not self.is_a(kind, 'str'):
            raise Torn('no str')
        memory, layout = self.memory, self.layout
        length = memory.word(address + layout['PyASCIIObject.length'])
        state = memory.word(address + layout['PyASCIIObject.state'])
        width, compact, ascii_only = self._string_state(state)
        if width not in (1, 2, 4) or length > 1 << 40:
            raise Torn('no str')
        if compact:
            at = address + layout['PyASCIIObject.size' if ascii_only else 'PyCompactUnicodeObject.size']
        else:
            at = memory.word(address + layout['PyUnicodeObject.data'])
        if not length:
            return ''
        data = memory.read(at, min(length, NAME_MOST) * width)
        if width == 1:
            return data.decode('latin-1')
        return data.decode('utf-16-le' if width == 2 else 'utf-32-le', 'surrogatepass')

    def _string_state(self, state):
        """(bytes a character, compact, ASCII only) of PyASCIIObject.state (Include/cpython/unicodeobject.h)."""
        return state >> 2 & 7, state >> 5 & 1, state >> 6 & 1

    def _bytes(self, address, field, most):
        size = self.memory.word(address + self.layout['PyVarObject.ob_size'])
        if size > 1 << 40:
            raise Torn('no bytes')
        return self.memory.read(address + self.layout[field], min(size, most)) if size else b''

    def table(self, address):
        """The bytes object at `address`, whole. Raises Torn for anything else and beyond 4 MiB."""
        old = self.version == (2, 7)
        if not self.is_instance(address, 'str' if old else 'bytes'):
            raise Torn('no bytes')
        data = self._bytes(address, 'PyStringObject.ob_sval' if old else 'PyBytesObject.ob_sval', TABLE_MOST + 1)
        if len(data) > TABLE_MOST:
            raise Torn('table too long')
        return data

    def integer(self, address):
        """The value of the int at `address`, 0 to 2**60 - 1; None for any other object or value."""
        try:
            kind = self.type_of(address)
            if self.version == (2, 7) and self.is_a(kind, 'int'):
                return self.memory.word(address + self.layout['PyIntObject.ob_ival'])
            if not self.is_a(kind, 'long' if self.version == (2, 7) else 'int'):
                return None
            if self.version >= (3, 12):
                tag = self.memory.word(address + self.layout['PyLongObject.long_value.lv_tag'])
                digits = tag >> 3 if not tag & 2 else -1
            else:
                digits = self.memory.word(address + self.layout['PyVarObject.ob_size'])
            at = address + self.layout.first('PyLongObject.ob_digit', 'PyLongObject.long_value.ob_digit')
            if digits not in (0, 1, 2):
                return None
            return sum(self.memory.int32(at + 4 * digit) << 30 * digit for digit in range(digits))
        except Torn:
            return None


class Code(object):
    """What is shown of a code object, and the bytes by which it is known again."""

    __slots__ = ('address', 'head', 'name', 'file', 'first_line', 'first_traceable', 'start', 'length', 'argument_count', 'flags',
                 'keyword_only', 'locals_count', 'cell_arguments', 'table', 'table_at', 'exceptions', 'lines', 'decode', 'first',
                 'stack_size', '_by_offset')

    def line_at(self, offset):
        """The line of the instruction at byte `offset`; the def's line before the first one."""
        line = self._by_offset.get(offset)
        if line is None:
            line = self.first_line
            for start, end, number in self.lines or self.decode(self.table, self.first):
                if start <= offset < end:
                    line = number
                    break
            if len(self._by_offset) < 10000:
                self._by_offset[offset] = line
        return line


class CodeReader(object):
    """Code objects by address, kept as long as their memory still says the same."""

    def __init__(self, objects):
        self.objects = objects
        self.memory = objects.memory
        layout = objects.layout
        self.size = layout['PyCodeObject.size']
        self.newer = objects.version >= (3, 11)
        self.unit = 2 if objects.version == (3, 10) else 1  # bytes that f_lasti counts
        # How co_cell2arg is written, and what says `no argument` in it.
        self.cell_unit = ('B', 1, 255) if objects.version == (3, 6) else ('q', 8, -1)
        self.at = dict((name, layout.get('PyCodeObject.' + name)) for name in (
            'co_firstlineno', 'co_filename', 'co_name', 'co_qualname', 'co_argcount', 'co_kwonlyargcount', 'co_flags', 'co_nlocals',
            'co_stacksize', 'co_code', 'co_code_adaptive', '_co_firsttraceable', 'co_exceptiontable', 'co_nlocalsplus',
            'co_cellvars', 'co_cell2arg'))
        self.at['lines'] = layout.first('PyCodeObject.co_linetable', 'PyCodeObject.co_lnotab')
        self._known = {}

    def get(self, address):
        """The code object at `address`, from memory when it was read before. Raises Torn."""
        code = self._known.get(address)
        if code is None:
            code = self._read(address)
            if len(self._known) >= CODES_MOST:
                self._known.clear()
            self._known[address] = code
        return code

    def __contains__(self, address):
        return address in self._known

    def visible(self, frames):
        """(frame address, Code, byte offset of the instruction) of the frames that a traceback would show.

        Left out are the interpreter's own frames and, from 3.11 on, frames that have not begun to run
        (_PyFrame_IsIncomplete). Raises Torn where the instruction is none of that code.
        """
        shown = []
        for frame, address, instruction in frames:
            if not address:
                continue
            code = self.get(address)
            offset = instruction - code.start if self.newer else instruction * self.unit
            if not -2 <= offset < code.length:
                raise Torn('an instruction outside of its code')
            if offset >= code.first_traceable:
                shown.append((frame, code, offset))
        return shown

    def refresh(self):
        """Forgets the code objects whose memory has changed since they were read; returns their addresses."""
        codes = list(self._known.values())
        pieces = []
        for code in codes:
            pieces.append((code.address, self.size))
            pieces.append((code.table_at, min(len(code.table), TABLE_CHECKED) or 1))
        data = self.memory.read_all(pieces)
        changed = set()
        for code, head, table in zip(codes, data[::2], data[1::2]):
            if head is None or self.identity(head) != code.head or not code.table.startswith(table[:len(code.table)]):
                del self._known[code.address]
                changed.add(code.address)
        return changed

    def identity(self, head):
        """The fields that tell one code object from another; the reference count only whether it is one."""
        at = self.at
        count, kind = struct.unpack_from('<QQ', head)
        # From 3.14 on flags stand in the upper half of that word.
        alive = count & 0xffffffff if self.objects.version >= (3, 14) else count < REFCOUNT_MOST and count
        words = [kind, bool(alive)]
        for name in ('co_filename', 'co_name', 'lines'):
            words.append(struct.unpack_from('<Q', head, at[name])[0])
        words.append(struct.unpack_from('<i', head, at['co_firstlineno'])[0])
        return words

    def _read(self, address):
        memory, objects, at = self.memory, self.objects, self.at
        head = memory.read(address, self.size)
        identity = self.identity(head)
        if not identity[1] or not objects.is_a(identity[0], 'code'):
            raise Torn('no code object')
        code = Code()
        code.address, code.head = address, identity
        word = lambda name: struct.unpack_from('<Q', head, at[name])[0]
        number = lambda name: struct.unpack_from('<i', head, at[name])[0]
        code.name = objects.string(word('co_qualname' if self.newer else 'co_name'))
        code.file = objects.string(word('co_filename'))
        code.first_line = max(number('co_firstlineno'), 0)
        code.argument_count, code.flags = number('co_argcount'), number('co_flags')
        code.keyword_only = number('co_kwonlyargcount') if at['co_kwonlyargcount'] else 0
        code.stack_size = number('co_stacksize')
        code.table = objects.table(word('lines'))
        code.table_at = word('lines') + objects.table_offset
        code._by_offset = {}
        code.exceptions = b''
        code.cell_arguments = {}
        code.first_traceable = -2
        code.start = 0
        if self.newer:
            code.start = address + at['co_code_adaptive']
            code.first_traceable = number('_co_firsttraceable') * 2
            code.length = struct.unpack_from('<Q', head, objects.layout['PyVarObject.ob_size'])[0] * 2
            code.exceptions = objects.table(word('co_exceptiontable'))
            code.locals_count = number('co_nlocalsplus')
        else:
            code.locals_count = number('co_nlocals')
            code.cell_arguments = self._cell_arguments(word('co_cellvars'), word('co_cell2arg') if at['co_cell2arg'] else 0)
            code.length = memory.word(word('co_code') + objects.layout['PyVarObject.ob_size'])
        code.decode = line_decoder(objects.version)
        code.first = number('co_firstlineno')
        code.lines = list(code.decode(code.table, code.first)) if len(code.table) < SMALL_TABLE else None
        if self.identity(memory.read(address, self.size)) != identity:
            raise Torn('code object changed')
        return code


    def _cell_arguments(self, cells, table):
        """{argument: cell} of the arguments that live in a cell, 3.4 to 3.10 (Objects/codeobject.c, co_cell2arg)."""
        if not table:
            return {}
        count = self.memory.word(cells + self.objects.layout['PyVarObject.ob_size'])
        if count > 255:
            return {}
        arguments = struct.unpack('<%d%s' % (count, self.cell_unit[0]), self.memory.read(table, count * self.cell_unit[1]))
        return dict((argument, cell) for cell, argument in enumerate(arguments) if argument != self.cell_unit[2])


def line_decoder(version):
    """How this version writes its line table: a function of (table, first line) that yields (start, end, line)."""
    if version >= (3, 11):
        return location_lines
    if version == (3, 10):
        return linetable_lines
    return lnotab_lines if version >= (3, 6) else lnotab_lines_2


def lnotab_lines_2(table, line):
    """As lnotab_lines, with the unsigned line steps of 2.7."""
    return lnotab_lines(table, line, False)


def lnotab_lines(table, line, signed=True):
    """(start, end, line) of byte offsets from co_lnotab, to 3.9 (Objects/lnotab_notes.txt); signed from 3.6 on."""
    start = offset = 0
    data = bytearray(table)
    for at in range(0, len(data) - 1, 2):
        offset += data[at]
        change = data[at + 1]
        if signed and change >= 128:
            change -= 256
        if change and offset > start:
            yield start, offset, line
            start = offset
        line += change
    yield start, 1 << 40, line


def linetable_lines(table, line):
    """(start, end, line) of byte offsets from co_linetable of 3.10 (PEP 626, Objects/lnotab_notes.txt)."""
    start = 0
    shown = line
    data = bytearray(table)
    for at in range(0, len(data) - 1, 2):
        end = start + data[at]
        change = data[at + 1] - 256 if data[at + 1] >= 128 else data[at + 1]
        if change != -128:  # -128: no line; the line before goes on for people
            line += change
            shown = line
        if end > start:
            yield start, end, shown
        start = end


def location_lines(table, line):
    """(start, end, line) of byte offsets from the location table of 3.11 and later (Objects/locations.md)."""
    start = at = 0
    shown = line
    data = bytearray(table)
    while at < len(data):
        first = data[at]
        at += 1
        kind, end = first >> 3 & 15, start + ((first & 7) + 1) * 2
        if not first & 128:
            raise Torn('no location table')
        if kind in (13, 14):
            value = shift = 0
            while at < len(data):
                byte = data[at]
                at += 1
                value |= (byte & 63) << shift
                shift += 6
                if not byte & 64:
                    break
            line += -(value >> 1) if value & 1 else value >> 1
        elif 10 <= kind <= 12:
            line += kind - 10
        if kind != 15:
            shown = line
        while at < len(data) and not data[at] & 128:
            at += 1
        yield start, end, shown
        start = end
