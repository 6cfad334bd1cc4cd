"""Reads Python objects out of another process: types, strings, bytes and numbers.

Everything that is read is checked against what it should be and bounded in size; Torn is raised for what does not fit.
"""
import struct

from py_read_memory import Torn

NAME_MOST = 4096  # characters of a name that are read; the rest is cut
BASES_MOST = 50
TABLE_MOST = 4 << 20  # bytes of a line table


class Objects(object):
    """Objects of one process, with its layout."""

    def __init__(self, memory, runtime):
        self.memory = memory
        self.runtime = runtime
        self.layout = runtime.layout
        self.version = runtime.layout.version
        self.table_offset = self.layout.first('PyBytesObject.ob_sval', 'PyStringObject.ob_sval')
        self._types = {}
        self._bases = {}
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

    def bases(self, kind):
        """Names of the type at `kind` and of those that it extends in memory (tp_base), nearest first. Raises Torn."""
        known = self._bases.get(kind)
        if known is None:
            names, each = [], kind
            while each and len(names) < BASES_MOST:
                names.append(self.type_name(each))
                each = self.memory.word(each + self.layout['PyTypeObject.tp_base'])
            known = self._bases[kind] = tuple(names)
            if len(self._bases) > 20000:
                self._bases.clear()
        return known

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

    def list_items(self, address):
        """Addresses of the items of the list at `address`, at most a thousand. Raises Torn for anything else."""
        if not self.is_instance(address, 'list'):
            raise Torn('no list')
        count = min(self.memory.word(address + self.layout['PyVarObject.ob_size']), 1000)
        items = self.memory.word(address + self.layout['PyListObject.ob_item'])
        return list(struct.unpack('<%dQ' % count, self.memory.read(items, 8 * count))) if count else []

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
