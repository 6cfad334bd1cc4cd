"""Reads values of CPython objects in another process: numbers, sizes, positions of iterators, attributes.

Standard library only, Python 3.6 and newer. `read(address, size)` gives bytes of the other process or raises Torn.
Layouts are those of 64-bit release builds of CPython 2.7 and 3.6 to 3.13 (Include/ and Objects/ of each version). The
other process is running: whatever is read may be torn or freed, so every number is bounded before it is used and a
value that makes no sense is not given.
"""
import struct

from py_read_memory import Torn

MAX_NAMES = 200
ENTRIES = 64
ITEMS = 256
SPOTS = 16
SLOTS = 12
NESTED = 24
SLOT = 'slot '
NUMBER_BYTES = 32  # a whole number below 2 ** 60, or a float, with its head
SETTLE_TRIES = 8

LENGTHS = {
    # type name: (offset of the length, offset of the pointer to the items or None)
    'list': (16, 24), 'tuple': (16, None), 'str': (16, None), 'unicode': (16, None), 'bytes': (16, None),
    'bytearray': (16, None), 'array.array': (16, None), 'set': (24, 40), 'frozenset': (24, 40), 'collections.deque': (16, None),
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

HEAP_TYPE, MANAGED_DICT, INLINE_VALUES = 1 << 9, 1 << 4, 1 << 2


class NoValue(Exception):
    """What is at an address cannot be read or is not what it should be."""


class Value(object):
    """What an object was when it was looked at. `key` is equal for equal values; `number` is None for what has none."""
    __slots__ = ('type', 'key', 'number', 'size')

    def __init__(self, type_name, key, number=None, size=None):
        self.type, self.key, self.number, self.size = type_name, key, number, size


class Values(object):
    def __init__(self, read, version, read_all=None):
        self._read = read
        self._read_all = read_all
        self.version = version
        self._types = {}
        self._names = {}
        self._tuples = {}
        self.fresh()

    def fresh(self):
        """Forgets the values: a new look begins. Types, names and code objects stay known."""
        self.reads = 0
        self.memo = {}
        self._kinds = {}

    def settled(self, address, count):
        """`count` pointers at `address`, and the numbers among what they lead to, as they are at one moment.

        A running program frees a number when it binds the next one, and uses its block again at once: read later, an
        old `i` shows whatever temporary value came to lie there. So slots and numbers are read in one call, and
        again when a slot has changed meanwhile. Raises NoValue.
        """
        pointers = self.words(address, count)
        if self._read_all is None or not count:
            return pointers
        for attempt in range(SETTLE_TRIES):
            found = sorted(set(each for each in pointers if each >= 4096 and not each >> 47 and not each & 7))
            self.reads += 1
            try:
                slots = [(address, 8 * count)]
                pieces = self._read_all(slots + [(each, NUMBER_BYTES) for each in found] + slots)
            except Torn:
                raise NoValue()
            if pieces[0] is None or pieces[-1] is None:
                raise NoValue()
            now = struct.unpack('<%dQ' % count, pieces[-1])
            if pieces[0] == pieces[-1] and now == pointers or attempt == SETTLE_TRIES - 1:
                break
            pointers = now
        for each, piece in zip(found, pieces[1:]):
            if piece is not None:
                self._keep_number(each, piece)
        return pointers

    def _keep_number(self, address, piece):
        """Takes the bytes of an object for this look's value of it, if they are a number's."""
        kind, = struct.unpack('<Q', piece[8:16])
        known = self._types.get(kind)
        try:
            if known is None:
                known = self._type_at(kind)
            name = known[0]
            if name == 'float':
                number = struct.unpack('<d', piece[16:24])[0]
                value = Value(name, number, number if number == number else None)
            elif name in ('int', 'long', 'bool'):
                number = self._number_in(name, piece)
                if number is None:
                    return
                value = Value(name, number, number)
            else:
                return
        except NoValue:
            return
        self._kinds[address] = known
        self.memo[(address, False)] = self.memo[(address, True)] = value

    def _number_in(self, kind, piece):
        """The whole number in the first NUMBER_BYTES of its object; None when it is longer than that."""
        if self.version < (3,) and kind != 'long':
            return struct.unpack('<q', piece[16:24])[0]
        sign, digits = self._sign_and_digits(struct.unpack('<q', piece[16:24])[0])
        if digits > (NUMBER_BYTES - 24) // 4:
            return None
        parts = struct.unpack('<%dI' % digits, piece[24:24 + 4 * digits])
        return sign * sum((part & 0x3fffffff) << (30 * index) for index, part in enumerate(parts))

    def _sign_and_digits(self, tag):
        if self.version >= (3, 12):
            return (1, 0, -1, 1)[tag & 3], tag >> 3
        return (-1 if tag < 0 else 1), abs(tag)

    def bytes(self, address, size):
        if size == 0:
            return b''
        self.reads += 1
        if address < 4096 or address >> 47:
            raise NoValue()
        try:
            data = self._read(address, size)
        except Torn:
            raise NoValue()
        if data is None or len(data) < size:
            raise NoValue()
        return data

    def word(self, address):
        return struct.unpack('<Q', self.bytes(address, 8))[0]

    def words(self, address, count):
        return struct.unpack('<%dQ' % count, self.bytes(address, 8 * count)) if count else ()

    def number(self, address):
        return struct.unpack('<q', self.bytes(address, 8))[0]

    def integer(self, address):
        return struct.unpack('<i', self.bytes(address, 4))[0]

    def c_string(self, address):
        for size in (64, 24, 8):
            try:
                data = self.bytes(address, size)
            except NoValue:
                continue
            return data.split(b'\0')[0].decode('ascii', 'replace')
        raise NoValue()

    def type_of(self, address):
        """(name, flags, basic size, dict offset, address) of the type of the object at `address`."""
        settled = self._kinds.get(address)
        if settled is not None:
            return settled
        kind = self.word(address + 8)
        return self._types.get(kind) or self._type_at(kind)

    def _type_at(self, kind):
        name = self.c_string(self.word(kind + 24))
        size, flags = self.number(kind + 32), self.word(kind + 168)
        if not name or not 16 <= size < 1 << 20:
            raise NoValue()
        known = self._types[kind] = (name, flags, size, self.number(kind + 288), kind)
        return known

    def text(self, address):
        """A short ASCII name (attribute, variable), or '?' for any other."""
        known = self._names.get(address)
        if known is None:
            kind = self.type_of(address)[0]
            size = self.number(address + 16)
            if kind not in ('str', 'unicode') or not 0 <= size <= 120:
                return '?'
            if self.version < (3,):
                data = self.bytes(address + 36, size)
            else:
                ascii_data = 48 if self.version < (3, 12) else 40
                compact_ascii = self.integer(address + 32) & 0x60 == 0x60
                data = self.bytes(address + ascii_data, size) if compact_ascii else b'?'
            known = self._names[address] = data.decode('ascii', 'replace')
        return known

    def names(self, address):
        """The names in a tuple of strings. Code objects keep theirs for good, so they are read once."""
        known = self._tuples.get(address)
        if known is None:
            size = self.number(address + 16)
            if not 0 <= size <= 5000:
                raise NoValue()
            known = self._tuples[address] = tuple(
                self.text(each) for each in self.words(address + 24, min(size, MAX_NAMES)))
        return known

    def tuple_size(self, address):
        size = self.number(address + 16)
        if not 0 <= size <= 5000:
            raise NoValue()
        return size

    def _whole_number(self, address, kind):
        if self.version < (3,) and kind != 'long':
            return self.number(address + 16)
        sign, digits = self._sign_and_digits(self.number(address + 16))
        if digits > 40:
            return None
        total = 0
        for index, digit in enumerate(struct.unpack('<%dI' % digits, self.bytes(address + 24, 4 * digits))):
            total |= (digit & 0x3fffffff) << (30 * index)
        return sign * total

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
            return self.bytes(address + 24, 8 * min(size, 32))
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

    def entries(self, address):
        """{name: address of the value} of a dict with string keys, at most ENTRIES * 4 of them."""
        found = {}
        if self.version < (3,):
            mask, table = self.number(address + 32), self.word(address + 40)
            if not 0 <= mask < 1 << 20:
                raise NoValue()
            triples = self.words(table, 3 * min(mask + 1, ENTRIES * 16))
            for key, value in zip(triples[1::3], triples[2::3]):
                if key and value:
                    found[self._key(key)] = value
            return found
        keys, values = self.word(address + 32), self.word(address + 40)
        pairs = self.key_entries(keys)
        if values:
            at = values + 8 if self.version >= (3, 13) else values
            slots = self.words(at, len(pairs))
            pairs = [(key, value) for (key, _), value in zip(pairs, slots)]
        for key, value in pairs:
            if key and value:
                found[self._key(key)] = value
        return found

    def _entries_at(self, keys):
        """(address of the entries of a PyDictKeysObject, how many of them, whether they have hashes too)."""
        if self.version >= (3, 11):
            head = self.bytes(keys, 32)
            index_bytes, general = 1 << min(head[9], 32), head[10] == 0
            entries, at = struct.unpack('<q', head[24:32])[0], keys + 32 + index_bytes
        else:
            size, entries = self.number(keys + 8), self.number(keys + 32)
            width = 1 if size <= 0xff else 2 if size <= 0xffff else 4 if size <= 0xffffffff else 8
            at, general = keys + 40 + size * width, True
        if not 0 <= entries < 1 << 24:
            raise NoValue()
        return at, entries, general

    def key_entries(self, keys):
        """(key, value) of each entry of a PyDictKeysObject, in order; 0 where there is none."""
        at, entries, general = self._entries_at(keys)
        entries = min(entries, ENTRIES * 4)
        if general:
            flat = self.words(at, 3 * entries)
            return list(zip(flat[1::3], flat[2::3]))
        flat = self.words(at, 2 * entries)
        return list(zip(flat[0::2], flat[1::2]))

    def _key(self, address):
        try:
            return self.text(address)
        except NoValue:
            return '?'

    def attributes(self, address):
        """{name: address of the value} of an instance's own attributes; empty when it keeps none in a dict."""
        name, flags, size, dict_offset, kind = self.type_of(address)
        if not flags & HEAP_TYPE and name not in ('instance',):
            return {}
        if self.version < (3,) and name == 'instance':
            return self.entries(self.word(address + 24))
        if self.version >= (3, 11) and flags & MANAGED_DICT:
            return self._managed(address, flags, size, kind)
        if not dict_offset:
            return self._slots(address, size)
        if not 0 < dict_offset <= size:
            return {}
        own = self.word(address + dict_offset)
        return self.entries(own) if own else {}

    def _slots(self, address, size):
        """What an instance without a dict holds (`__slots__`): its words that lead to objects, without their names."""
        found = {}
        for index, word in enumerate(self.words(address + 16, min((size - 16) // 8, SLOTS))):
            try:
                if word % 8 == 0 and self.type_of(word):
                    found['%s%d' % (SLOT, index)] = word
            except NoValue:
                pass
        return found

    def _managed(self, address, flags, size, kind):
        own = self.word(address - 24)
        if self.version < (3, 12):
            values = self.word(address - 32)
        elif self.version < (3, 13):
            values, own = (own + 1, 0) if own & 1 else (0, own)
        else:
            values = address + size + 8 if not own and flags & INLINE_VALUES else 0
        if not values:
            return self.entries(own) if own else {}
        keys = self.word(kind + (872 if self.version < (3, 12) else 880))
        names = [self._key(key) if key else '?' for key, _ in self.key_entries(keys)]
        slots = self.words(values, len(names))
        return {name: value for name, value in zip(names, slots) if value}

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
            number = self._whole_number(address, kind)
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
            inner = self.words(inner + 24, 1)[0]
        if follow <= 0:
            raise NoValue()
        value = self.value(inner, follow - 1)
        return Value(kind if value.number is not None else value.type, value.key, value.number)

    def is_iterator(self, address):
        kind = self.type_of(address)[0]
        return kind == 'range_iterator' or kind in POSITIONS or kind in WRAPPERS or kind in INDEXED
