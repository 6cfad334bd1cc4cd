"""Whether anything of a running Python thread goes onward: iterators, numbers, sizes, locals, attributes, globals.

A thread that spins and one that works have the same stacks. What tells them apart is state: in a spin everything that
its frames can see stays as it is or comes back to what it was before; in work something advances. So at each sample
in which a thread runs, the values that its frames refer to are compared with those of the samples before. Values
are not printed, except numbers, sizes and positions.

Standard library only, Python 3.6 and newer. Nothing is stopped or attached to.
"""
import re
import struct

from py_read_cells import NoValue
from py_read_members import SLOT
from py_read_patterns import Patterns
from py_read_series import Series, from_to, one_way
from py_read_slots import FRAMES, Code
from py_read_source import function_lines
from py_read_values import Values

OUTER_FRAMES, INNER_FRAMES, OFTEN_FRAMES, SELDOM = 10, 30, 6, 5
NEAR_FRAMES = 4  # from the inside, in whose containers the containers are looked at too
READS_PER_SAMPLE = 4000
ATTRIBUTES_DEEP = 2
LINES_MOST = 400
SOURCES_MOST = 4
LIBRARY = re.compile(r'(^|/)((site|dist)-packages|lib(64)?/python\d[\w.]*)/|^<')


class Motion(object):
    """Watches the frames of running threads.

    `read(address, size)` raises Torn for what cannot be read, `read_all` reads pieces in one call and gives None for
    those; `token(name)` makes a name one word.
    """

    def __init__(self, read, read_all, version, pid, token):
        self.objects = Values(read, version, read_all)
        self.version = version
        self.pid = pid
        self.token = token
        self.codes = {}
        self.series = {}
        self.seen_lines = {}
        self.samples = {}
        self.cut = set()
        self.patterns = Patterns(self.objects)
        self.matching = {}

    @staticmethod
    def knows(version):
        return version in FRAMES

    def see(self, thread, frames):
        """One sample of a running thread: outermost first, (frame address, code address, function, file, line, first line)."""
        self.samples[thread] = self.samples.get(thread, 0) + 1
        self.objects.fresh()
        count = len(frames)
        # Where a frame stood costs nothing to keep: a loop may be around calls that reach deep.
        for depth, frame in enumerate(frames):
            self.seen_lines.setdefault((thread, depth, frame[2], frame[3], frame[5]), []).append(frame[4])
        # What is far out moves slowly, if at all: looking at it now and then is enough.
        seldom = self.samples[thread] % SELDOM != 1
        chosen = [depth for depth in range(count) if depth >= count - (OFTEN_FRAMES if seldom else INNER_FRAMES)
                  or depth < OUTER_FRAMES and not seldom]
        if count > OUTER_FRAMES + INNER_FRAMES:
            self.cut.add(thread)
        wanted = set()
        parts = []
        for depth in chosen:
            try:
                code = self._code(frames[depth][1])
            except NoValue:
                self.cut.add(thread)
                continue
            wanted.update(code.names)
            parts.append((depth, frames[depth], code))
        try:
            for depth, frame, code in reversed(parts):
                where = (thread, depth, frame[2], frame[3], frame[5])
                self._frame(where, frame[0], code, wanted, depth >= count - NEAR_FRAMES, depth == count - 1)
        except StopIteration:
            self.cut.add(thread)

    def _code(self, address):
        known = self.codes.get(address)
        if known is None:
            known = self.codes[address] = Code(self.objects, self.version, address)
        return known

    def _frame(self, where, address, code, wanted, near, innermost):
        objects = self.objects
        locals_at, globals_at, f_locals_at, instruction_at, width = FRAMES[self.version]
        try:
            head = objects.bytes(address, locals_at)
            pointers = objects.settled(address + locals_at, len(code.slots))
            pointers += objects.references(address + locals_at + 8 * len(code.slots), code.stack)
        except NoValue:
            self.cut.add(where[0])
            return
        instruction = struct.unpack('<i' if width == 4 else '<Q', head[instruction_at:instruction_at + width])[0]
        self._add(where, '@instruction', 'instruction', instruction, instruction)
        for name, pointer in zip(code.slots, pointers):
            if pointer:
                self._variable(where, name, pointer, wanted, ATTRIBUTES_DEEP, near)
        for slot, pointer in enumerate(pointers[len(code.slots):]):
            self._stack_slot(where, slot, pointer)
        call = self.patterns.call(pointers[len(code.slots):]) if innermost else None
        if call:
            calls = self.matching.setdefault(where, {})
            calls[call] = calls.get(call, 0) + 1
        own_locals, = struct.unpack('<Q', head[f_locals_at:f_locals_at + 8])
        own_globals, = struct.unpack('<Q', head[globals_at:globals_at + 8])
        self._named(where, own_globals, code.names, wanted, near)
        if own_locals and own_locals != own_globals:
            self._named(where, own_locals, code.names, wanted, near)

    def _stack_slot(self, where, slot, pointer):
        """Of what is on a frame's value stack only iterators count: the rest are operands on their way."""
        try:
            if pointer and self.objects.is_iterator(pointer):
                value = self.objects.value(pointer)
                self._add(where, '@iterator%d' % slot, value.type, (value.number, value.key), value.number)
        except NoValue:
            pass

    def _named(self, where, mapping, names, wanted, near):
        """Variables in a dict of globals (or a class body's or exec's locals) that the code refers to."""
        try:
            entries = self.objects.entries(mapping)
        except NoValue:
            return
        for name in names:
            pointer = entries.get(name)
            if pointer:
                self._variable(where, name, pointer, wanted, ATTRIBUTES_DEEP, near)

    def _variable(self, where, name, pointer, wanted, deep, near):
        objects = self.objects
        if objects.reads > READS_PER_SAMPLE:
            raise StopIteration
        try:
            if objects.type_of(pointer)[0] == 'cell':
                pointer = objects.word(pointer + 16)
                if not pointer:
                    return
            if not objects.is_data(pointer):
                return
            value = objects.value(pointer, nested=near)
        except NoValue:
            return
        self._add(where, name, value.type, (value.type, value.key, value.number), value.number)
        if value.size is not None:
            self._add(where, 'len(%s)' % name, 'size', value.size, value.size)
        if deep <= 0:
            return
        try:
            attributes = objects.attributes(pointer)
        except NoValue:
            return
        for attribute, held in attributes.items():
            if attribute in wanted or attribute.startswith(SLOT):
                self._variable(where, '%s.%s' % (name, attribute), held, wanted, deep - 1, near)

    def _add(self, where, name, kind, key, number):
        series = self.series.setdefault(where, {}).get(name)
        if series is None:
            series = self.series[where][name] = Series(kind)
        series.add(kind, key, number)

    def thread_lines(self, thread):
        """What was seen of one thread, outermost frame first; no line for a thread that was never seen to run."""
        looks = self.samples.get(thread, 0)
        if not looks:
            return
        lines = []
        for where in sorted((each for each in self.series if each[0] == thread), key=lambda each: each[1:]):
            lines.extend(self._frame_lines(where))
        if len(lines) > LINES_MOST:
            self.cut.add(thread)
        yield '  variables in %d looks while it ran: %s' % (looks, 'some' if thread in self.cut else 'all')
        for line in lines[:LINES_MOST]:
            yield line

    def _frame_lines(self, where):
        known = dict((name, series) for name, series in self.series[where].items() if series.samples >= 3)
        if not known:
            return
        still = [name for name, series in known.items() if not series.changes]
        _, depth, function, path, first_line = where
        yield '    frame %d %s  %s  (def at %d)' % (depth, self.token(function), self.token(path), first_line)
        for call, looks in sorted(self.matching.get(where, {}).items(), key=lambda each: -each[1])[:1]:
            method, text, kind, length = call
            yield '      calls %s of pattern %s on %s of %d in %d of %d looks' % (
                method, '?' if text is None else self.token(text), kind, length, looks, max(each.samples for each in known.values()))
        for first in range(0, len(still), 12):
            yield '      still: %s' % '  '.join(self.token(name) for name in still[first:first + 12])
        for name, series in known.items():
            if series.changes:
                yield '      %s: %s, %d changes in %d looks, %d up, %d down, %d back%s%s' % (
                    self.token(name), self.token(series.type), series.changes, series.samples, series.rises,
                    series.falls, series.returns, from_to(series), one_way(series))

    def source_lines(self):
        """The text of the functions in which a thread was (nearly) always: its innermost ones, where a loop would be."""
        shown = set()
        for thread in sorted(self.samples, key=str):
            places = [where for where, lines in self.seen_lines.items()
                      if where[0] == thread and len(lines) >= 0.5 * self.samples[thread] >= 3]
            places.sort(key=lambda each: -each[1])
            places = places[:1] + [where for where in places[1:] if not LIBRARY.search(where[3]) and where[2] != '<module>']
            for where in places[:SOURCES_MOST]:
                if where[3:] in shown:
                    continue
                shown.add(where[3:])
                head = 'source %s' % self.token(where[3])
                for number, text in function_lines(self.pid, where[3], where[4], self.seen_lines[where]):
                    if head:
                        yield head
                        head = None
                    yield '  %d| %s' % (number, plain(text))


def plain(text):
    """Source text on one line: control characters as \\xNN, tabs as they are."""
    return ''.join(c if c >= ' ' and c != '\x7f' or c == '\t' else '\\x%02x' % ord(c) for c in text)
