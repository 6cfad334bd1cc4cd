"""Which lock a thread waits for.

A thread in futex(2) waits at an address; the lock whose semaphore is there is the one it waits for (Python/
thread_pthread.h: PyThread_type_lock is a sem_t). Newer locks, those of 3.14 and of later builds of 3.13, have no semaphore
of their own: who waits has one on its C stack, right after the address of the lock (Python/parking_lot.c, struct
wait_entry), and the lock says that somebody waits (Python/lock.c).
"""
import struct

from py_read_blocks import VALUES_MOST, bound_method, locals_at
from py_read_dicts import Dicts
from py_read_memory import Torn

LOCKS = ('_thread.lock', 'thread.lock')
RLOCK = '_thread.RLock'
PARKED_AT = 16  # where such a lock has its byte: right after the head
LOCKED_WITH_WAITERS = 3  # _Py_LOCKED and _Py_HAS_PARKED (pycore_lock.h)


class Locks(object):
    """Locks of one process."""

    def __init__(self, objects):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        self.newer = objects.version >= (3, 11)
        self.apart = objects.version >= (3, 14)
        self.dicts = Dicts(objects)

    def waited(self, frames, semaphore):
        """(type, address, ident of the owner or None) of the lock that waits at `semaphore`; None when it is not found.

        An older one is looked for among the values of the innermost frame, which called it. `frames`: outermost first.
        """
        if not frames:
            return None
        frame, code, _ = frames[-1]
        parked = self._parked(semaphore)
        if parked is not None:
            return self._owned(parked[0], parked[1], self._first_local(frame, code))
        for value in self._values(frame, code):
            for lock in (value, (bound_method(self.objects, value) or (0,))[0]):
                kind = self._lock_type(lock, semaphore)
                if kind is not None:
                    return self._owned(kind, lock, self._first_local(frame, code))
        return None

    def _parked(self, semaphore):
        """(type's name, address) of the newer lock for which somebody waits with a semaphore there, else None."""
        if self.objects.version < (3, 13):
            return None
        try:
            lock = self.memory.word(semaphore - 8) - PARKED_AT
            kind = self.objects.type_name(self.objects.type_of(lock))
            if kind in LOCKS + (RLOCK,) and self.memory.read(lock + PARKED_AT, 1)[0] & 3 == LOCKED_WITH_WAITERS:
                return kind, lock
        except Torn:
            pass
        return None

    def _values(self, frame, code):
        """All values of a frame, also those that its stack still shows after they were taken from it."""
        at = locals_at(self.layout)
        try:
            count = min(max(code.locals_count, 0) + max(code.stack_size, 0), VALUES_MOST)
            if self.newer:
                return struct.unpack('<%dQ' % count, self.memory.read(frame + at, 8 * count))
            stack = self.memory.word(frame + self.layout['PyFrameObject.f_valuestack'])
            most = stack - (frame + at) + 8 * max(code.stack_size, 0)
            if not 0 < most <= 8 * VALUES_MOST:
                return ()
            return struct.unpack('<%dQ' % (most // 8), self.memory.read(frame + at, most // 8 * 8))
        except Torn:
            return ()

    def _owner_fields(self):
        """Where an RLock has its owner's ident and its count."""
        layout = self.layout
        if self.apart:
            lock = layout['rlockobject.lock']
            return lock + layout['_PyRecursiveMutex.thread'], lock + layout['_PyRecursiveMutex.level']
        return layout['rlockobject.rlock_owner'], layout['rlockobject.rlock_count']

    def _first_local(self, frame, code):
        try:
            return self.memory.word(frame + locals_at(self.layout)) if code.argument_count else 0
        except Torn:
            return 0

    def _lock_type(self, lock, semaphore):
        """The type's name if there is a lock at `lock` that waits at `semaphore`, else None."""
        if not lock or lock % 8:
            return None
        try:
            kind = self.objects.type_name(self.objects.type_of(lock))
            if kind in LOCKS:
                at = self.layout['lockobject.lock_lock']
            elif kind == RLOCK:
                at = self.layout['rlockobject.rlock_lock']
            else:
                return None
            return kind if self.memory.word(lock + at) == semaphore else None
        except Torn:
            return None

    def _owned(self, kind, lock, outer):
        """What is known of a lock; for a lock inside a _RLock written in Python (`outer`), of that one."""
        objects = self.objects
        try:
            if kind == RLOCK:
                owner, count = self._owner_fields()
                owned = self.apart or self.memory.word(lock + count)
                return kind, lock, self.memory.word(lock + owner) if owned else None
            if outer and objects.type_name(objects.type_of(outer)) == '_RLock':
                block, owner = ('_RLock__block', '_RLock__owner') if objects.version == (2, 7) else ('_block', '_owner')
                if self.dicts.attribute(outer, block) == lock:
                    owner = self.dicts.attribute(outer, owner)
                    return '_RLock', outer, objects.integer(owner) if owner else None
        except Torn:
            pass
        return kind, lock, None


def futex_address(pid, tid):
    """The address at which a thread waits in futex(2), None when it does not (/proc/PID/task/TID/syscall, proc(5))."""
    try:
        with open('/proc/%d/task/%d/syscall' % (pid, tid)) as syscall:
            fields = syscall.read().split()
        # futex is 202 on x86-64 and 98 on aarch64; FUTEX_WAIT is 0, FUTEX_WAIT_BITSET 9, apart from two flags.
        if len(fields) > 4 and fields[0] in ('202', '98') and int(fields[2], 16) & 0x7f in (0, 9):
            return int(fields[1], 16)
    except (OSError, ValueError):
        pass
    return None
