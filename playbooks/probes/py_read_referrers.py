"""Who refers to an object of another process: pools are searched for its address, block by block.

A block that is no object belongs to one: the table of a dict, the items of a list, the values of an instance; so what
refers to that block is looked for in turn. Tables too big for a pool are not searched.
"""
import array
import time

from py_read_holders import LIBRARY, Holder
from py_read_memory import Torn
from py_read_pools import OVERHEAD, free_blocks, runs

FOUND_MOST = 40
LEVELS = 3


class Referrer(object):
    """`kind` is the Type of the object at `address` that refers to `target`."""

    __slots__ = ('address', 'kind', 'target')

    def __init__(self, address, kind, target):
        self.address, self.kind, self.target = address, kind, target


class Referrers(object):
    """Searches the pools of a Heap."""

    def __init__(self, heap):
        self.heap = heap

    def of(self, target, deadline):
        """The Referrers of the object at `target`, found until `deadline`."""
        heap = self.heap
        found, blocks = self._search({target: target}, deadline)
        for _ in range(2):
            if not blocks:
                break
            inner = {}
            for start, size in blocks[:FOUND_MOST]:
                inner.update((address, target) for address in range(start, start + size, 8))
                if heap.objects.version[:2] == (3, 12):  # an instance's values, marked by 1 less (Objects/dictobject.c)
                    inner.update((address - 1, target) for address in range(start + 8, start + size, 8))
            more, blocks = self._search(inner, deadline)
            found.extend(more)
        return found[:FOUND_MOST]

    def _search(self, targets, deadline):
        """([Referrer], [(address, size) of a block that is no object]) of the blocks in which a target stands."""
        heap = self.heap
        found, blocks, census = [], [], heap.last or heap.first
        wanted, size = set(targets), census.pools.size
        for base, data, pools in runs(heap.memory, census.pools, census.pools.used):
            words = array.array('Q')
            words.frombytes(data)
            hits = wanted.intersection(words)
            if hits:
                for pool in pools:
                    at = (pool[0] - base) >> 3
                    self._in_pool(pool, words[at:at + (size >> 3)], hits, targets, found, blocks)
            if time.monotonic() > deadline or len(found) >= FOUND_MOST:
                break
        return found, blocks

    def _in_pool(self, pool, words, hits, targets, found, blocks):
        heap = self.heap
        if not hits.intersection(words):
            return
        address, block = pool[:2]
        free = free_blocks(words, address, len(words) * 8, block)
        if free is None:
            return
        kinds = heap.counting._kinds(words, block, free[1], free[0])
        step, first = block >> 3, OVERHEAD >> 3
        for index, kind in enumerate(kinds):
            inside = words[first + index * step:first + (index + 1) * step]
            for word in hits.intersection(inside):
                start = address + OVERHEAD + index * block
                if kind:
                    kind = heap.types.known[kind]
                    found.append(Referrer(start + heap.types.prefix(kind), kind, targets[word]))
                elif not start <= word < start + block:
                    blocks.append((start, block))
                break

    def holder(self, address, deadline):
        """A Holder that says of which type the objects are that refer to a container; None when none is found."""
        for referrer in self.of(address, deadline):
            at, kind = referrer.address, referrer.kind
            known = self.heap.holders.found.get(at)
            if known is not None:
                return Holder(known.path + '[]', known.name, known.file, known.kind, known.function, known.line, known.library)
            if kind.name in ('functools._lru_cache_wrapper', 'tuple', 'cell', 'list'):
                continue
            if kind.name == 'dict':
                at, kind = self._owner(at, deadline)
                if kind is None:
                    continue
            name = self._attribute(at, kind, address)
            if name:
                shown = self.heap.types.shown(kind, self.heap.dicts)
                file = self._file(kind)
                library = LIBRARY.search(file) is not None or not file and '.' in shown
                made = Holder('%s().%s' % (shown, name), name, file, 'attribute', library=library)
                made.owner = at
                return made
        return None

    def _owner(self, names, deadline):
        """(address, Type) of the instance whose __dict__ is the dict at `names`; (0, None) when that is none's."""
        for referrer in self.of(names, deadline):
            try:
                if self.heap.dicts.own_dict(referrer.address)[0] == names:
                    return referrer.address, referrer.kind
            except Torn:
                continue
        return 0, None

    def _attribute(self, at, kind, target):
        """The name of the attribute of an instance that refers to `target`, None for none."""
        heap = self.heap
        try:
            for how, name, address in heap.references.of(at, kind):
                if address == target and name:
                    return name if not isinstance(name, int) else heap.objects.string(name)
                if name == '__dict__':
                    for key, value in heap.dicts.items(address):
                        if value == target:
                            return heap.objects.string(key)
        except Torn:
            pass
        return None

    def _file(self, kind):
        """The file of the module of a class, '' when it is not known."""
        heap = self.heap
        module = heap.types.shown(kind, heap.dicts).rpartition('.')[0]
        return heap.holders.module_files.get(module, '')

    def graph(self, wanted, seconds):
        """(biggest, items, path, [(level, Referrer, path)]) for the type of that name; None when there is no such object."""
        heap = self.heap
        census = heap.last or heap.first
        for items, address, kind in census.containers:
            if wanted in (heap.types.shown(heap.types.known[kind], heap.dicts), heap.types.known[kind].name):
                break
        else:
            return None
        deadline = time.monotonic() + seconds
        found, level = [], [address]
        for number in range(LEVELS):
            following = []
            for target in level:
                for referrer in self.of(target, deadline)[:8]:
                    if any(referrer.address == known.address for _, known, _ in found) or referrer.address == address:
                        continue
                    found.append((number, referrer, self._path(referrer.address)))
                    following.append(referrer.address)
            level = following[:4]
            if time.monotonic() > deadline:
                break
        return address, items, self._path(address), found[:FOUND_MOST]

    def _path(self, address):
        """What the program calls the object at `address`, None when that is not known."""
        heap = self.heap
        holder = heap.holders.found.get(address)
        if holder:
            return holder.path
        # Types are too big for a pool, so that nobody is found who refers to their dicts.
        owner = next((kind for kind in heap.types.known.values() if kind.dict == address), None)
        return 'class %s' % heap.types.shown(owner, heap.dicts) if owner else None
