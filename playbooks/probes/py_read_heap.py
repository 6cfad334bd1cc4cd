"""One look at a heap: two counts, and what the containers and the collector do in between."""
import time

from py_read_bounds import bound_of
from py_read_census import Counting
from py_read_codes import CodeReader
from py_read_containers import Containers
from py_read_dicts import Dicts
from py_read_garbage import Garbage
from py_read_gc import Collector
from py_read_holders import LIBRARY, Holder, Holders
from py_read_memory import Torn, Unreadable
from py_read_objects import Objects
from py_read_references import References
from py_read_referrers import Referrers
from py_read_types import Types
from py_read_source import read_lines
from py_read_uses import Use, collector_settings, loop_around, uses
from py_read_weights import Weights

WATCHED_MOST = 3000  # containers
WATCHED_LEAST = 0.8  # of the window, however long the first count took
TICKS = 12  # looks at their sizes in a window
GROWERS_MOST = 12  # that are looked into
SAMPLED = 160  # objects of which it is asked whether they are garbage
USUAL_MOST = 20000  # of the first threshold: 700, from 3.13 on 2000 by default
SMALL_WINDOW = 0.3  # seconds under which two counts tell nothing


class Watched(object):
    """A container and its sizes: `sizes` as (seconds since the first look, items)."""

    __slots__ = ('address', 'kind', 'holder', 'sizes', 'items', 'uses', 'bound', 'changed')

    def __init__(self, address, kind, holder):
        self.address, self.kind, self.holder = address, kind, holder
        self.sizes = []
        self.items = self.uses = self.bound = None
        self.changed = False

    def grown(self):
        return self.sizes[-1][1] - self.sizes[0][1] if len(self.sizes) > 1 else 0


class Group(object):
    """Watched containers that the program calls by the same name: `lead` grew most, `sizes` are those of all together."""

    __slots__ = ('lead', 'count', 'sizes')

    def __init__(self, members):
        self.lead = max(members, key=lambda each: each.grown())
        self.count = len(members)
        ticks = [at for at, _ in self.lead.sizes]
        totals = dict.fromkeys(ticks, 0)
        for member in members:
            for at, size in member.sizes:
                if at in totals:
                    totals[at] += size
        self.sizes = sorted(totals.items())

    def grown(self):
        return self.sizes[-1][1] - self.sizes[0][1]


def unusual(state):
    """Whether the collector does not go about its work as it does by default."""
    return not state['enabled'] or not 0 < state['thresholds'][0] <= USUAL_MOST or state['frozen'] > 0


