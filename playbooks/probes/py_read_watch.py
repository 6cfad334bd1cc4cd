"""Watches the threads of a process over many looks and counts the distinct stacks of each."""
import time

from py_read_blocks import Blocks
from py_read_codes import CodeReader
from py_read_dicts import Dicts
from py_read_locks import Locks, futex_address
from py_read_memory import Torn, Unreadable
from py_read_names import thread_names
from py_read_objects import Objects
from py_read_seen import Stacks, Thread
from py_read_stacks import StackReader
from py_read_threads import ThreadList

PIECES_AT_ONCE = 1024
BYTES_AT_ONCE = 4 << 20
WAIT_TRIES = 3
FINISH_SECONDS = 1.5


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
        self.stacks = Stacks(self.objects, self.codes, self.blocks, self.reader)
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
            stack, _ = self.stacks.of(thread, self._copies([thread])[0])
            if stack is None:
                continue
            try:
                lock = self.locks.waited(self.codes.visible(thread.chain.frames), semaphore)
            except Torn:
                continue
            self.stacks.mark(thread, thread.plan, thread.chain, stack)
            if self.stacks.stands(thread.plan, thread.chain) and futex_address(self.memory.pid, thread.tid) == semaphore:
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
                seen.append((thread, self.stacks.of(thread, copy)))
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
