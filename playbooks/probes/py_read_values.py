"""What the objects of another process are at one moment: numbers, sizes and contents, and how far iterators have come.

The tables below say which types are read in which way; any other object is told by its address and its first words.
"""
import struct

from py_read_cells import NoValue, Value
from py_read_members import ENTRIES, Members

ITEMS = 256
SPOTS = 16
NESTED = 24

LENGTHS = {
    # type name: (offset of the length, offset of the pointer to the items or None)
    'list': (16, 24), 'tuple': (16, None), 'str': (16, None), 'unicode': (16, None), 'bytes': (16, None),
    'bytearray': (16, None), 'array.array': (16, None), 'set': (24, 40), 'frozenset': (24, 40),
    'collections.deque': (16, None),
}
DICTS = ('dict', 'collections.OrderedDict', 'collections.defaultdict', 'collections.Counter', 'OrderedDict', 'Counter',
         'defaultdict')
# Positions that grow while the iterator goes on: (offset, sign).
POSITIONS = {
    'list_iterator': (16, 1), 'listiterator': (16, 1), 'list_reverseiterator': (16, -1),
    'listreverseiterator': (16, -1), 'tuple_iterator': (16, 1), 'tupleiterator': (16, 1), 'str_iterator': (16, 1),
    'str_ascii_iterator': (16, 1), 'bytes_iterator': (16, 1), 'bytearray_iterator': (16, 1), 'iterator': (16, 1),
    'reversed': (16, -1), 'enumerate': (16, 1), 'itertools.islice': (48, 1), 'rangeiterator': (16, 1),
    'dict_keyiterator': (48, -1), 'dict_valueiterator': (48, -1), 'dict_itemiterator': (48, -1),
    'dictionary-keyiterator': (48, -1), 'dictionary-valueiterator': (48, -1), 'dictionary-itemiterator': (48, -1),
    'dict_reversekeyiterator': (48, -1), 'set_iterator': (40, -1), 'setiterator': (40, -1),
    '_collections._deque_iterator': (48, -1), '_collections.deque_iterator': (48, -1),
    'deque_iterator': (48, -1),
}
# Iterators over iterators: where the inner one is, and whether it is in a tuple there.
WRAPPERS = {'zip': (24, True), 'itertools.izip': (24, True), 'map': (16, True), 'filter': (24, False),
            'itertools.imap': (16, True), 'itertools.chain': (24, False)}
INDEXED = {'itertools.product': (24, None), 'itertools.combinations': (24, 40),
           'itertools.combinations_with_replacement': (24, 40), 'itertools.permutations': (24, 48)}
ENDLESS = ('itertools.count', 'itertools.cycle', 'itertools.repeat')
CONTAINERS = ('list', 'dict', 'set', 'bytearray', 'array.array', 'numpy.ndarray', 'collections.deque')
NO_DATA = ('function', 'builtin_function_or_method', 'module', 'type', 'classobj', 'method', 'instancemethod',
           'method_descriptor', 'wrapper_descriptor', 'staticmethod', 'classmethod', 'property', 'code', 'frame')


