"""Tells whose lock of the C library a thread waits for. Beside proc_watch.py. Python 3.6 or later, standard library only.

A thread that finds a mutex taken waits with FUTEX_WAIT for its first word to change from 2, without a limit; the mutex notes
the kernel thread id of its owner (glibc sysdeps/nptl/bits/struct_mutex.h, nptl/lowlevellock.c). Who waits for a read-write lock that
another one writes under waits for a word of it to change from 3 (bits/struct_rwlock.h, nptl/pthread_rwlock_common.c). Of robust
and priority-inheriting locks the word itself is the owner's id (futex(2)). All of it is read, nothing is stopped.
"""
import os
import re
import struct

from proc_files import slurp

WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2 = 0, 6, 9, 13
WAITERS = 0x80000000
OWNER = 0x3fffffff
RECURSIVE = 1
KINDS = 3 | 16 | 32 | 64 | 128 | 256 | 512  # of pthread_mutex_t; any other bit is no mutex's
FEWEST = 10


def words_at(pid, address, count):
    """32-bit words of the process's memory, or None."""
    try:
        fd = os.open('/proc/%d/mem' % pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        raw = os.pread(fd, 4 * count, address)
    except (OSError, OverflowError):
        return None
    finally:
        os.close(fd)
    return struct.unpack('=%dI' % count, raw) if len(raw) == 4 * count else None


def mutex_owner(pid, address, known):
    """The owner that a pthread_mutex_t at this address notes; None when there is none, or it is no mutex."""
    words = words_at(pid, address, 5)
    if words is None:
        return None
    lock, depth, owner, users, kind = words
    if lock != 2 or kind & ~KINDS or not 1 <= users < 1 << 20 or (depth and kind & 3 != RECURSIVE):
        return None
    return known(owner)


def writer(pid, address, known):
    """The thread that writes under a pthread_rwlock_t of which a word is at this address."""
    for before in (8, 12):
        words = words_at(pid, address - before, 7)
        owner = known(words[6]) if words is not None and words[before // 4] == 3 and words[2] in (1, 3) else None
        if owner is not None:
            return owner
    return None


def owner_of(pid, thread, name, known):
    """(address, kernel thread id) of the lock that a thread did nothing but wait for, and of who has it; None otherwise.

    `known`: the kernel thread id of an owner by the number that the process itself knows it by, None for nobody's.
    """
    if thread.samples < FEWEST or len(thread.calls) != 1:
        return None
    (number, (_, words, _)), = thread.calls.items()
    if name(number) != 'futex' or len(words) < 4:
        return None
    address, operation, value, limit = [int(word, 16) for word in words[:4]]
    operation, value = operation & 0x7f, value & 0xffffffff
    if limit or address % 4:
        return None
    owner = None
    if operation in (LOCK_PI, LOCK_PI2):
        held = words_at(pid, address, 1)
        owner = known(held[0] & OWNER) if held else None
    elif operation == WAIT and value & WAITERS:
        owner = known(value & OWNER)
    elif operation == WAIT and value == 2:
        owner = mutex_owner(pid, address, known)
    elif operation in (WAIT, WAIT_BITSET) and value == 3:
        owner = writer(pid, address, known)
    return (address, owner) if owner is not None else None


def threads_by_own_number(pid, tids):
    """Kernel thread ids by the numbers that the threads have in their own pid namespace (NSpid of proc_pid_status(5))."""
    found = {}
    for tid in sorted(tids):
        inside = re.search(rb'^NSpid:.*?(\d+)$', slurp('/proc/%d/task/%d/status' % (pid, tid)) or b'', re.M)
        found[int(inside.group(1)) if inside else tid] = tid
    return found
