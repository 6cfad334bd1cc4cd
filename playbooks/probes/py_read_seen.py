"""What is seen of a thread: which stack it is in, by chains of frames that are held against what was proven of them before.

A name counts only if the frames that led to it are still on the stack after it was read.
"""
import py_read_signals
from py_read_memory import Torn

STACKS_KEPT = 400  # distinct stacks of one thread that are told apart
PROVEN_MOST = 2000
MARK_TRIES = 10
NAME_TRIES = 2


class Stack(object):
    """One distinct stack of a thread: `lines` innermost first, each (function, file, line, first line).

    `signals`: index in `lines` -> number of the signal that the frame is the handler of. `holds`: index -> context
    managers whose `with` blocks it is inside of, (type, address), outermost first. `kept`: not beyond the limit.
    """

    __slots__ = ('lines', 'cut', 'kept', 'count', 'signals', 'holds', 'tries')

    def __init__(self, lines, cut, kept):
        self.lines = lines
        self.cut = cut
        self.kept = kept
        self.count = 0
        self.signals = {}
        self.holds = {}
        self.tries = MARK_TRIES


class Thread(object):
    """What was seen of one thread. `proven`: chain of frames -> (Stack, addresses of its code objects).

    `waits`: (type, address, thread id of the owner or None) of the lock that it waited for at the end, or None.
    """

    def __init__(self, state):
        self.state = state
        self.tid = None
        self.name = ''
        self.samples = self.gil = self.unread = self.other = 0
        self.stacks = {}
        self.waits = None
        self.forget()

    def had_frames(self):
        """Whether it was ever seen in a Python function."""
        return any(stack.lines for stack in self.stacks.values())

    def forget(self):
        """Forgets what was proven, because a code object is no more what it was."""
        self.proven = {}
        self.plan = self.raw = self.seen = self.chain = None


class Stacks(object):
    """Finds the stacks of the threads of one process."""

    def __init__(self, objects, codes, blocks, reader):
        self.objects = objects
        self.codes = codes
        self.blocks = blocks
        self.reader = reader

    def of(self, thread, copy):
        """(Stack, addresses of its code objects) that a thread is in; the Stack is None when it could not be read."""
        if copy is not None and copy == thread.raw:
            return thread.seen
        try:
            if copy is not None and None not in copy:
                chain = self.reader.parse(thread.plan, copy)
                known = thread.proven.get(key_of(chain))
                if known is not None:
                    return self._settled(thread, thread.plan, copy, chain, known)
        except Torn:
            pass
        for _ in range(NAME_TRIES):
            try:
                believed = lambda chain: key_of(chain) in thread.proven
                plan, copy, chain = self.reader.prove(thread.state.address, believed)
                known = thread.proven.get(key_of(chain)) or self._named(thread, plan, chain)
                return self._settled(thread, plan, copy, chain, known)
            except Torn:
                thread.raw = None
        return None, frozenset()

    def _settled(self, thread, plan, copy, chain, known):
        """Remembers what a chain was found to be, and marks handlers and `with` blocks if that has not been done."""
        if len(thread.proven) >= PROVEN_MOST:
            thread.proven = {}
        thread.proven[key_of(chain)] = known
        thread.plan, thread.raw, thread.seen, thread.chain = plan, copy, known, chain
        if known[0].tries:
            self.mark(thread, plan, chain, known[0])
        return known

    def _named(self, thread, plan, chain):
        """The Stack of a chain, by what its code objects say, and their addresses. Raises Torn."""
        addresses = frozenset(frame[1] for frame in chain.frames)
        unknown = any(address and address not in self.codes for address in addresses)
        shown = self.codes.visible(chain.frames)
        if unknown and not self.stands(plan, chain):
            raise Torn('gone before its code objects were read')
        lines = tuple((code.name, code.file, code.line_at(offset), code.first_line) for _, code, offset in shown[::-1])
        stack = thread.stacks.get((lines, chain.cut))
        if stack is None:
            stack = Stack(lines, chain.cut, len(thread.stacks) < STACKS_KEPT)
            if stack.kept:
                thread.stacks[lines, chain.cut] = stack
        return stack, addresses

    def _now(self, plan, chain):
        """The frames of a chain as one more copy shows them. Raises Torn when not all are on the stack any more."""
        now = self.reader.parse(plan, self.reader.read(plan)).frames[:len(chain.frames)]
        if [frame[:2] for frame in now] != [frame[:2] for frame in chain.frames]:
            raise Torn('another stack')
        return now

    def stands(self, plan, chain):
        """Whether all frames of a chain are on the stack now."""
        try:
            return bool(self._now(plan, chain) or not chain.frames)
        except Torn:
            return False

    def mark(self, thread, plan, chain, stack):
        """Finds handlers and `with` blocks in a stack that was just read; counts if it still stands afterwards."""
        stack.tries = max(0, stack.tries - 1)
        try:
            shown = self.codes.visible(chain.frames)
            signals = py_read_signals.handlers(self.objects, shown)
            holds = self.blocks.holds(shown)
            now = self._now(plan, chain)
            if now[:-1] != chain.frames[:-1]:
                return
            if now != chain.frames:
                # The innermost frame went on: its blocks are believed if they still are the same.
                last = self.codes.visible(now)[-1:]
                innermost = len(shown) - 1
                if self.blocks.holds(last).get(0) != holds.get(innermost):
                    holds.pop(innermost, None)
        except Torn:
            return
        innermost = len(shown) - 1
        stack.signals = dict((innermost - index, number) for index, number in signals.items())
        stack.holds = dict((innermost - index, managers) for index, managers in holds.items())
        stack.tries = 0


def key_of(chain):
    """What tells one stack from another: code objects and instructions, wherever the frames lie."""
    return tuple([frame[1:] for frame in chain.frames]), chain.cut
