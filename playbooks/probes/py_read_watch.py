"""Watches the threads of a process over many looks and counts the distinct stacks of each."""
import time

import py_read_signals
from py_read_blocks import Blocks
from py_read_codes import CodeReader
from py_read_dicts import Dicts
from py_read_locks import Locks, futex_address
from py_read_memory import Torn, Unreadable
from py_read_names import thread_names
from py_read_objects import Objects
from py_read_stacks import StackReader
from py_read_threads import ThreadList

STACKS_KEPT = 400  # distinct stacks of one thread that are told apart
PROVEN_MOST = 2000
PIECES_AT_ONCE = 1024
BYTES_AT_ONCE = 4 << 20
MARK_TRIES = 10
NAME_TRIES = 2
WAIT_TRIES = 3
FINISH_SECONDS = 1.5


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


class Watch(object):
    """Looks at one process. `samples` counts the looks that came to an end, `lost` those that did not.

    `deadline`: when a look has to end (time.monotonic()), whatever it has seen by then; None for never.
    `motion`: a py_read_motion.Motion that watches the variables of the threads that run, or None; `turns`: a
    py_read_turns.Turns for what takes turns in the threads, or None.
    """

    def __init__(self, memory, runtime):
        self.memory = memory
        self.runtime = runtime
        self.objects = Objects(memory, runtime)
        self.codes = CodeReader(self.objects)
        self.dicts = Dicts(self.objects)
        self.reader = StackReader(memory, runtime.layout)
        self.locks = Locks(self.objects)
        self.blocks = Blocks(self.objects, self.codes)
        self.list = ThreadList(memory, runtime)
        self.samples = self.lost = 0
        self.motion = self.turns = None
        self.notes = list(runtime.notes)
        self.threads = {}
        self.deadline = None
        self._before = set()
        self._names_next = 0

    def look(self):
        """One sample of all threads; False when the process is gone. Raises Unreadable if it was never seen."""
        try:
            try:
                self._look(self.list.read())
            except Torn:
                self.lost += 1
            self.memory.check_alive(self.runtime.module.start)
        except Unreadable as why:
            if not self.samples:
                raise
            self.notes.append('After %d samples: %s' % (self.samples, why.sentence))
            return False
        return True

    def finish(self):
        """After the last look: which locks the threads wait for now. Ends in bounded time, leaving the rest out."""
        try:
            threads = [self._thread(state) for state in self.list.read()]
            owners = dict((thread.state.ident, thread.tid) for thread in threads)
            end = time.monotonic() + FINISH_SECONDS
            for thread in threads:
                if thread.tid is not None and time.monotonic() < end:
                    self._find_wait(thread, owners)
        except (Torn, Unreadable):
            pass

    def seen_threads(self):
        """The threads that were seen, by thread id; of several thread states of one thread those that had frames."""
        by_tid = {}
        for thread in self.threads.values():
            by_tid.setdefault(thread.state.key if thread.tid is None else thread.tid, []).append(thread)
        threads = []
        for same in by_tid.values():
            same.sort(key=lambda thread: (not thread.had_frames(), thread.unread, -thread.samples))
            threads.extend([thread for thread in same if thread.had_frames()] or same[:1])
        return sorted(threads, key=lambda thread: (thread.tid is None, thread.tid or 0))

    def _find_wait(self, thread, owners):
        """Sets what the thread waits for, when it waits at the same address before and after it was looked at."""
        for _ in range(WAIT_TRIES):
            semaphore = futex_address(self.memory.pid, thread.tid)
            if semaphore is None:
                return
            stack, _ = self._stack_of(thread, self._copies([thread])[0])
            if stack is None:
                continue
            try:
                lock = self.locks.waited(self.codes.visible(thread.chain.frames), semaphore)
            except Torn:
                continue
            self._mark(thread, thread.plan, thread.chain, stack)
            if self._stands(thread.plan, thread.chain) and futex_address(self.memory.pid, thread.tid) == semaphore:
                thread.waits = lock and (lock[0], lock[1], owners.get(lock[2]))
                return

    def _look(self, states):
        holders = self.runtime.gil_holders(self.list.interpreters, set(state.address for state in states))
        threads = [self._thread(state) for state in states]
        seen = []
        for group in groups(threads):
            if self.deadline is not None and time.monotonic() > self.deadline:
                seen.extend((thread, (None, frozenset())) for thread in threads[len(seen):])
                self.notes.append('Reading %d threads took too long: some were left out.' % len(threads))
                break
            for thread, copy in zip(group, self._copies(group)):
                seen.append((thread, self._stack_of(thread, copy)))
        # What was seen stands on code objects read earlier: it counts if they still are what they were.
        changed = self.codes.refresh()
        self.memory.check_alive(self.runtime.module.start)
        for thread, (stack, addresses) in seen:
            thread.samples += 1
            thread.gil += thread.state.address in holders
            if stack is None or changed and not changed.isdisjoint(addresses):
                thread.unread += 1
            elif stack.kept:
                stack.count += 1
            else:
                thread.other += 1
            if self.motion is not None and stack is not None and thread.state.address in holders:
                self._watch_variables(thread)
        if changed:
            for thread in threads:
                thread.forget()
        for thread in self._before.difference(threads):
            thread.forget()  # it has ended
        self._before = set(threads)
        if self.samples >= self._names_next and not all(thread.name for thread in threads):
            self._name(threads)
        self.samples += 1

    def _name(self, threads):
        """Names the threads; seldom, because threads that `threading` does not know never get a name."""
        self._names_next = 2 * self.samples + 1
        names = thread_names(self.objects, self.list.interpreters)
        for thread in threads:
            thread.name = names.get(thread.state.ident) or thread.name

    def _watch_variables(self, thread):
        """Shows the frames of a thread that runs to the one who watches their variables."""
        try:
            shown = self.codes.visible(thread.chain.frames)
        except Torn:
            return
        self.motion.see(thread.state.key, [
            (address, code.address, code.name, code.file, code.line_at(offset), code.first_line)
            for address, code, offset in shown])

    def _thread(self, state):
        thread = self.threads.get(state.key)
        if thread is None:
            thread = self.threads[state.key] = Thread(state)
        thread.state = state
        thread.tid = state.tid or thread.tid
        return thread

    def _copies(self, threads):
        """One copy of each thread's planned pieces; None where there is no plan."""
        pieces = [piece for thread in threads if thread.plan for piece in thread.plan.pieces]
        data = self.memory.read_all(pieces)
        copies, at = [], 0
        for thread in threads:
            count = len(thread.plan.pieces) if thread.plan else 0
            copies.append(data[at:at + count] or None)
            at += count
        return copies

    def _stack_of(self, thread, copy):
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
            self._mark(thread, plan, chain, known[0])
        return known

    def _named(self, thread, plan, chain):
        """The Stack of a chain, by what its code objects say, and their addresses. Raises Torn."""
        addresses = frozenset(frame[1] for frame in chain.frames)
        unknown = any(address and address not in self.codes for address in addresses)
        shown = self.codes.visible(chain.frames)
        if unknown and not self._stands(plan, chain):
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

    def _stands(self, plan, chain):
        """Whether all frames of a chain are on the stack now."""
        try:
            return bool(self._now(plan, chain) or not chain.frames)
        except Torn:
            return False

    def _mark(self, thread, plan, chain, stack):
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


def groups(threads):
    """The threads in groups whose pieces are worth reading in one call."""
    group, pieces, size = [], 0, 0
    for thread in threads:
        if thread.plan:
            pieces += len(thread.plan.pieces)
            size += thread.plan.size
        if group and (pieces > PIECES_AT_ONCE or size > BYTES_AT_ONCE):
            yield group
            group, pieces, size = [], 0, 0
        group.append(thread)
    if group:
        yield group
