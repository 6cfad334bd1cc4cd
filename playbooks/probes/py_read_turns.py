"""Looks at asyncio tasks and greenlets twice in a window, and prints those that wait in groups of equal stacks."""
import struct
import time

from py_read_greenlets import Greenlets
from py_read_layout import parse_table
from py_read_limits import Limits
from py_read_memory import Torn, Unreadable
from py_read_offsets_turns import TURNS
from py_read_report import quoted, token
from py_read_sockets import Sockets
from py_read_strands import NAMES_SHOWN, Look, grouped
from py_read_suspended import CREATED, unchanged
from py_read_tasks import Tasks
from py_read_timeouts import Timeouts

MODULES = ('_asyncio', 'asyncio.tasks', 'greenlet', 'greenlet._greenlet')
STRANDS_MOST = 2000  # of a kind whose stacks are read
AT_ONCE, AT_ONCE_AGAIN = 256, 2
AGAIN_MOST = 100  # that are read again in a look
GROUPS_SHOWN = 200
SOCKET_SECONDS = 0.3
LIMITS_ASKED = 5  # members of a group of greenlets whose time limits are looked for
KINDS = ('asyncio tasks', 'greenlets')
# What reading memory of another meaning than it should have may lead to; the stacks of threads are worth more than that.
STRANGE = (Torn, Unreadable, struct.error, ArithmeticError, LookupError, UnicodeError, ValueError)


