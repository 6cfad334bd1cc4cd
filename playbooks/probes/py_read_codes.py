"""Code objects of another process, read once and known again, and what is shown of the frames that run them."""
import struct

from py_read_lines import line_decoder
from py_read_memory import Torn

CODES_MOST = 5000
TABLE_CHECKED = 512  # bytes of it by which a code object is known again
SMALL_TABLE = 1 << 16  # beyond it, lines are decoded when asked for
REFCOUNT_MOST = 1 << 40  # a word of a freed block is a pointer there, or zero


class Code(object):
    """What is shown of a code object, and the bytes by which it is known again."""

    __slots__ = ('address', 'head', 'name', 'file', 'first_line', 'first_traceable', 'start', 'length', 'flags',
                 'argument_count', 'keyword_only', 'locals_count', 'cell_arguments', 'stack_size', 'table', 'table_at',
                 'exceptions', 'lines', 'decode', 'first', '_by_offset')

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
            'co_firstlineno', 'co_filename', 'co_name', 'co_qualname', 'co_argcount', 'co_kwonlyargcount', 'co_flags',
            'co_nlocals', 'co_stacksize', 'co_code', 'co_code_adaptive', '_co_firsttraceable', 'co_exceptiontable',
            'co_nlocalsplus', 'co_cellvars', 'co_cell2arg'))
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
            if at['co_cell2arg']:
                code.cell_arguments = self._cell_arguments(word('co_cellvars'), word('co_cell2arg'))
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
        unit, size, none = self.cell_unit
        arguments = struct.unpack('<%d%s' % (count, unit), self.memory.read(table, count * size))
        return dict((argument, cell) for cell, argument in enumerate(arguments) if argument != none)
