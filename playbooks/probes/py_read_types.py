"""Which words of another process are types, and where in a block of memory an object has its type.

A block of pymalloc's has an object's head at its beginning, behind a PyGC_Head when the type is one of the garbage
collector's, and from 3.11 on behind two more words when instances keep their dict or weak references in front of that
(_PyType_PreHeaderSize, Include/internal/pycore_object.h and pycore_gc.h). So a word is the type of the object in a
block only where that very type would have it.
"""
import struct

from py_read_memory import Torn

HEAD = 296  # bytes of a PyTypeObject that are looked at
HAVE_GC, READY, TYPE_SUBCLASS, HEAPTYPE = 1 << 14, 1 << 12, 1 << 31, 1 << 9  # Include/object.h
LIST, TUPLE, LONG, BYTES, UNICODE, DICT = 1 << 25, 1 << 26, 1 << 24, 1 << 27, 1 << 28, 1 << 29
MANAGED_DICT = 1 << 4
PREHEADER = 3 << 3  # managed dict, managed weak references
REJECTED_MOST = 1 << 20
PLAIN, COLLECTED, PREHEADED = 0, 1, 2


class Type(object):
    """One type: `name` is tp_name; `place` one of PLAIN, COLLECTED, PREHEADED; `size` and `item` in bytes."""

    __slots__ = ('address', 'name', 'flags', 'size', 'item', 'place', 'dict', 'attributes', 'weak', 'base', 'meta', 'shown')


class Types(object):
    """The types of one process, each verified when it was first met."""

    def __init__(self, objects):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        self.preheaders = objects.version >= (3, 11)
        self.gc_head = objects.layout['PyGC_Head.size']
        self.known = {}
        self.rejected = set()
        self.places = (set(), set(), set())  # addresses of the types by place
        self.collected = set()  # those of places COLLECTED and PREHEADED
        self.dead = set()

    def prefix(self, kind):
        """Bytes between the beginning of a block and the object of the Type in it."""
        return (0, self.gc_head, self.gc_head + 16)[kind.place]

    def resolve(self, words):
        """Looks at words that may be types and are not known yet."""
        words = [word for word in words if word not in self.known and word not in self.rejected
                 and 4096 <= word < 1 << 47 and not word & 7]
        if len(self.rejected) > REJECTED_MOST:
            self.rejected.clear()
        for first in range(0, len(words), 1000):
            some = words[first:first + 1000]
            for word, head in zip(some, self.memory.read_all([(word, HEAD) for word in some])):
                kind = None
                if head is not None:
                    try:
                        kind = self._verified(word, head)
                    except Torn:
                        pass
                if kind is None:
                    self.rejected.add(word)
                else:
                    self.known[word] = kind
                    self.places[kind.place].add(word)
                    if kind.place:
                        self.collected.add(word)

    def get(self, address):
        """The Type at `address`, None when there is none."""
        if address not in self.known and address not in self.rejected:
            self.resolve([address])
        return self.known.get(address)

    def _verified(self, address, head):
        """The Type whose first bytes are `head`, None for what is no type. May raise Torn."""
        layout = self.layout
        word = lambda name: struct.unpack_from('<Q', head, layout[name])[0]
        count, meta, flags = word('PyObject.ob_refcnt'), word('PyObject.ob_type'), word('PyTypeObject.tp_flags')
        size, item = struct.unpack_from('<qq', head, layout['PyTypeObject.tp_basicsize'])
        if not flags & READY or not count or not 16 <= size < 1 << 24 or not 0 <= item < 1 << 16 or meta & 7:
            return None
        if meta != address:
            if not 4096 <= meta < 1 << 47:
                return None
            if self.objects.type_of(self.objects.type_of(meta)) != self.objects.type_of(meta):
                return None
            if not self.memory.word(meta + layout['PyTypeObject.tp_flags']) & TYPE_SUBCLASS:
                return None
        elif not flags & TYPE_SUBCLASS:
            return None
        name = self.memory.text(word('PyTypeObject.tp_name'), 512)
        if not name:
            return None
        kind = Type()
        kind.address, kind.flags, kind.size, kind.item, kind.meta = address, flags, size, item, meta
        kind.name = name.decode('utf-8', 'surrogateescape')
        kind.dict = word('PyTypeObject.tp_dict')
        kind.base = word('PyTypeObject.tp_base')
        kind.attributes, = struct.unpack_from('<q', head, layout['PyTypeObject.tp_dictoffset'])
        kind.weak, = struct.unpack_from('<q', head, layout['PyTypeObject.tp_weaklistoffset'])
        kind.shown = None
        kind.place = PLAIN
        if flags & HAVE_GC:
            kind.place = PREHEADED if self.preheaders and flags & PREHEADER else COLLECTED
        return kind

    def shown(self, kind, dicts):
        """The name for people: `dict`, `collections.deque`, `app.Session`."""
        if kind.shown is None:
            kind.shown = kind.name
            # A class of a Python program has its plain name only; its module is in its dict.
            if kind.flags & HEAPTYPE and '.' not in kind.name and kind.dict:
                try:
                    module = dicts.value(kind.dict, '__module__')
                    text = self.objects.string(module) if module else ''
                    if text and text not in ('builtins', '__builtin__'):
                        kind.shown = '%s.%s' % (text, kind.name)
                except Torn:
                    pass
        return kind.shown
