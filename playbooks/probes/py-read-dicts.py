"""Reads dicts and the attributes of instances out of another process (Objects/dictobject.c, Objects/dictnotes.txt)."""
import struct

from py_read_memory import Torn

ENTRIES_MOST = 200000
HEAPTYPE, MANAGED_DICT, INLINE_VALUES = 1 << 9, 1 << 4, 1 << 2  # tp_flags (Include/object.h)


class Dicts(object):
    """Dicts of one process."""

    def __init__(self, objects):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        self.version = objects.version

    def items(self, address):
        """[(key, value)] of the dict at `address`, as addresses. Raises Torn for anything else."""
        if not self.objects.is_instance(address, 'dict'):
            raise Torn('no dict')
        memory, layout = self.memory, self.layout
        if self.version == (2, 7):
            count = memory.word(address + layout['PyDictObject.ma_mask']) + 1
            table = memory.word(address + layout['PyDictObject.ma_table'])
            return [(key, value) for _, key, value in self._entries(table, count, 'QQQ') if value]
        keys = memory.word(address + layout['PyDictObject.ma_keys'])
        values = memory.word(address + layout['PyDictObject.ma_values'])
        return self._keyed(keys, values)

    def _keyed(self, keys, values):
        """The items of a keys object; `values` is the address of split values, or 0."""
        memory, layout = self.memory, self.layout
        count = memory.word(keys + layout['PyDictKeysObject.dk_nentries'])
        entries = keys + layout['PyDictKeysObject.dk_indices']
        if self.version >= (3, 11):
            size, kind = struct.unpack('<BB', memory.read(keys + layout['PyDictKeysObject.dk_log2_index_bytes'], 2))
            if size > 40:
                raise Torn('no keys of a dict')
            found = self._entries(entries + (1 << size), count, 'QQ' if kind else 'QQQ')
        else:
            slots = memory.word(keys + layout['PyDictKeysObject.dk_size'])
            width = 1 if slots <= 0xff else 2 if slots <= 0xffff else 4 if slots <= 0xffffffff else 8
            if slots > 1 << 32:
                raise Torn('no keys of a dict')
            found = self._entries(entries + slots * width, count, 'QQQ')
        found = [entry[-2:] for entry in found]
        if values:
            data = memory.read(values + (8 if self.version >= (3, 13) else 0), 8 * len(found)) if found else b''
            found = [(entry[0], value) for entry, value in zip(found, struct.unpack('<%dQ' % len(found), data))]
        return [(key, value) for key, value in found if key and value]

    def _entries(self, address, count, entry):
        if not 0 <= count <= ENTRIES_MOST:
            raise Torn('no dict, or too big a one')
        size = struct.calcsize(entry)
        data = self.memory.read(address, size * count) if count else b''
        return [struct.unpack_from('<' + entry, data, at) for at in range(0, len(data), size)]

    def value(self, address, name):
        """The value of the str key `name` (ASCII) in the dict at `address`, 0 for none. Raises Torn."""
        return self._find(self.items(address), name)

    def _find(self, items, name):
        objects, layout = self.objects, self.layout
        if self.version == (2, 7):
            size_at, at = layout['PyVarObject.ob_size'], layout['PyStringObject.ob_sval']
        else:
            size_at, at = layout['PyASCIIObject.length'], layout['PyASCIIObject.size']
        heads = self.memory.read_all([(key, at + len(name) + 1) for key, _ in items])
        wanted = name.encode('ascii') + b'\0'
        for (key, value), head in zip(items, heads):
            if head and head[at:] == wanted and struct.unpack_from('<Q', head, size_at)[0] == len(name):
                if objects.string(key) == name:
                    return value
        return 0

    def attribute(self, address, name):
        """The attribute `name` of the instance at `address` in its own __dict__, 0 for none. Raises Torn."""
        objects, memory, layout = self.objects, self.memory, self.layout
        kind = objects.type_of(address)
        flags = memory.word(kind + layout['PyTypeObject.tp_flags'])
        if self.version >= (3, 11) and flags & MANAGED_DICT:
            return self._managed(address, kind, flags, name)
        offset = struct.unpack('<q', memory.read(kind + layout['PyTypeObject.tp_dictoffset'], 8))[0]
        # Negative ones belong to types of variable size, int's and tuple's subclasses.
        if not 0 < offset < 1 << 16:
            return 0
        own = memory.word(address + offset)
        return self.value(own, name) if own else 0

    def _managed(self, address, kind, flags, name):
        """As `attribute` where the interpreter keeps values without a dict (Include/internal/pycore_object.h)."""
        memory, layout = self.memory, self.layout
        own, values = memory.word(address - 24), 0
        if self.version == (3, 11):
            values = memory.word(address - 32)
        elif self.version == (3, 12):
            values, own = (own + 1, 0) if own & 1 else (0, own)
        elif not own and flags & INLINE_VALUES:
            values = address + memory.word(kind + layout['PyTypeObject.tp_basicsize'])
            if not memory.read(values, 4)[3:] == b'\1':
                return 0
        if values:
            if not flags & HEAPTYPE:
                raise Torn('no class')
            keys = memory.word(kind + layout['PyHeapTypeObject.ht_cached_keys'])
            return self._find(self._keyed(keys, values), name)
        return self.value(own, name) if own else 0
