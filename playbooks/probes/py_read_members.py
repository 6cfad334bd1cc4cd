"""Reads the entries of dicts and the attributes of instances in another process, where a look at values goes on to."""
import struct

from py_read_cells import Cells, NoValue

ENTRIES = 64
SLOTS = 12
SLOT = 'slot '
HEAP_TYPE, MANAGED_DICT, INLINE_VALUES = 1 << 9, 1 << 4, 1 << 2


class Members(Cells):
    """What dicts and instances hold."""

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
