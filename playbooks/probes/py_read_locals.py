"""What the local variables of a frame hold, as short texts: numbers, the beginnings of strings, sizes, a few members.

Standard library only, Python 3.6 and newer. Nothing is stopped, called or attached to: texts are made of what lies in
memory, never of what the program's own `__repr__` would say. The program goes on meanwhile, so each number is bounded
before it is used, and what makes no sense is written as `?`.
"""
import re
import struct

from py_read_cells import NoValue
from py_read_memory import Torn
from py_read_slots import FRAMES, Code
from py_read_report import escaped, quoted, token
from py_read_values import DICTS, LENGTHS, NO_DATA, Values

TEXT_MOST = 200  # characters of a string
INNER_TEXT_MOST = 80  # of one within something
BYTES_MOST = 60
MEMBERS_MOST = 8
LINE_MOST = 700
VARIABLES_MOST = 80  # of one frame
READS_MOST = 60000  # of one thread
EXCEPTION = 1 << 30  # Py_TPFLAGS_BASE_EXC_SUBCLASS (Include/object.h)
TYPE = 1 << 31  # Py_TPFLAGS_TYPE_SUBCLASS
# Classes that extend these lie in memory as these do (Py_TPFLAGS_LONG_SUBCLASS and the following).
BUILT_ON = ((1 << 24, 'int'), (1 << 25, 'list'), (1 << 26, 'tuple'), (1 << 29, 'dict'))
EXCEPTION_ARGS = 24  # PyBaseExceptionObject.args (Include/cpython/pyerrors.h)
OPEN, CLOSE = {'list': '[', 'tuple': '('}, {'list': ']', 'tuple': ')'}


def shortened(text):
    """The beginning of a text; a string in it that is cut keeps both of its quotes, by which secrets are known later."""
    text = text[:LINE_MOST].rstrip('\\')
    inside = re.sub(r'\\.', '', text).count('"') % 2
    return text + ('"' if inside else '') + '... (cut)'


