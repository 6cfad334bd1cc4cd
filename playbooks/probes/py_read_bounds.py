"""How many items a container of another process can ever have, where it bounds itself or its owner keeps a bound beside it."""
import re
import struct

from py_read_memory import Torn

MAXLEN = 64  # of a dequeobject (Modules/_collectionsmodule.c), in 2.7 and from 3.6 to 3.14; -1 for none
# queue.Queue.maxsize, asyncio.Queue._maxsize, logging.handlers.MemoryHandler.capacity, cachetools' _Cache__maxsize.
BOUND = re.compile(r'_*(?:[A-Za-z]\w*?__)?(?:max_?(?:size|len|length|items|entries)|capacity)$')
REFERRERS_MOST = 4
ENDLESS = (1 << 31) - 1  # INT_MAX, SEM_VALUE_MAX and sys.maxsize say that there is none


def bound_of(heap, each, deadline):
    """The bound of a Watched container, None where none is known. Who refers to a nameless one is searched until `deadline`."""
    holder = each.holder
    if holder is not None and holder.bound is not None:
        return holder.bound
    try:
        found = []
        if heap.containers.family(each.kind) == 'deque':
            found += struct.unpack('<q', heap.memory.read(each.address + MAXLEN, 8))
        if holder is not None and holder.kind == 'attribute' and holder.owner:
            found += beside(heap, holder.owner)
        elif holder is None:
            for referrer in heap.referrers.of(each.address, deadline)[:REFERRERS_MOST]:
                found += beside(heap, referrer.address)
    except Torn:
        return None
    return min((bound for bound in found if 0 < each.sizes[-1][1] <= bound < ENDLESS), default=None)


def beside(heap, owner):
    """The integers that the object at `owner`, or its dict, keeps under names of bounds. Raises Torn."""
    references, found = heap.references, []
    kind = references.kind(owner)
    for _, name, target in references.of(owner, kind, 200) if kind else ():
        text = name if not isinstance(name, int) else heap.holders.text(name)
        if text and BOUND.match(text) and heap.objects.is_instance(target, 'int'):
            found.append(heap.objects.integer(target))
    return [bound for bound in found if bound is not None]
