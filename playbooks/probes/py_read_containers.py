"""The sizes of lists, dicts, sets and deques of another process, and what lies in them.

Objects/listobject.c, dictobject.c, setobject.c, Modules/_collectionsmodule.c: how many items there are stands in the object
itself; the items are in tables apart from it.
"""
import struct

from py_read_memory import Torn
from py_read_types import DICT, LIST

KEPT = 2000  # containers, biggest first
DEQUE_BLOCK = 64  # items
ITEMS_MOST = 1 << 34
FAMILIES = {'set': 'set', 'frozenset': 'set', 'collections.deque': 'deque'}


class Containers(object):
    """Sizes while the pools are counted, and items of single containers."""

    def __init__(self, types, dicts):
        self.types = types
        self.dicts = dicts
        self.objects = types.objects
        self.memory = types.memory
        self.layout = types.layout
        self.version = types.objects.version
        self._families = {}
        self._sized = {}
        self._found = []
        self._floor = 4
        self._dict_tables = {}
        self._used = {'list': 16, 'dict': self.layout['PyDictObject.ma_used'], 'set': self.layout['PySetObject.used'],
                      'deque': 48 if self.version == (2, 7) else 16}
        self._span = {'list': 40, 'dict': 48, 'set': 48, 'deque': 56}

    def family(self, address):
        """`list`, `dict`, `set` or `deque` for the type at `address` or one that it derives from, None for others."""
        if address not in self._families:
            self._families[address] = self._family(address)
        return self._families[address]

    def _family(self, address):
        kind = self.types.get(address)
        if kind is None:
            return None
        if kind.flags & LIST:
            return 'list'
        if kind.flags & DICT:
            return 'dict'
        for _ in range(20):
            if kind is None:
                return None
            if kind.name in FAMILIES:
                return FAMILIES[kind.name]
            kind = self.types.get(kind.base) if kind.base else None
        return None

    def disjoint(self, counts):
        """Whether none of these types is one of a container."""
        for kind in counts:
            if kind not in self._sized:
                family = self.family(kind)
                self._sized[kind] = family and (family, self.types.prefix(self.types.known[kind]) >> 3)
        return not any(self._sized[kind] for kind in counts)

    def look(self, census, address, block, found, words):
        """Takes in the sizes of the containers in a pool."""
        step, first = block >> 3, 6
        sized, tables = self._sized, census.tables
        for index, kind in enumerate(found):
            if not kind or not sized[kind]:
                continue
            family, prefix = sized[kind]
            at = first + index * step + prefix
            if len(words) < at + (self._span[family] >> 3):
                continue
            items = words[at + (self._used[family] >> 3)]
            if items >= ITEMS_MOST:
                continue
            tables[kind] += self.table(family, items, words[at:at + 6])
            if items >= self._floor:
                self._found.append((items, address + 8 * at, kind))
                if len(self._found) > 4 * KEPT:
                    self._prune()

    def table(self, family, items, words):
        """Bytes of what a container has apart from itself; for a dict the least that so many items take.

        `words` are the first six of the object.
        """
        if family == 'list':
            return 8 * min(words[4], ITEMS_MOST) if words[3] else 0
        if family == 'set':
            return 16 * (words[4] + 1) if 7 < words[4] < ITEMS_MOST else 0
        if family == 'deque':
            return (items // DEQUE_BLOCK + 1) * 8 * (DEQUE_BLOCK + 2)
        if self.version == (2, 7):
            return 24 * (words[4] + 1) if 7 < words[4] < ITEMS_MOST else 0
        if words[5]:
            return 8 * items + 16
        size = self._dict_tables.get(items)
        if size is None:
            size = self._dict_tables[items] = dict_table(items, self.version) if items else 0
        return size

    def _prune(self):
        self._found.sort(reverse=True)
        del self._found[KEPT:]
        self._floor = max(self._floor, self._found[-1][0])

    def biggest(self):
        """[(items, address, type address)] of the biggest ones seen since the last call."""
        self._prune() if len(self._found) > KEPT else self._found.sort(reverse=True)
        found, self._found, self._floor = self._found, [], 4
        return found

    def size(self, address):
        """(items, family, type address) of the container at `address`, None for anything else."""
        return self.sizes([address])[0]

    def sizes(self, addresses):
        """As `size`, for many at once."""
        found = []
        for piece in self.memory.read_all([(address + 8, 48) for address in addresses]):
            family = items = kind = None
            if piece is not None:
                kind = struct.unpack_from('<Q', piece)[0]
                family = self.family(kind) if kind in self.types.known or self.types.get(kind) else None
                if family:
                    items = struct.unpack_from('<Q', piece, self._used[family] - 8)[0]
            found.append((items, family, kind) if family and items < ITEMS_MOST else None)
        return found

    def items(self, address, most, newest=False):
        """Up to `most` (key or None, value) of a container, addresses; the last added ones where the order is kept.

        Raises Torn.
        """
        size = self.size(address)
        if size is None:
            raise Torn('no container')
        items, family, _ = size
        if not items:
            return []
        if family == 'list':
            return [(None, value) for value in self._list(address, items, most, newest)]
        if family == 'dict':
            return self._dict(address, most, newest)
        if family == 'set':
            return [(None, value) for value in self._set(address, most)]
        return [(None, value) for value in self._deque(address, items, most)]

    def _words(self, address, count):
        return struct.unpack('<%dQ' % count, self.memory.read(address, 8 * count)) if count else ()

    def _list(self, address, items, most, newest):
        count = min(items, most)
        at = self.memory.word(address + self.layout['PyListObject.ob_item'])
        if newest:
            at += 8 * (items - count)
        return [word for word in self._words(at, count) if word]

    def _set(self, address, most):
        mask = self.memory.word(address + self.layout['PySetObject.mask'])
        table = self.memory.word(address + self.layout['PySetObject.table'])
        if mask >= ITEMS_MOST:
            raise Torn('no set')
        words = self._words(table, 2 * min(mask + 1, 8 * most))
        # The key of a removed entry has the hash -1 (2.7: a str of its own; then its type tells nothing wrong).
        return [key for key, code in zip(words[::2], words[1::2]) if key and code != (1 << 64) - 1][:most]

    def _deque(self, address, items, most):
        if self.version == (2, 7):
            block, index = self._words(address + 16, 3)[::2]
            before = False
        else:
            block = self.memory.word(address + self.layout['dequeobject.leftblock'])
            index = self.memory.word(address + self.layout['dequeobject.leftindex'])
            before = True
        if index >= DEQUE_BLOCK:
            raise Torn('no deque')
        first = 8 if before or self.version == (2, 7) else 0
        slots = 62 if self.version == (2, 7) else DEQUE_BLOCK
        if self.version == (2, 7):
            first = 16  # leftlink and rightlink come first (Modules/_collectionsmodule.c of 2.7)
        count = min(items, most, slots - index)
        return [word for word in self._words(block + first + 8 * index, max(count, 0)) if word]

    def _dict(self, address, most, newest):
        memory, layout = self.memory, self.layout
        if self.version == (2, 7):
            mask = memory.word(address + layout['PyDictObject.ma_mask'])
            table = memory.word(address + layout['PyDictObject.ma_table'])
            if mask >= ITEMS_MOST:
                raise Torn('no dict')
            words = self._words(table, 3 * min(mask + 1, 8 * most))
            return [(key, value) for key, value in zip(words[1::3], words[2::3]) if key and value][:most]
        keys = memory.word(address + layout['PyDictObject.ma_keys'])
        values = memory.word(address + layout['PyDictObject.ma_values'])
        if values:
            return self.dicts.items(address)[:most]
        at, width, count = self.key_table(keys)
        first = max(0, count - most) if newest else 0
        words = self._words(at + 8 * width * first, width * min(count - first, most))
        return [(key, value) for key, value in zip(words[width - 2::width], words[width - 1::width]) if key and value]

    def key_table(self, keys):
        """(address of the first entry, words of an entry, entries) of a PyDictKeysObject. Raises Torn."""
        memory, layout = self.memory, self.layout
        count = memory.word(keys + layout['PyDictKeysObject.dk_nentries'])
        entries = keys + layout['PyDictKeysObject.dk_indices']
        if count >= ITEMS_MOST:
            raise Torn('no keys of a dict')
        if self.version >= (3, 11):
            size, kind = struct.unpack('<BB', memory.read(keys + layout['PyDictKeysObject.dk_log2_index_bytes'], 2))
            if size > 40:
                raise Torn('no keys of a dict')
            return entries + (1 << size), 2 if kind else 3, count
        slots = memory.word(keys + layout['PyDictKeysObject.dk_size'])
        if slots > 1 << 34:
            raise Torn('no keys of a dict')
        return entries + slots * index_width(slots), 3, count


def index_width(slots):
    """Bytes of an index of a dict's table (Objects/dictobject.c, DK_IXSIZE)."""
    return 1 if slots <= 0xff else 2 if slots <= 0xffff else 4 if slots <= 0xffffffff else 8


def dict_table(items, version):
    """Bytes of the smallest table that a dict of so many items has (USABLE_FRACTION, 3.6 and later)."""
    slots = 8
    while (slots << 1) // 3 < items:
        slots <<= 1
    return 40 + slots * index_width(slots) + (slots << 1) // 3 * (16 if version >= (3, 11) else 24)