class Heap(object):
    """The heap of one process. After `look`: `first` and `last` Census (`last` is None after one look only)."""

    def __init__(self, memory, runtime):
        self.memory = memory
        self.runtime = runtime
        self.objects = Objects(memory, runtime)
        self.dicts = Dicts(self.objects)
        self.types = Types(self.objects)
        self.containers = Containers(self.types, self.dicts)
        self.references = References(self.types, self.containers, self.dicts)
        self.holders = Holders(self.references, CodeReader(self.objects))
        self.collector = Collector(self.objects)
        self.counting = Counting(self.types, self.containers)
        self.garbage = Garbage(self.references, self.counting)
        self.weights = Weights(self.references)
        self.referrers = Referrers(self)
        self.notes = list(runtime.notes)
        self.states = []
        self.last = None
        self.watched = []
        self.groups = []
        self.dead = []
        self.sampled = 0
        self.refs = None
        self.settings = []
        self.frames = []

    def look(self, window, budget, wanted=None):
        """Counts, watches for `window` seconds, counts again. Raises Torn, Unreadable."""
        began = time.monotonic()
        if self.objects.version == (2, 7):
            self.notes.append('Python 2.7 keeps int and float apart from other objects: they are not counted.')
        self._state()
        self.first = self.counting.count(budget * 0.35, self.collector.heads())
        if self.first.stride == 1:
            self._choose()
        self.holders.walk(budget * 0.3)
        garbage = self.collector.garbage_list()
        if garbage:  # a static variable of the interpreter holds it, and the module gc from Python 3 on only
            self.holders.found[garbage] = Holder('gc.garbage', 'garbage', '', library=True)
        if self.first.stride > 1:
            self._choose()
        self._tick(time.monotonic())
        self._sample()
        for each in self.watched:
            each.holder = self.holders.found.get(each.address)
        end = max(began + window, self.begun + WATCHED_LEAST * window)
        try:
            self._watch(time.monotonic(), end - min(self.first.seconds, window / 4))
            if window >= SMALL_WINDOW:
                self.last = self.counting.count(budget * 0.35, self.collector.heads(), self.first.stride)
                self._tick(time.monotonic())
                self._state()
            self._look_into(budget)
            self._where()
            if any(unusual(state) for state in self.states):
                self.settings = collector_settings(self.memory.pid, self.holders.files)
            if wanted is not None:
                self.refs = self.referrers.graph(wanted, budget)
        except Unreadable as gone:
            # What was counted before stands.
            self.notes.append(gone.sentence)
            self.last = None
        self.seconds = time.monotonic() - began

    def _state(self):
        state = self.collector.state()
        if state is not None:
            self.states.append(state)

    def _sample(self):
        addresses = self.garbage.sample(self.first, SAMPLED)
        self.sampled = len(addresses)
        self.dead = self.garbage.proofs(addresses, any(unusual(state) for state in self.states))

    def _choose(self):
        """The containers whose sizes are watched: the biggest, and those that the program has a name for as far as known."""
        self.begun = time.monotonic()
        chosen = {}
        for _, address, kind in self.first.containers:
            chosen[address] = kind
        for address, holder in self.holders.found.items():
            if len(chosen) >= WATCHED_MOST:
                break
            if address not in chosen and not holder.library:
                chosen[address] = None
        self.watched = [Watched(address, kind, self.holders.found.get(address)) for address, kind in chosen.items()]
        self._tick(time.monotonic())
        self.watched = [each for each in self.watched if each.sizes]

    def _tick(self, now):
        """One look at the sizes of all watched containers."""
        for watched, size in zip(self.watched, self.containers.sizes([each.address for each in self.watched])):
            if size is None or watched.kind not in (None, size[2]):
                watched.changed = True
            elif not watched.changed:
                watched.kind = size[2]
                watched.sizes.append((now, size[0]))

    def _watch(self, began, end):
        step = max((end - began) / TICKS, 0.05)
        self._tick(began)
        while time.monotonic() + step < end:
            time.sleep(step)
            self._tick(time.monotonic())
            self.memory.check_alive(self.watched[0].address if self.watched else self.runtime.address or self.runtime.head)

    def _group(self):
        """Groups of the containers that changed their size, the one that grew most first."""
        named = {}
        for each in self.watched:
            if each.changed or not any(size != each.sizes[0][1] for _, size in each.sizes):
                continue
            key = (each.holder.path, each.kind) if each.holder else each.address
            named.setdefault(key, []).append(each)
        self.groups = sorted((Group(members) for members in named.values()), key=lambda group: -group.grown())

    def growers(self):
        """The groups that are bigger than they were."""
        return [group for group in self.groups if group.grown() > 0]

    def _look_into(self, budget):
        """What the growing containers hold, where the program adds to them, and who holds those without a name."""
        self._group()
        deadline = time.monotonic() + budget / 2
        for group in self.growers()[:GROWERS_MOST]:
            each = group.lead
            try:
                each.items = self.weights.items(each.address)
            except Torn:
                pass
            if each.holder is None and time.monotonic() < deadline:
                each.holder = self.referrers.holder(each.address, deadline)
            each.bound = bound_of(self, each, deadline)
            if each.holder is not None and not each.holder.library:
                each.uses = self._uses(each.holder, self.containers.family(each.kind))

    def _where(self):
        """The frames of the only thread, with the loops that they are in."""
        for function, file, line in self.holders.frames:
            library = LIBRARY.search(file) is not None
            lines = [] if library else read_lines(self.memory.pid, file)
            loop = loop_around(lines, line) if 0 < line <= len(lines) else ''
            self.frames.append(Use('library' if library else 'own', file, line, function, '', loop))

    def _uses(self, holder, family):
        """Where the source adds to a container, by its name or, inside of a library's object, by that object's."""
        found = uses(self.memory.pid, holder, self.holders.files, family)
        outer = holder.path.rpartition('.')[0].replace('[]', '').rpartition('.')[2]
        if found == [] and outer and outer.isidentifier() and holder.kind == 'attribute' and '.' in holder.path.rpartition('.')[0]:
            other = Holder(holder.path, outer, holder.file, holder.kind, holder.function, holder.line)
            found = uses(self.memory.pid, other, self.holders.files, family)
        return found
