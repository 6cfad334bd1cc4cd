"""Which `with` blocks the frames of a stack are inside of, and which lock a thread waits for.

A `with` block keeps the bound `__exit__` of its context manager on the frame's value stack. To 3.10 the frame's block
stack says how deep the values of each block reach (f_blockstack, b_level); from 3.11 on the code's exception table says
it for the current instruction (Objects/exception_handling_notes.txt); 3.14 keeps `__exit__` and the manager apart.

A thread in futex(2) waits at an address; the lock whose semaphore is there is the one it waits for (Python/
thread_pthread.h: PyThread_type_lock is a sem_t). From 3.14 on locks have no semaphore of their own, but say that
somebody waits (Python/lock.c): then it is the lock that the innermost frame's current instruction calls.
"""
import struct

from py_read_dicts import Dicts
from py_read_memory import Torn
from py_read_stacks import reference_bits

EXITS = ('__exit__', '__aexit__')
BUILTIN_METHODS = ('builtin_function_or_method', 'builtin_method')
METHODS = ('method', 'instancemethod')
LOCKS = ('_thread.lock', 'thread.lock')
RLOCK = '_thread.RLock'
VALUES_MOST = 600  # of one frame
HOLDS_MOST = 64  # of one frame
BLOCKS_MOST = 20  # CO_MAXBLOCKS
LOCKED_WITH_WAITERS = 3  # _Py_LOCKED and _Py_HAS_PARKED (pycore_lock.h)