class Turns(object):
    """What takes turns in the threads that a py_read_watch.Watch looks at."""

    def __init__(self, watch):
        self.watch = watch
        self.objects = watch.objects
        watch.runtime.layout.offsets.update(parse_table(TURNS[self.objects.version]))
        self.memory = watch.memory
        self.tasks = {}
        self.groups = {}
        self.greenlets = Greenlets(watch.objects, watch.dicts, watch.reader)
        self.limits = Limits(watch.objects, watch.dicts)
        self.sockets = Sockets(watch.objects, watch.dicts, watch.codes)
        self.timeouts = Timeouts(watch.objects, watch.dicts, self.sockets, watch.blocks)
        self.before = {}
        self.now = {}

    def look(self):
        """One look at all of them; what cannot be read, and a process that ends meanwhile, is left out."""
        self.before, self.now = self.now, {}
        try:
            self._look()
        except STRANGE:
            self._say('Tasks and greenlets could not all be read.')

    def _look(self):
        threads = list(self.watch.list.threads)
        for interpreter in self.watch.list.interpreters:
            try:
                modules = self._modules(interpreter)
            except Torn:
                continue
            if 'asyncio.tasks' in modules and not Tasks.known(self.objects.version):
                self._say('Which tasks asyncio has cannot be told for Python %s.' % self.watch.runtime.version)
            elif 'asyncio.tasks' in modules:
                tasks = self.tasks.setdefault(interpreter, Tasks(self.objects, self.watch.dicts, self.watch.runtime))
                self._see(KINDS[0], tasks, lambda: tasks.find(modules, interpreter, threads))
            if 'greenlet' in modules and KINDS[1] not in self.now:
                self._see(KINDS[1], self.greenlets, lambda: self.greenlets.find(modules, threads))

    def _say(self, note):
        if note not in self.watch.notes:
            self.watch.notes.append(note)

    def _modules(self, interpreter):
        layout = self.objects.layout
        modules = layout.first('PyInterpreterState.imports.modules', 'PyInterpreterState.modules')
        return self.watch.dicts.values(self.memory.word(interpreter + modules), MODULES)

    def _see(self, kind, reader, find):
        """Takes in one look; of sub-interpreters those with tasks are added to each other."""
        try:
            things = find()
        except Torn:
            return
        complete = reader.complete and len(things) <= STRANDS_MOST
        strands, torn = self._read(reader, things[:STRANDS_MOST], AT_ONCE)
        # A loop that runs changes them while they are read: what has changed is read again, a few at a time.
        strands += self._read(reader, torn[:AGAIN_MOST], AT_ONCE_AGAIN)[0]
        changed = self.watch.codes.refresh()
        strands = [strand for strand in strands if not any(frame[1] in changed for frame in strand.frames)]
        earlier = self.now.get(kind)
        found = len(things)
        if earlier:
            found, complete = found + earlier.found, complete and earlier.complete
            seen = set(earlier.waits)
            strands = earlier.strands + [strand for strand in strands if strand.address not in seen]
        self.now[kind] = Look(kind, found, complete, strands)

    def _read(self, reader, things, at_once):
        """(the Strands that stood still while they were read, those of `things` that did not)."""
        read, torn = [], []
        for first in range(0, len(things), at_once):
            some = things[first:first + at_once]
            shown = []
            for strand in reader.strands(some):
                if strand.frames is None:
                    continue
                try:
                    strand.shown = self._lines(strand)
                    shown.append((strand, strand.pieces))
                except Torn:
                    continue
            still = unchanged(self.memory, shown)
            read.extend(still)
            if len(still) < len(some):
                seen = set(strand.address for strand in still)
                torn.extend(thing for thing in some if thing[0] not in seen)
        return read, torn

    def _lines(self, strand):
        """(function, file, line, first line) of the frames, innermost first. Raises Torn."""
        codes = self.watch.codes
        if strand.state == CREATED:
            made = [codes.get(frame[1]) for frame in strand.frames]
            return tuple((code.name, code.file, code.first_line, code.first_line) for code in made[::-1])
        shown = codes.visible(strand.frames)
        return tuple((code.name, code.file, code.line_at(offset), code.first_line) for _, code, offset in shown[::-1])

    def finish(self):
        """After the last look: the groups of each kind, and what their members wait for. Bounded in time."""
        try:
            self._finish()
        except STRANGE:
            self._say('Tasks and greenlets could not all be read.')

    def _finish(self):
        end = time.monotonic() + SOCKET_SECONDS
        for kind in KINDS:
            if kind not in self.now:
                continue
            if kind == KINDS[0]:
                self.limits.find(self.now[kind].strands)
            self.groups[kind] = grouped(self.now[kind], self.before.get(kind))
        for kind, groups in self.groups.items():
            for group in groups[:GROUPS_SHOWN]:
                for strand in group.members:
                    if time.monotonic() > end:
                        return
                    self._ask(group, strand)
                if kind == KINDS[1]:
                    limits = [self.timeouts.of(strand.frames) for strand in group.members[:LIMITS_ASKED]]
                    group.limit = None if None in limits else max(limits)

    def _ask(self, group, strand):
        """Adds to a group what a member is called and which socket it is on, if it stands where it stood."""
        name, socket = '', None
        if strand.called and len(group.names) < NAMES_SHOWN:
            name = next(iter(self.tasks.values())).name(strand.called)
        socket = self.sockets.of(strand.frames)
        if (name or socket is not None) and unchanged(self.memory, [(strand, strand.pieces)]):
            if name:
                group.names.append(name)
            if socket is not None and socket not in group.sockets:
                group.sockets.append(socket)

    def report_lines(self, frames):
        """The lines of the report on tasks and greenlets, with so many frames a stack."""
        owners = dict((thread.ident, thread.tid) for thread in self.watch.list.threads)
        for kind in KINDS:
            if kind not in self.groups:
                continue
            look, groups = self.now[kind], self.groups[kind]
            if not look.found and look.complete:
                continue
            yield '%s found %d%s read %d' % (kind, look.found, '' if look.complete else ' or more', len(look.strands))
            for group in groups[:GROUPS_SHOWN]:
                for line in group_lines(group, owners.get(group.ident), frames):
                    yield line
            if len(groups) > GROUPS_SHOWN:
                yield '  %d more in other stacks' % sum(group.count for group in groups[GROUPS_SHOWN:])


def limit_text(limit, loop):
    """What a group's line says of its longest time limit (seconds): of tasks, which have a `loop`, what is left of it."""
    if limit is None:
        return ''
    if limit == float('inf'):
        return ', without a limit'
    return (', for %.0f s more' if loop else ', for at most %.0f s') % min(limit, 1e8)


def group_lines(group, tid, most):
    """The lines of one group of strands."""
    yield '  %d of type %s %s, %d of them all the while, in thread %s, for %s, on sockets %s%s' % (
        group.count, token(group.type), group.state, group.still, '?' if tid is None else tid,
        token(group.awaits) if group.awaits else '-', ','.join(str(each) for each in group.sockets) or '-',
        limit_text(group.limit, group.members[0].loop))
    if group.names:
        yield '    called %s' % ' '.join(quoted(name) for name in group.names)
    left_out = len(group.lines) - most
    for index, (function, name, line, first) in enumerate(group.lines):
        if left_out > 0 and most // 2 <= index < most // 2 + left_out:
            if index == most // 2:
                yield '    ... %d frames left out' % left_out
            continue
        yield '    %s  %s:%d  (def at %d)' % (token(function), token(name), line, first)