class Locals(object):
    """Reads the variables of frames. `objects` is a py_read_objects.Objects, `dicts` a py_read_dicts.Dicts."""

    def __init__(self, objects, dicts):
        self.objects = objects
        self.dicts = dicts
        self.version = objects.version
        self.values = Values(objects.memory.read, objects.version, objects.memory.read_all)
        self._codes = {}
        self._told = set()

    @staticmethod
    def knows(version):
        return version in FRAMES

    def fresh(self):
        """Forgets what was read: another thread, or another look."""
        self.values.fresh()
        self._told.clear()

    def variables(self, frame, code):
        """[(name, text)] of the frame at address `frame` with the code object at `code`, and how many more it has.

        Raises NoValue when it is no frame (any more).
        """
        code = self._code(code)
        values = self.values
        locals_at, globals_at, f_locals_at = FRAMES[self.version][:3]
        pointers = values.settled(frame + locals_at, len(code.slots))
        found = [(name, pointer) for name, pointer in zip(code.slots, pointers) if pointer]
        own, = struct.unpack('<Q', values.bytes(frame + f_locals_at, 8))
        shared, = struct.unpack('<Q', values.bytes(frame + globals_at, 8))
        if own and (own == shared or not code.slots):
            found += self._named(own, code.names)
        told = []
        for name, pointer in found[:VARIABLES_MOST]:
            text = self._variable(pointer)
            # To 3.10 an argument that a closure uses is a local and a cell.
            if (name, text) not in told:
                told.append((name, text))
        return told, max(0, len(found) - VARIABLES_MOST)

    def _code(self, address):
        known = self._codes.get(address)
        if known is None:
            known = self._codes[address] = Code(self.values, self.version, address)
        return known

    def _named(self, mapping, names):
        """Of a module's or class body's names those that its code refers to and that are data."""
        try:
            entries = self.values.entries(mapping)
            return [(name, entries[name]) for name in names if entries.get(name) and self.values.is_data(entries[name])]
        except NoValue:
            return []

    def _variable(self, pointer):
        try:
            if self.values.type_of(pointer)[0] == 'cell':
                pointer = self.values.word(pointer + 16)
                if not pointer:
                    return '(not bound)'
            text = self.text(pointer, 2)
        except (NoValue, Torn):
            return '?'
        return text if len(text) <= LINE_MOST else shortened(text)

    def text(self, address, deep):
        """What the object at `address` is; of what it holds as much as `deep` levels. Raises NoValue and Torn."""
        values = self.values
        if values.reads > READS_MOST:
            return '?'
        kind, flags = values.type_of(address)[:2]
        if kind in ('int', 'long', 'bool', 'float', 'NoneType'):
            return self._simple(kind, address)
        if kind in ('str', 'unicode'):
            return self._string(kind, address, TEXT_MOST if deep > 1 else INNER_TEXT_MOST)
        name = ''.join(escaped(character) for character in kind)
        if kind in ('bytes', 'bytearray'):
            return self._bytes(kind, address)
        if kind in DICTS:
            return self._dict(name, address, deep)
        if kind in LENGTHS:
            return self._sequence(kind, address, deep)
        if flags & TYPE:
            return 'class %s' % token(self.objects.type_name(address))
        if flags & EXCEPTION:
            return self._exception(name, address, deep)
        if kind in NO_DATA:
            return name
        for flag, base in BUILT_ON:
            if flags & flag:
                return '%s: %s' % (name, self._built_on(base, address, deep))
        return self._instance(name, address, deep)

    def _simple(self, kind, address):
        value = self.values.value(address)
        if kind == 'NoneType':
            return 'None'
        if kind == 'bool':
            return 'True' if value.number else 'False'
        if kind == 'float':
            return repr(value.key)
        if value.number is None:
            return '%s of more than a thousand bits' % kind
        return repr(value.number)

    def _built_on(self, base, address, deep):
        if base == 'dict':
            return self._dict(base, address, deep)
        if base != 'int':
            return self._sequence(base, address, deep)
        number = self.values.whole_number(address, 'long')
        return 'int of more than a thousand bits' if number is None else repr(number)

    def _string(self, kind, address, most):
        length = self.values.number(address + 16)
        if kind == 'unicode' or not 0 <= length < 1 << 40:
            return '%s of %d' % (kind, max(0, length))
        text = self.objects.string(address)
        if length <= most:
            return quoted(text)
        return '%s... (%d characters)' % (quoted(text[:most]), length)

    def _bytes(self, kind, address):
        length = self.values.number(address + 16)
        if not 0 <= length < 1 << 40:
            raise NoValue()
        if kind == 'bytes':
            at = address + 32
        else:
            at = self.values.word(address + (40 if self.version >= (3,) else 32))
        data = self.values.bytes(at, min(length, BYTES_MOST)) if length else b''
        text = 'b"%s"' % ''.join(escaped(chr(byte)) if byte < 0x7f else '\\x%02x' % byte for byte in data)
        text = text if kind == 'bytes' else 'bytearray(%s)' % text
        return text if length <= BYTES_MOST else '%s... (%d bytes)' % (text, length)

    def _inner(self, address, deep):
        try:
            return self.text(address, deep - 1)
        except (NoValue, Torn):
            return '?'

    def _sequence(self, kind, address, deep):
        length_at, items_at = LENGTHS[kind]
        length = self.values.number(address + length_at)
        if not 0 <= length < 1 << 40:
            raise NoValue()
        if kind not in OPEN or deep <= 0 or not length:
            return '%s of %d' % (kind, length)
        at = address + self.values.items_at if kind == 'tuple' else self.values.word(address + items_at)
        items = self.values.words(at, min(length, MEMBERS_MOST))
        texts = [self._inner(item, deep) if item else '?' for item in items]
        return '%s of %d: %s%s%s' % (
            kind, length, OPEN[kind], ', '.join(texts + ['...'] * (length > MEMBERS_MOST)), CLOSE[kind])

    def _dict(self, name, address, deep):
        used = self.values.number(address + (24 if self.version < (3,) else 16))
        if not 0 <= used < 1 << 40:
            raise NoValue()
        if deep <= 0 or not used or used > 100000:
            return '%s of %d' % (name, used)
        try:
            items = self._items(address)
        except Torn:
            return '%s of %d' % (name, used)
        texts = ['%s: %s' % (self._inner(key, deep), self._inner(value, deep)) for key, value in items[:MEMBERS_MOST]]
        return '%s of %d: {%s}' % (name, used, ', '.join(texts + ['...'] * (used > len(texts))))

    def _items(self, address):
        """(key, value) of the first entries; of a dict's subclass too, which begins as a dict does."""
        values = self.values
        if self.version < (3,):
            return self.dicts.items(address)
        keys, split = values.words(address + 32, 2)
        entries = values.key_entries(keys)
        if split:
            slots = values.words(split + 8 if self.version >= (3, 13) else split, len(entries))
            entries = [(key, slot) for (key, _), slot in zip(entries, slots)]
        return [(key, value) for key, value in entries if key and value]

    def _exception(self, name, address, deep):
        arguments = self.values.word(address + EXCEPTION_ARGS)
        size = self.values.tuple_size(arguments)
        items = self.values.words(arguments + self.values.items_at, min(size, MEMBERS_MOST))
        return '%s(%s)' % (name, ', '.join(self._inner(item, deep) for item in items))

    def _instance(self, name, address, deep):
        text = '%s at %#x' % (name, address)
        if deep <= 0:
            return text
        if address in self._told:
            return '%s (above)' % text
        self._told.add(address)
        try:
            attributes = self._attributes(address)
        except (NoValue, Torn):
            return text
        if not attributes:
            return text
        texts = ['%s=%s' % (token(key), self._inner(value, deep - 1)) for key, value in attributes[:MEMBERS_MOST]]
        return '%s {%s}' % (text, ', '.join(texts + ['...'] * (len(attributes) > MEMBERS_MOST)))

    def _attributes(self, address):
        """[(name, address)] of an instance's own attributes, in its __dict__ and in slots."""
        found = [(self.objects.string(key), value) for key, value in self.dicts.own_items(address)[:4 * MEMBERS_MOST]]
        for name, offset in self.dicts.slots(self.objects.type_of(address)).items():
            value = self.values.word(address + offset)
            if value:
                found.append((name, value))
        return [(name, value) for name, value in found if self.values.is_data(value)]
