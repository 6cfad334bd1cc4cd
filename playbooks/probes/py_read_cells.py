"""Reads words, names, types and whole numbers of CPython objects in another process.

Standard library only, Python 3.6 and newer. `read(address, size)` gives bytes of the other process or raises Torn.
Layouts are those of 64-bit release builds of CPython 2.7 and 3.6 to 3.14 (Include/ and Objects/ of each version). The
other process is running: whatever is read may be torn or freed, so every number is bounded before it is used and a
value that makes no sense is not given.
"""
import struct

from py_read_memory import Torn

MAX_NAMES = 200
NUMBER_BYTES = 32  # a whole number below 2 ** 60, or a float, with its head
SETTLE_TRIES = 8


class NoValue(Exception):
    """What is at an address cannot be read or is not what it should be."""


class Value(object):
    """What an object was when it was looked at. `key` is equal for equal values; `number` is None for what has none."""
    __slots__ = ('type', 'key', 'number', 'size')

    def __init__(self, type_name, key, number=None, size=None):
        self.type, self.key, self.number, self.size = type_name, key, number, size


class Cells(object):
    """What single words and small objects of one process are, kept for the length of a look."""

    def __init__(self, read, version, read_all=None):
        self._read = read
        self._read_all = read_all
        self.version = version
        self.items_at = 32 if version >= (3, 14) else 24  # PyTupleObject.ob_item
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
        pointers = self.references(address, count)
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
            now = self._untagged(struct.unpack('<%dQ' % count, pieces[-1]))
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

    def references(self, address, count):
        """`count` references of a frame: from 3.14 on their lowest bits are tags (pycore_stackref.h)."""
        return self._untagged(self.words(address, count))

    def _untagged(self, words):
        return tuple(word & ~3 for word in words) if self.version >= (3, 14) else words

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
                self.text(each) for each in self.words(address + self.items_at, min(size, MAX_NAMES)))
        return known

    def tuple_size(self, address):
        size = self.number(address + 16)
        if not 0 <= size <= 5000:
            raise NoValue()
        return size

    def whole_number(self, address, kind):
        """The int (2.7: `long`, or any other kind for its short int) at `address`; None for one of over 40 digits of 30 bits."""
        if self.version < (3,) and kind != 'long':
            return self.number(address + 16)
        sign, digits = self._sign_and_digits(self.number(address + 16))
        if digits > 40:
            return None
        total = 0
        for index, digit in enumerate(struct.unpack('<%dI' % digits, self.bytes(address + 24, 4 * digits))):
            total |= (digit & 0x3fffffff) << (30 * index)
        return sign * total
