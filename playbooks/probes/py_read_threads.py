"""The threads of an interpreter: their thread states, kernel thread ids and names."""
import struct

from py_read_memory import Torn
from py_read_stacks import fields_of

THREADS_MOST = 20000
TRIES = 5
KNOWN_OFFSETS = (720, 208, 48, 32)
PTHREAD_SIZE = 1024  # of glibc's struct pthread, and more than musl's; the kernel's id is an int somewhere in it


class ThreadState(object):
    """One thread state. `key` tells it from a later one at the same address; `tid` is the host's thread id or None."""

    __slots__ = ('address', 'key', 'ident', 'native', 'tid')

    def __init__(self, address, key):
        self.address = address
        self.key = key
        self.ident = self.native = 0
        self.tid = None


class ThreadList(object):
    """The thread states of all interpreters, kept from sample to sample as long as the lists have not changed."""

    def __init__(self, memory, runtime):
        self.memory = memory
        self.runtime = runtime
        layout = runtime.layout
        self.at = [layout.get('PyThreadState.' + name) for name in
                   ('next', 'interp', 'thread_id', 'native_thread_id', 'id', 'frame')]
        # To 3.6 a forked child keeps the states of its parent's threads, and may give their idents to new ones.
        self.inherits = layout.version < (3, 7)
        if not self.inherits:
            self.at[-1] = None
        self.head_size = max(offset for offset in self.at if offset is not None) + 8
        self.layout, self.order = fields_of(0, [(offset, 'Q') for offset in self.at if offset is not None])
        self.interpreters_not_read = 0
        self.interpreters = []
        self._threads = []
        self._links = []
        self._tids = Tids(memory)

    @property
    def threads(self):
        """The thread states that existed when they were read last."""
        return self._threads

    def read(self):
        """The thread states that exist now. Raises Torn when the lists change faster than they can be read."""
        why = Torn('never read')
        for left in range(TRIES - 1, -1, -1):
            try:
                if not self._unchanged():
                    self._walk(not left)
                    if not self._unchanged(but_heads=True):
                        continue
                return self._threads
            except Torn as torn:
                why = torn
                self._links = []
        raise why

    def _fields(self, head):
        values = self.layout.unpack_from(head)
        order = iter(self.order)
        return [0 if offset is None else values[next(order)] for offset in self.at]

    def _words(self, head):
        """What of a thread state makes the lists: equal as long as they have not changed."""
        if self.inherits:
            values = self._fields(head)
            return values[:-1] + [bool(values[-1])]
        return self.layout.unpack_from(head)

    def _unchanged(self, but_heads=False):
        """Whether every word that the lists consist of still is as it was.

        With `but_heads`, a list may begin elsewhere by now: a thread that starts comes in front of it (PyThreadState_New,
        Python/pystate.c), and is in the next sample. Where threads start without an end, that is between any two looks.
        """
        if not self._links:
            return False
        data = self.memory.read_all([link[:2] for link in self._links])
        words = self._words
        for found, (_, size, expected) in zip(data, self._links):
            if but_heads and size == 8:
                continue
            if found is None or (found if size == 8 else words(found)) != expected:
                return False
        return True

    def _walk(self, patient):
        """Reads the lists anew. Raises Torn; when `patient`, only if no interpreter's list could be read."""
        known = dict((thread.key, thread) for thread in self._threads)
        threads, links = [], []
        interpreters = self.runtime.interpreters()
        self.interpreters_not_read = 0
        for interpreter in interpreters:
            try:
                mine = self._walk_one(interpreter)
            except Torn:
                if not patient or len(interpreters) == 1:
                    raise
                self.interpreters_not_read += 1
                continue
            # A thread state is made by the thread that starts another one, and has no or that one's ident until the
            # new one runs. An embedding program (uWSGI) may have made several for one thread, and use any of them.
            # The newest comes first in the list.
            begun = {}
            for address, size, value, fields in mine[::-1]:
                if fields is None:
                    links.append((address, size, value))
                    continue
                links.append((address, size, self._words(value)))
                _, _, ident, native, number, runs = fields
                if ident and (ident not in begun or not self.inherits or runs):
                    key = (address, number or ident)
                    thread = known.get(key) or ThreadState(address, key)
                    begun[ident if self.inherits else key] = thread
                    thread.ident, thread.native = ident, native
            threads.extend(begun.values())
        self.interpreters = interpreters
        self._threads, self._links = self._tids.assign(threads), links

    def _walk_one(self, interpreter):
        """What the list of one interpreter consists of, (address, size, bytes, fields of a thread state or None)."""
        address = self.runtime.first_thread(interpreter)
        found = [(self.runtime.first_thread_at(interpreter), 8, struct.pack('<Q', address), None)]
        seen = set()
        while address:
            if address in seen or len(seen) >= THREADS_MOST:
                raise Torn('the list of threads has no end')
            seen.add(address)
            head = self.memory.read(address, self.head_size)
            fields = self._fields(head)
            if fields[1] != interpreter:
                raise Torn('a thread state of another interpreter')
            found.append((address, self.head_size, head, fields))
            address = fields[0]
        return found


