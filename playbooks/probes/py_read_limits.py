"""Which asyncio tasks wait under a time limit: a timer of their loop will end the wait.

A loop keeps its timers in a list (BaseEventLoop._scheduled). What a timer calls leads to the task that it will cancel, or
to the future that it will end: asyncio.timeout, async_timeout, aiohttp's timeouts, loop.call_later, sleep. To 3.11
asyncio.wait_for waits in a task of its own for the one that it limits.
"""
import struct
import time

from py_read_blocks import bound_method, locals_at
from py_read_memory import Torn
from py_read_stacks import reference_bits

TIMERS_MOST = 400
NO_LIMIT = float('inf')
THINGS_MOST = 40  # that are followed from one timer
ITEMS_MOST = 16
LEADS = ('_task', '_tasks', '_callbacks', '_waiter', '_fut', '_func')
FUTURES = ('_asyncio.Future', '_asyncio.Task', 'Future', 'Task')


class Limits(object):
    """The limits of the tasks of one process."""

    def __init__(self, objects, dicts):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        self.dicts = dicts
        self.bits = reference_bits(objects.layout)

    def find(self, strands):
        """Sets `limit` of each Strand of a task: seconds, NO_LIMIT, or None when the timers of its loop cannot be read."""
        ends = dict((loop, self._ended_by(loop)) for loop in set(strand.loop for strand in strands))
        by_address = dict((strand.address, strand) for strand in strands)
        left = []
        for strand in strands:
            found = ends[strand.loop]
            strand.limit = None if found is None else NO_LIMIT
            for address in (strand.address, strand.awaits and strand.awaits[1]) if found else ():
                if address in found:
                    left.append((strand, found[address]))
        while left:
            strand, limit = left.pop()
            if strand.limit is None or strand.limit <= limit:
                continue
            strand.limit = limit
            left.extend((by_address[address], limit) for address in self._waited_for(strand) if address in by_address)

    def _ended_by(self, loop):
        """{task or future: seconds until a timer of the loop ends it}; None when its timers cannot be read."""
        try:
            timers = self.dicts.attribute(loop, '_scheduled')
            if not timers:
                return None
            timers = self.objects.list_items(timers)
            if len(timers) > TIMERS_MOST:
                return None
            found, now = {}, time.monotonic()
            for timer in timers:
                parts = self.dicts.attributes(timer, ('_callback', '_args', '_when'))
                when = number_at(self.objects, parts.pop('_when', 0))
                for thing in self._followed(list(parts.values())) if when is not None else ():
                    found[thing] = min(max(when - now, 0.0), found.get(thing, NO_LIMIT))
            return found
        except Torn:
            return None

    def _followed(self, things):
        """Yields the tasks and futures that `things` lead to."""
        seen = set()
        while things and len(seen) < THINGS_MOST:
            thing = things.pop()
            if thing in seen:
                continue
            seen.add(thing)
            try:
                if any(name in FUTURES for name in self.objects.bases(self.objects.type_of(thing))):
                    yield thing
                elif self.objects.is_instance(thing, 'list'):
                    things.extend(self.objects.list_items(thing)[:ITEMS_MOST])
                elif self.objects.is_instance(thing, 'tuple'):
                    things.extend(self._items(thing))
                else:
                    bound = bound_method(self.objects, thing)
                    things.extend([bound[0]] if bound else self.dicts.attributes(thing, LEADS).values())
            except Torn:
                continue

    def _items(self, address):
        count = min(self.memory.word(address + self.layout['PyVarObject.ob_size']), ITEMS_MOST)
        data = self.memory.read(address + self.layout['PyTupleObject.ob_item'], 8 * count) if count else b''
        return struct.unpack('<%dQ' % count, data)

    def _waited_for(self, strand):
        """Addresses of the tasks whose end a limited one waits for: it passes its own on to them."""
        try:
            kind, address = strand.awaits or ('', 0)
            if kind == '_GatheringFuture':
                children = self.dicts.attribute(address, '_children')
                return self.objects.list_items(children) if children else []
            if strand.shown and strand.shown[0][0].rpartition('.')[2] == 'wait_for':
                data = self.memory.read(strand.frames[-1][0] + locals_at(self.layout), 8 * 3)
                return [value & self.bits for value in struct.unpack('<3Q', data)]
            return [address]
        except Torn:
            return []


def number_at(objects, address):
    """The value of the int or float at `address`, None for anything else. Raises Torn."""
    if address and objects.is_instance(address, 'float'):
        return struct.unpack('<d', objects.memory.read(address + objects.layout['PyFloatObject.ob_fval'], 8))[0]
    return objects.integer(address) if address else None