class Values(Members):
    """Values of objects, each read once a look."""

    def _spots(self, address, size):
        """Bytes of a block: all of a small one, else of its beginning and of places all over it."""
        if size <= 8 * ITEMS:
            return self.bytes(address, size) if size > 0 else b''
        step = (size // SPOTS) & ~7
        return self.bytes(address, 4 * ITEMS) + b''.join(
            self.bytes(address + at, 64) for at in range(0, size - 64, step))

    def _items(self, kind, address, size):
        """Something that changes when items are exchanged: pointers to what it holds."""
        length_at, items_at = LENGTHS[kind]
        if kind == 'tuple':
            return self.bytes(address + self.items_at, 8 * min(size, 32))
        if kind == 'list':
            return self._spots(self.word(address + items_at), 8 * size) if size else b''
        if kind in ('set', 'frozenset'):
            table = min(self.number(address + 32) + 1, ENTRIES)
            return self.bytes(self.word(address + items_at), 16 * table) if 0 < table else b''
        if kind == 'bytes' or (kind == 'str' and self.version < (3,)):
            return self.bytes(address + (32 if kind == 'bytes' else 36), min(size, 64))
        if kind == 'str':
            return self.bytes(address + 32, 8 + min(size, 56))
        if kind == 'bytearray':
            return self._spots(self.word(address + (40 if self.version >= (3,) else 32)), size) if size else b''
        if kind == 'array.array':
            return self._spots(self.word(address + 24), size) if size else b''
        if kind == 'unicode':
            return self.bytes(self.word(address + 24), 2 * min(size, 32)) if size else b''
        return b''

    def is_data(self, address):
        return self.type_of(address)[0] not in NO_DATA

    def _inside(self, content):
        """What the containers and arrays among the items are now: rows of a matrix, records of a table."""
        pointers = struct.unpack('<%dQ' % (len(content) // 8), content)
        found = []
        for pointer in pointers[::max(1, len(pointers) // NESTED)]:
            try:
                if pointer and self.type_of(pointer)[0] in CONTAINERS:
                    found.append(self.value(pointer).key)
            except NoValue:
                pass
        return tuple(found)

    def _array(self, address):
        """The content of a numpy array: PyArrayObject of numpy/ndarraytypes.h has data, nd, dimensions, strides."""
        data, dimensions = self.word(address + 16), self.integer(address + 24)
        if not 0 < dimensions <= 64:
            return self.bytes(data, 8) if dimensions == 0 else b''
        count = self.words(self.word(address + 32), dimensions)[0]
        stride = self.number(self.word(address + 40))
        if not 0 < stride < 1 << 40 or not 0 < count < 1 << 40:
            return b''
        return self._spots(data, count * stride)

    def value(self, address, follow=3, nested=False):
        """What the object at `address` is now; with `nested`, also what the containers in it are."""
        known = self.memo.get((address, nested))
        if known is None:
            known = self.memo[(address, nested)] = self._value(address, follow, nested)
        return known

    def _value(self, address, follow, nested):
        kind, flags, size, _, _ = self.type_of(address)
        if kind in ('int', 'long', 'bool'):
            number = self.whole_number(address, kind)
            return Value(kind, number, number)
        if kind == 'float':
            number = struct.unpack('<d', self.bytes(address + 16, 8))[0]
            return Value(kind, number, number if number == number else None)
        if kind == 'NoneType':
            return Value(kind, None)
        if kind in DICTS:
            return self._dict(kind, address)
        if kind in LENGTHS:
            length = self.number(address + LENGTHS[kind][0])
            if not 0 <= length < 1 << 40:
                raise NoValue()
            content = self._items(kind, address, length)
            if nested and kind in ('list', 'tuple'):
                content = content, self._inside(content)
            return Value(kind, (length, content), None, length)
        if kind in ('range_iterator', 'rangeiterator') or kind in POSITIONS or kind in WRAPPERS or kind in INDEXED:
            return self._iterator(kind, address, follow)
        if kind == 'numpy.ndarray':
            return Value(kind, self._array(address))
        words = self.bytes(address + 16, min(size, 112) - 16) if size > 16 else b''
        return Value(kind, (address, words))

    def _dict(self, kind, address):
        used = self.number(address + (24 if self.version < (3,) else 16))
        if not 0 <= used < 1 << 40:
            raise NoValue()
        if self.version < (3,):
            table = min(self.number(address + 32) + 1, ENTRIES)
            content = self.bytes(self.word(address + 40), 24 * table) if table > 0 else b''
        else:
            keys, values = self.words(address + 32, 2)
            at, entries, general = self._entries_at(keys)
            if values:
                content = self.bytes(values, 8 * min(used, ENTRIES) + 8)
            else:
                size = (24 if general else 16) * entries
                content = self._spots(at, size) if size else b''
        return Value(kind, (used, content), None, used)

    def _iterator(self, kind, address, follow):
        if kind == 'range_iterator' and self.version >= (3, 12):
            return Value(kind, None, -self.number(address + 32))
        if kind in ('range_iterator', 'rangeiterator'):
            return Value(kind, None, self.number(address + 16))
        if kind == 'enumerate' and follow > 0:
            inner = self.type_of(self.word(address + 24))[0]
            if inner in ENDLESS:
                return Value('endless', None, self.number(address + 16))
        if kind in POSITIONS:
            at, sign = POSITIONS[kind]
            return Value(kind, None, sign * self.number(address + at))
        if kind in INDEXED:
            at, count_at = INDEXED[kind]
            count = self.number(address + count_at) if count_at else self.tuple_size(self.word(address + 16))
            if not 0 < count <= 64:
                raise NoValue()
            return Value(kind, None, self.words(self.word(address + at), count))
        at, in_tuple = WRAPPERS[kind]
        inner = self.word(address + at)
        if in_tuple:
            inner = self.words(inner + self.items_at, 1)[0]
        if follow <= 0:
            raise NoValue()
        value = self.value(inner, follow - 1)
        return Value(kind if value.number is not None else value.type, value.key, value.number)

    def is_iterator(self, address):
        kind = self.type_of(address)[0]
        return kind == 'range_iterator' or kind in POSITIONS or kind in WRAPPERS or kind in INDEXED
