"""What runs in turns inside of a thread, asyncio tasks and greenlets: those that wait, in groups of equal stacks."""

MEMBERS_READ = 24  # members of a group of which it is told which sockets they wait on
NAMES_SHOWN = 5


class Strand(object):
    """One task or greenlet. `frames`: outermost first, (frame address, code address, instruction); None when torn.

    `awaits`: (type name, address) of what it waits for, or None. `state`: `waiting`, `ready` (its turn comes), `created`
    (not begun) or `running`. `ident` is that of its thread, None when it cannot be told. `pieces`: (address, bytes)
    that all of this was read from. `called`: address of a task's name, 0 for none; `loop`:
    that of its loop. `limit`: seconds until a timer ends the wait, infinite without one, None when that cannot
    be told.
    """

    __slots__ = ('address', 'type', 'called', 'state', 'frames', 'awaits', 'ident', 'pieces', 'shown',
                 'loop', 'limit')

    def __init__(self, address, kind):
        self.address = address
        self.type = kind
        self.called = self.loop = 0
        self.state = 'waiting'
        self.frames = self.awaits = self.ident = self.limit = None
        self.pieces = []
        self.shown = ()

    def wait(self):
        """What is the same as long as it goes on waiting for the same thing in the same place."""
        return self.state, self.awaits, tuple(self.frames)


class Group(object):
    """Strands that are in the same place. `lines`: innermost first, (function, file, line, first line)."""

    def __init__(self, strand):
        self.type, self.state, self.lines, self.ident = strand.type, strand.state, strand.shown, strand.ident
        self.awaits = strand.awaits and strand.awaits[0]
        self.limit = strand.limit
        self.count = self.still = 0
        self.names, self.sockets = [], []
        self.members = []

    def add(self, strand, still):
        self.count += 1
        self.still += still
        if self.limit is not None and strand.limit is not None:
            self.limit = max(self.limit, strand.limit)
        if len(self.members) < MEMBERS_READ:
            self.members.append(strand)


class Look(object):
    """One look at all strands of a kind: `kind` is `asyncio tasks` or `greenlets`, `found` how many there are.

    `complete` is False when there may be more; `waits`: address -> what that one waited for, of those that were read.
    """

    def __init__(self, kind, found, complete, strands):
        self.kind = kind
        self.found = found
        self.complete = complete
        self.strands = strands
        self.waits = dict((strand.address, strand.wait()) for strand in strands)


def limited(strand):
    """Whether a timer ends the wait; None when that cannot be told."""
    return None if strand.limit is None else strand.limit != float('inf')


def grouped(look, before):
    """The Groups of a Look, most members first. `before`: an earlier Look, to tell which have not moved since."""
    earlier = before.waits if before else {}
    groups = {}
    for strand in look.strands:
        awaits = strand.awaits and strand.awaits[0]
        key = strand.type, strand.state, strand.ident, awaits, limited(strand), strand.shown
        if key not in groups:
            groups[key] = Group(strand)
        groups[key].add(strand, earlier.get(strand.address) == look.waits[strand.address])
    return sorted(groups.values(), key=lambda group: -group.count)
