"""Reads dicts and the attributes of instances out of another process (Objects/dictobject.c, Objects/dictnotes.txt)."""
import struct

from py_read_memory import Torn

ENTRIES_MOST = 200000
BASES_MOST = 50
MEMBERS_MOST = 200
OBJECT_MEMBERS = (6, 16)  # T_OBJECT, T_OBJECT_EX
HEAPTYPE, MANAGED_DICT, INLINE_VALUES = 1 << 9, 1 << 4, 1 << 2  # tp_flags (Include/object.h)


class Dicts(object):
    """Dicts of one process."""

    def __init__(self, objects):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        self.version = objects.version
        self._places = {}

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
        return self.values(address, (name,)).get(name, 0)

    def values(self, address, names):
        """{name: value} of those str keys (ASCII) that the dict at `address` has. Raises Torn."""
        return self._find(self.items(address), names)

    def _find(self, items, names):
        objects, layout = self.objects, self.layout
        if self.version == (2, 7):
            size_at, at = layout['PyVarObject.ob_size'], layout['PyStringObject.ob_sval']
        else:
            size_at, at = layout['PyASCIIObject.length'], layout['PyASCIIObject.size']
        wanted = dict((name.encode('ascii'), name) for name in names)
        longest = max(len(name) for name in names)
        heads = self.memory.read_all([(key, at + longest + 1) for key, _ in items])
        found = {}
        for (key, value), head in zip(items, heads):
            size = struct.unpack_from('<Q', head, size_at)[0] if head else longest + 1
            name = wanted.get(head[at:at + size]) if size <= longest else None
            if name is not None and head[at + size:at + size + 1] == b'\0' and objects.string(key) == name:
                found[name] = value
        return found

    def attribute(self, address, name):
        """The attribute `name` that the instance at `address` has itself, 0 for none. Raises Torn."""
        return self.attributes(address, (name,)).get(name, 0)

    def attributes(self, address, names):
        """{name: value} of those attributes that the instance at `address` has, in its __dict__ or in slots. Raises Torn."""
        found = self._find(self.own_items(address), names)
        if len(found) < len(names):
            for name, offset in self.slots(self.objects.type_of(address)).items():
                if name in names and name not in found:
                    value = self.memory.word(address + offset)
                    if value:
                        found[name] = value
        return found

    def slots(self, kind):
        """{name: offset} of the slots that the class at `kind` and those it extends have. Raises Torn."""
        places = self._places.get(kind)
        if places is None:
            memory, layout, places, each = self.memory, self.layout, {}, kind
            for _ in range(BASES_MOST):
                if not each or not memory.word(each + layout['PyTypeObject.tp_flags']) & HEAPTYPE:
                    break
                for name, offset in self._members(each):
                    places.setdefault(name, offset)
                each = memory.word(each + layout['PyTypeObject.tp_base'])
            self._places[kind] = places
        return places

    def _members(self, kind):
        """(name, offset) of the objects that a class itself declares as slots (Include/structmember.h)."""
        memory, layout = self.memory, self.layout
        at = memory.word(kind + layout['PyTypeObject.tp_members'])
        size = memory.word(kind + layout['PyTypeObject.tp_basicsize'])
        for _ in range(MEMBERS_MOST if at else 0):
            name = memory.word(at + layout['PyMemberDef.name'])
            if not name:
                return
            offset = memory.word(at + layout['PyMemberDef.offset'])
            if memory.int32(at + layout['PyMemberDef.type']) in OBJECT_MEMBERS and 16 <= offset < size:
                yield memory.text(name, 256).decode('utf-8', 'replace'), offset
            at += layout['PyMemberDef.size']

    def own_items(self, address):
        """[(name, value)] of what the instance at `address` has in its own __dict__, as addresses. Raises Torn."""
        own, keys, values = self.own_dict(address)
        if values:
            return self._keyed(keys, values)
        return self.items(own) if own else []

    def own_dict(self, address):
        """Where the instance at `address` keeps its attributes: (its __dict__, 0, 0), or (0, keys, values) where it has
        none (Include/internal/pycore_object.h), or (0, 0, 0). Raises Torn.
        """
        objects, memory, layout = self.objects, self.memory, self.layout
        kind = objects.type_of(address)
        flags = memory.word(kind + layout['PyTypeObject.tp_flags'])
        if self.version >= (3, 11) and flags & MANAGED_DICT:
            return self._managed(address, kind, flags)
        offset = struct.unpack('<q', memory.read(kind + layout['PyTypeObject.tp_dictoffset'], 8))[0]
        # Negative ones belong to types of variable size, int's and tuple's subclasses.
        if not 0 < offset < 1 << 16:
            return 0, 0, 0
        return memory.word(address + offset), 0, 0

    def _managed(self, address, kind, flags):
        """As `own_dict` where the interpreter may keep values without a dict."""
        memory, layout = self.memory, self.layout
        own, values = memory.word(address - 24), 0
        if self.version == (3, 11):
            values = memory.word(address - 32)
        elif self.version == (3, 12):
            values, own = (own + 1, 0) if own & 1 else (0, own)
        elif not own and flags & INLINE_VALUES:
            values = address + memory.word(kind + layout['PyTypeObject.tp_basicsize'])
            if not memory.read(values, 4)[3:] == b'\1':
                return 0, 0, 0
        if values:
            if not flags & HEAPTYPE:
                raise Torn('no class')
            return 0, memory.word(kind + layout['PyHeapTypeObject.ht_cached_keys']), values
        return own, 0, 0
