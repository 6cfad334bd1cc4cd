"""The state of the cyclic garbage collector of another process (Modules/gcmodule.c, Python/gc.c from 3.13 on)."""
import struct

from py_read_elf import modules
from py_read_memory import Torn

WALK_MOST = 2000
# From 3.13 on the struct changed within minor versions, and with the alignment that the compiler gives PyGC_Head: three lists
# in a row are looked for among these offsets, and the permanent one soon behind them.
GENERATIONS_AT = range(8, 64, 4)
PERMANENT_BEHIND = range(72, 100, 4)
TRIES = 5


class Collector(object):
    """The collector of the main interpreter. `state` is None where it cannot be found."""

    def __init__(self, objects):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        runtime = objects.runtime
        self.size = self.layout['gc_generation.size'] if self.layout.get('gc_generation.size') else 24
        self.threshold = self.layout.get('gc_generation.threshold') or 16
        self.at = {}
        self.enabled_at = self.first = self.garbage_at = self.permanent = self.stats = None
        if objects.version < (3, 7):
            self._old(runtime)
            return
        self.at = dict((name, self.layout.get('_gc_runtime_state.' + name)) for name in (
            'enabled', 'generations', 'permanent_generation', 'generation_stats', 'garbage'))
        if runtime.address and self.layout.get('_PyRuntimeState.gc'):
            state = runtime.address + self.layout['_PyRuntimeState.gc']
        else:
            offset = self.layout.published.get('PyInterpreterState.gc') or self.layout['PyInterpreterState.gc']
            state = runtime.interpreters()[-1] + offset
        if objects.version >= (3, 13):
            self.at = self._found(state)
            if self.at is None:
                return
        self.enabled_at = state + self.at['enabled']
        self.first = state + self.at['generations']
        self.permanent = state + self.at['permanent_generation']
        self.stats = state + self.at['generation_stats']
        self.garbage_at = state + self.at['garbage']

    def _found(self, state):
        """Offsets in the struct at `state`, by what its lists look like; None where nothing looks so."""
        collecting = self.layout.published.get('GCState.collecting')
        for _ in range(TRIES if collecting else 0):
            first = next((at for at in GENERATIONS_AT
                          if all(self._is_head(state + at + number * self.size) for number in range(3))), None)
            permanent = first and next((first + behind for behind in PERMANENT_BEHIND
                                        if self._is_head(state + first + behind)), None)
            if permanent:
                # Two ints come before the generations, `enabled` and `debug`, and before those the trashcan's two fields
                # in versions that have them.
                return {'enabled': 0 if first == 8 else 12, 'generations': first, 'permanent_generation': permanent,
                        'generation_stats': permanent + self.size, 'garbage': collecting + 8}
        return None

    def _is_head(self, address):
        """Whether a doubly linked list of the collector begins there: its first member leads back."""
        try:
            following = self.memory.word(address) & ~3
            return following > 4096 and following & 3 == 0 and self.memory.word(following + 8) & ~3 == address
        except Torn:
            return False

    def _old(self, runtime):
        """2.7 and 3.6 keep it in static variables, whose names a stripped build does not have."""
        for module in modules(self.memory):
            try:
                if module.start != runtime.module.start:
                    continue
                self.enabled_at = module.symbol('enabled')
                self.first = module.symbol('generations')
                self.garbage_at = module.symbol('garbage')
            except Torn:
                pass
            finally:
                module.close()

    def heads(self):
        """Addresses of the heads of the collector's lists, empty where they are not known."""
        if not self.first:
            return []
        heads = [self.first + number * self.size for number in range(3)]
        return heads + [self.permanent] if self.permanent else heads

    def state(self):
        """What the collector is set to and has done, as a dict; None where it cannot be read."""
        if not self.first or not self.enabled_at:
            return None
        memory = self.memory
        try:
            words = [struct.unpack('<ii', memory.read(self.first + number * self.size + self.threshold, 8))
                     for number in range(3)]
            enabled = memory.int32(self.enabled_at)
            links = [memory.word(head) & ~3 for head in self.heads()]
        except Torn:
            return None
        heads = self.heads()
        if enabled not in (0, 1) or not all(links) or any(link & 3 for link in links):
            return None
        return {
            'enabled': enabled == 1,
            'thresholds': [word[0] for word in words],
            'counts': [word[1] for word in words],
            'frozen': self._length(heads[3]) if len(heads) > 3 else 0,
            'garbage': self._garbage(),
            'collections': self._statistic(0),
            'uncollectable': self._statistic(16),
        }

    def _length(self, head):
        """Objects in a list, WALK_MOST at most."""
        count, at = 0, head
        try:
            while count < WALK_MOST:
                at = self.memory.word(at) & ~3
                if at == head or not at:
                    return count
                count += 1
        except Torn:
            pass
        return count

    def _garbage(self):
        """len(gc.garbage)."""
        try:
            address = self.memory.word(self.garbage_at) if self.garbage_at else 0
            if address and self.objects.is_instance(address, 'list'):
                return self.memory.word(address + self.layout['PyVarObject.ob_size'])
        except Torn:
            pass
        return 0

    def garbage_list(self):
        """Address of gc.garbage, 0 where there is none."""
        try:
            return self.memory.word(self.garbage_at) if self.garbage_at else 0
        except Torn:
            return 0

    def _statistic(self, offset):
        """The sum over the generations of a number of struct gc_generation_stats; None where there is none."""
        if not self.stats:
            return None
        try:
            data = self.memory.read(self.stats, 72)
        except Torn:
            return None
        return sum(struct.unpack_from('<Q', data, 24 * number + offset)[0] for number in range(3))