class Locks(object):
    """Locks and context managers of one process."""

    def __init__(self, objects):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        self.newer = objects.version >= (3, 11)
        self.apart = objects.version >= (3, 14)
        self.bits = reference_bits(self.layout)
        self.dicts = Dicts(objects)

    def holds(self, frames):
        """{index in `frames`: [(type, address)]} of the context managers, outermost first. `frames`: outermost first.

        What it says holds only if the frames stood all the while.
        """
        found = {}
        for index, (frame, code, offset) in enumerate(frames):
            managers = []
            values = self._block_values(frame, code, offset)
            for value, following in zip(values, values[1:] + [0]):
                manager = self._manager(value, following)
                if manager is not None:
                    managers.append(manager)
                    managers.extend(self._inner_locks(manager, frames[index + 1:]))
            if managers:
                found[index] = managers[:HOLDS_MOST]
        return found

    def _block_values(self, frame, code, offset):
        """The values on the frame's stack that blocks keep there while they last, lowest first."""
        try:
            if self.newer:
                depth = handler_depth(code.exceptions, offset // 2)
                start = frame + self.layout['_PyInterpreterFrame.localsplus'] + 8 * code.locals_count
                levels = range(min(depth, VALUES_MOST))
            else:
                start = self.memory.word(frame + self.layout['PyFrameObject.f_valuestack'])
                levels = sorted(set(level - 1 for level in self._block_levels(frame) if 0 < level <= VALUES_MOST))
                depth = max(levels) + 1 if levels else 0
            if not depth:
                return []
            data = self.memory.read(start, 8 * min(depth, VALUES_MOST))
            return [struct.unpack_from('<Q', data, 8 * level)[0] & self.bits for level in levels]
        except Torn:
            return []

    def _block_levels(self, frame):
        layout = self.layout
        count = self.memory.int32(frame + layout['PyFrameObject.f_iblock'])
        if not 0 < count <= BLOCKS_MOST:
            return []
        size, at = layout['PyTryBlock.size'], layout['PyTryBlock.b_level']
        data = self.memory.read(frame + layout['PyFrameObject.f_blockstack'], size * count)
        return [struct.unpack_from('<i', data, size * block + at)[0] for block in range(count)]

    def _manager(self, value, following):
        """(type, address) of the context manager whose bound `__exit__` is the object at `value`; None for others.

        Where `__exit__` is not bound the manager is the value `following` it.
        """
        bound = self._bound(value)
        if bound is None and self.apart and following:
            bound = following, self._unbound_name(value)
        if bound is None or bound[1] not in EXITS:
            return None
        try:
            return self.objects.type_name(self.objects.type_of(bound[0])), bound[0]
        except Torn:
            return None

    def _bound(self, value):
        """(address of self, name) of the bound method at `value`, None for anything else."""
        objects, memory, layout = self.objects, self.memory, self.layout
        try:
            if not value:
                return None
            kind = objects.type_of(value)
            if any(objects.is_a(kind, name) for name in BUILTIN_METHODS):
                name = memory.text(memory.word(memory.word(value + layout['PyCFunctionObject.m_ml'])
                                               + layout['PyMethodDef.ml_name']), 64).decode('utf-8', 'replace')
                owner = memory.word(value + layout['PyCFunctionObject.m_self'])
            elif any(objects.is_a(kind, name) for name in METHODS):
                function = memory.word(value + layout['PyMethodObject.im_func'])
                owner = memory.word(value + layout['PyMethodObject.im_self'])
                if not objects.is_instance(function, 'function'):
                    return None
                name = objects.string(memory.word(function + layout['PyFunctionObject.func_name']))
            else:
                return None
            return (owner, name) if owner else None
        except Torn:
            return None

    def _unbound_name(self, value):
        """The name of the function or method descriptor at `value`, None for anything else."""
        objects, memory, layout = self.objects, self.memory, self.layout
        try:
            if objects.is_instance(value, 'function'):
                return objects.string(memory.word(value + layout['PyFunctionObject.func_name']))
            if objects.is_instance(value, 'method_descriptor'):
                return objects.string(memory.word(value + layout['PyDescrObject.d_name']))
        except Torn:
            pass
        return None

    def _inner_locks(self, manager, inner):
        """The lock of a Condition that is held by its `with` block; none while one of the inner frames waits in it."""
        kind, address = manager
        if kind not in ('Condition', '_Condition') or any(self._waits_in(frame, address) for frame in inner):
            return []
        try:
            lock = self.dicts.attribute(address, '_Condition__lock' if self.objects.version == (2, 7) else '_lock')
            return [(self.objects.type_name(self.objects.type_of(lock)), lock)] if lock else []
        except Torn:
            return []

    def _waits_in(self, frame, condition):
        address, code, _ = frame
        if code.name.rpartition('.')[2] != 'wait' or code.argument_count < 1:
            return False
        try:
            return self.memory.word(address + self._locals_at()) & self.bits == condition
        except Torn:
            return True

    def _locals_at(self):
        return self.layout['_PyInterpreterFrame.localsplus' if self.newer else 'PyFrameObject.f_localsplus']

    def waited(self, frames, semaphore):
        """(type, address, ident of the owner or None) of the lock that waits at `semaphore`; None when it is not found.

        It is looked for among the values of the innermost frame, which called it. `frames`: outermost first.
        """
        if not frames:
            return None
        frame, code, offset = frames[-1]
        if self.apart:
            return self._waited_by_call(frame, code, offset)
        for value in self._values(frame, code):
            for lock in (value, (self._bound(value) or (0,))[0]):
                kind = self._lock_type(lock, semaphore)
                if kind is not None:
                    return self._owned(kind, lock, self._first_local(frame, code))
        return None

    def _waited_by_call(self, frame, code, offset):
        """As `waited`: the locked lock with waiters among what the frame's current instruction calls, if it is one."""
        layout = self.layout
        try:
            top = self.memory.word(frame + layout['_PyInterpreterFrame.stackpointer'])
            count = min(bytearray(self.memory.read(code.start + offset, 2))[1] + 2, VALUES_MOST)
            if not frame < top <= frame + 8 * (VALUES_MOST + code.locals_count):
                return None
            called = struct.unpack('<%dQ' % count, self.memory.read(top - 8 * count, 8 * count))
        except Torn:
            return None
        for value in [reference & self.bits for reference in called]:
            for lock in (value, (self._bound(value) or (0,))[0]):
                kind = self._parked_type(lock)
                if kind is not None:
                    return self._owned(kind, lock, 0)
        return None

    def _parked_type(self, lock):
        """The type's name if there is a lock at `lock` that somebody waits for, else None."""
        try:
            kind = self.objects.type_name(self.objects.type_of(lock)) if lock else None
            if kind not in LOCKS + (RLOCK,):
                return None
            at = self.layout['rlockobject.lock' if kind == RLOCK else 'lockobject.lock']
            return kind if bytearray(self.memory.read(lock + at, 1))[0] & 3 == LOCKED_WITH_WAITERS else None
        except Torn:
            return None

    def _values(self, frame, code):
        """All values of a frame, also those that its stack still shows after they were taken from it."""
        at = self._locals_at()
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
            return self.memory.word(frame + self._locals_at()) if code.argument_count else 0
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
                return kind, lock, self.memory.word(lock + owner) if self.apart or self.memory.word(lock + count) else None
            if outer and objects.type_name(objects.type_of(outer)) == '_RLock':
                block, owner = ('_RLock__block', '_RLock__owner') if objects.version == (2, 7) else ('_block', '_owner')
                if self.dicts.attribute(outer, block) == lock:
                    owner = self.dicts.attribute(outer, owner)
                    return '_RLock', outer, objects.integer(owner) if owner else None
        except Torn:
            pass
        return kind, lock, None


def handler_depth(table, unit):
    """How many values stay on the stack for the handler that covers instruction `unit`, 0 without one.

    `table` is co_exceptiontable: start, length, target and depth of each entry as varints of six bits a byte.
    """
    data = bytearray(table)
    at, count = 0, len(data)
    while at < count:
        values = []
        for _ in range(4):
            if at >= count:
                return 0
            byte = data[at]
            at += 1
            value = byte & 63
            while byte & 64 and at < count:
                byte = data[at]
                at += 1
                value = value << 6 | byte & 63
            values.append(value)
        start, length, _, depth = values
        if start <= unit < start + length:
            return depth >> 1
    return 0


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