class Tids(object):
    """Which kernel thread a thread state belongs to.

    From 3.11 on the thread state names it, though after a fork it may still name the parent's (and names it as the
    process's own pid namespace counts). The pthread that `thread_id` points to has it too, at an offset that depends
    on the C library and is found by looking: where every thread has another one of the process's thread ids.
    """

    def __init__(self, memory):
        self.memory = memory
        self._offset = None
        self._own = {}

    def assign(self, threads):
        """Sets `tid` of each thread to the id in /proc/PID/task, None where it cannot be told; gives those that exist.

        A child that was forked inherits the states of threads that it does not have; to 3.6 it keeps them.
        """
        tids = self.memory.thread_ids()
        host = dict((self._own_id(tid), tid) for tid in tids)
        inside = self._in_pthreads(threads, host)
        existing = []
        for thread, number in zip(threads, inside):
            thread.tid = host.get(number) or host.get(thread.native & 0xffffffff if thread.native else None)
            if thread.tid is None and len(threads) == len(tids) == 1:
                thread.tid = tids[0]
            if thread.tid is not None or number is None:
                existing.append(thread)
        return existing

    def _own_id(self, tid):
        """The id by which the process itself knows the thread: the last one of NSpid in status (proc(5))."""
        if tid not in self._own:
            if len(self._own) > 4 * THREADS_MOST:
                self._own.clear()
            self._own[tid] = self._read_own_id(tid)
        return self._own[tid]

    def _read_own_id(self, tid):
        if self._own and all(own == other for own, other in list(self._own.items())[:1]):
            return tid  # not in a pid namespace of its own
        try:
            with open('/proc/%d/task/%d/status' % (self.memory.pid, tid), 'rb') as status:
                for line in status:
                    if line.startswith(b'NSpid:'):
                        return int(line.split()[-1])
        except (OSError, ValueError):
            pass
        return tid

    def _in_pthreads(self, threads, host):
        """The thread id in each thread's struct pthread, None where there is none."""
        idents = list(set(thread.ident for thread in threads))
        heads = dict(zip(idents, self.memory.read_all([(ident, PTHREAD_SIZE) for ident in idents])))
        if self._offset is None:
            self._offset = tid_offset([head for head in heads.values() if head], host)
        if self._offset is None:
            return [None] * len(threads)
        return [heads[thread.ident] and struct.unpack_from('<i', heads[thread.ident], self._offset)[0]
                for thread in threads]


def tid_offset(heads, host):
    """The offset at which the pthreads `heads` have thread ids of `host`, each another one; None when not to be told.

    Known places come first: glibc on x86-64 and aarch64, musl on both. In a container small numbers are thread ids
    too, so that elsewhere one thread alone proves nothing.
    """
    def matches(offset):
        found = [struct.unpack_from('<i', head, offset)[0] for head in heads]
        found = [number for number in found if number in host]
        return len(found) if len(set(found)) == len(found) else 0

    if not heads:
        return None
    known = max(KNOWN_OFFSETS, key=matches)
    if matches(known):
        return known
    best = max(range(0, PTHREAD_SIZE, 4), key=matches)
    return best if matches(best) > max(1, len(heads) // 2) else None
