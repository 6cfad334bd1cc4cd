"""What the items of a container are, and how much memory one of them brings with it."""
import struct
from collections import Counter

from py_read_memory import Torn
from py_read_types import BYTES, HAVE_GC, LONG, UNICODE

SAMPLED = 24  # items, the last added ones where the order is kept
OBJECTS_MOST = 60  # of one item
DEPTH_MOST = 4
SHARED_MOST = 10  # references to an item that other containers know too
SMALL = 512  # bytes up to which pymalloc serves


class Weights(object):
    """Sizes of objects of one process, in bytes that they take."""

    def __init__(self, references):
        self.references = references
        self.types = references.types
        self.containers = references.containers
        self.memory = references.memory
        self.layout = references.layout
        self.objects = references.objects
        self.version = references.version

    def items(self, address):
        """(items looked at, Counter of `key type` texts, Counter of value Types, mean bytes) of a container. May raise Torn.

        The bytes of an item are those of its objects that nobody else refers to.
        """
        found = self.containers.items(address, SAMPLED, True)
        keys, values, total = Counter(), Counter(), 0
        for key, value in found:
            for counter, each in ((keys, key), (values, value)):
                if each:
                    kind = self.references.kind(each)
                    if kind is not None:
                        counter[kind] += 1
                        total += self.weigh(each)
            total += 8 if not key else 24 + 8
        return len(found), keys, values, total / float(len(found)) if found else 0.0

    def weigh(self, address):
        """Bytes of the object at `address` and of what it alone leads to; 0 when many others refer to it too."""
        total, waiting, seen = 0, [(address, 0)], set()
        while waiting and len(seen) < OBJECTS_MOST:
            at, depth = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            try:
                count, word = struct.unpack('<QQ', self.memory.read(at, 16))
                kind = self.types.get(word)
                shared = not depth and kind is not None and kind.flags & HAVE_GC and 0 < count & 0xffffffff <= SHARED_MOST
                if kind is None or count & 0xffffffff != 1 and not shared:
                    continue
                total += self.size(at, kind)
                if depth < DEPTH_MOST and not kind.flags & (LONG | BYTES | UNICODE):
                    waiting.extend((each, depth + 1) for _, _, each in self.references.of(at, kind, 16))
            except Torn:
                continue
        return total

    def size(self, address, kind):
        """Bytes that the object of the Type `kind` takes, with the table of a container. May raise Torn."""
        family = self.containers.family(kind.address)
        size = kind.size + self.types.prefix(kind)
        if family:
            words = struct.unpack('<6Q', self.memory.read(address, 48))
            items = self.containers.size(address)
            if items:
                size += self.containers.table(family, items[0], words)
        elif kind.flags & UNICODE and self.version >= (3, 3):
            size = self._string(address)
        elif kind.item:
            items = struct.unpack('<q', self.memory.read(address + self.layout['PyVarObject.ob_size'], 8))[0]
            if kind.flags & LONG and self.version >= (3, 12):
                items >>= 3
            size += kind.item * min(abs(items), 1 << 34)
        size = (size + 15) // 16 * 16 if size <= SMALL else size + 8
        return size + self._apart(address, kind)

    def _apart(self, address, kind):
        """Bytes of the buffer that an object owns apart from itself (Objects/bytearrayobject.c, Modules/arraymodule.c)."""
        if kind.name == 'bytearray' and self.version >= (3, 0):
            size = self.memory.word(address + 24)
        elif kind.name == 'array.array' and self.version >= (3, 0):
            places, description = struct.unpack('<QQ', self.memory.read(address + 32, 16))
            size = places * min(max(self.memory.int32(description + 4), 0), 16)
        else:
            return 0
        return size if size <= 1 << 34 else 0

    def _string(self, address):
        length = self.memory.word(address + self.layout['PyASCIIObject.length'])
        state = self.memory.word(address + self.layout['PyASCIIObject.state'])
        width, ascii_only = state >> 2 & 7, state >> 6 & 1
        head = self.layout['PyASCIIObject.size' if ascii_only else 'PyCompactUnicodeObject.size']
        if width not in (1, 2, 4) or length > 1 << 34:
            raise Torn('no str')
        return head + (length + 1) * width
