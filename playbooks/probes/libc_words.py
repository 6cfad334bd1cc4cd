"""Tells which thread stands at a lock of the C library itself, and which signals it handles but blocks meanwhile.

Beside proc_watch.py. Python 3.6 or later, standard library only. glibc's own locks (of malloc, stdio, the loader) lie in
its data or at the head of a malloc arena, and who finds one taken waits with FUTEX_WAIT for it to change from 2, without
a limit (glibc nptl/lowlevellock.c). A handler runs with its signal blocked (sigaction(2)).
"""
import re

from proc_files import slurp

LIBC = re.compile(rb'/(libc(-2\.\d+)?\.so(\.6)?|ld-linux[^/]*|ld-2\.\d+\.so)( \(deleted\))?$')
ARENA = 64 << 20  # HEAP_MAX_SIZE: what malloc maps for a thread's arena is aligned to it (glibc malloc/arena.c)
HEAD = 256  # heap_info and the first words of malloc_state
FEWEST = 10


def mask_of(status, name):
    found = re.search(rb'^' + name + rb':\s*([0-9a-f]+)$', status or b'', re.M)
    return int(found.group(1), 16) if found else 0


def place_of(maps, address):
    """`libc` or `arena` for a word there, None for any other."""
    library, behind = False, 0
    for line in (maps or b'').split(b'\n'):
        found = re.match(rb'([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$', line)
        if not found:
            continue
        start, end, path = int(found.group(1), 16), int(found.group(2), 16), found.group(4)
        # What follows a library's data without a gap and a name is its .bss.
        library = bool(LIBC.search(path)) if path else library and start == behind
        behind = end
        if start <= address < end:
            if library:
                return 'libc'
            base = address & ~(ARENA - 1)
            return 'arena' if not path and start == base and address - base < HEAD else None
    return None


def blocked_handled(status):
    """Numbers of the signals that a thread blocks and its process handles."""
    blocked = mask_of(status, b'SigBlk') & mask_of(status, b'SigCgt')
    return [signal + 1 for signal in range(64) if blocked >> signal & 1]


def own_lock(pid, thread, status, name):
    """(`libc` or `arena`, numbers of the signals) for a thread that did nothing else in the window, or None."""
    if thread.samples < FEWEST or len(thread.calls) != 1:
        return None
    (number, (_, words, _)), = thread.calls.items()
    if name(number) != 'futex' or len(words) < 4:
        return None
    address, operation, value, limit = [int(word, 16) for word in words[:4]]
    if operation & 0x7f or value & 0xffffffff != 2 or limit:
        return None
    place = place_of(slurp('/proc/%d/maps' % pid, 16 << 20), address)
    if place is None:
        return None
    return place, blocked_handled(status)
