"""The calls that an interpreter is to make when it comes to it, as they lie in its memory (3.6 to 3.13, and 2.7).

What Py_AddPendingCall does (Python/ceval.c; 3.12 and later: Python/ceval_gil.c) is done from outside: a function and its argument are
put into a ring, then the interpreter is told that there is something to do. Its main thread makes the call between two
instructions of Python, never within C code. Nothing is attached: a debugger that calls a function in a thread that
sleeps was seen to end the process, each time (errno 514, ERESTARTNOHAND, from time.sleep).

Offsets were printed by gdb from the debug information of 3.7.16, 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.0 and of Debian's
3.11.2. Before anything is written, all that is read has to look as such a ring does.
"""
import struct

from pyrasite_guard import Refused

# _PyRuntime or the interpreter state; where its ring begins; recursion_limit and the word that interrupts, which may lie elsewhere.
RINGS = {
    (3, 7): ('runtime', 0x2d0, ('runtime', 0x2c0), ('runtime', 0x2c8)),
    (3, 8): ('runtime', 0x258, ('runtime', 0x248), ('runtime', 0x250)),
    (3, 9): ('interpreter', 0x50, ('interpreter', 0x40), ('interpreter', 0x48)),
    (3, 10): ('interpreter', 0x50, ('interpreter', 0x40), ('interpreter', 0x44)),
    (3, 11): ('interpreter', 0x70, ('interpreter', 0x60), ('interpreter', 0x64)),
    (3, 12): ('runtime', 0x7e0, ('interpreter', 0x178), ('interpreter', 0x170)),
    (3, 13): ('runtime', 0xa50, ('interpreter', 0x8), ('thread', 0x18)),
}
# In a ring: lock, calls_to_do, calls, first, last; from 3.9 to 3.11 there is nothing before the lock.
FIELDS = {'lock': 8, 'to_do': 16, 'calls': 24, 'first': 536, 'last': 540}
CALLS = 32
CALLS_TO_DO = 1 << 2  # _PY_CALLS_TO_DO_BIT of 3.13, Include/internal/pycore_ceval.h


class Ring(object):
    """Where the parts of a ring are: addresses. `size` is that of one call."""

    def __init__(self, lock, to_do, calls, first, last, breaker, size=16, slots=CALLS):
        self.lock, self.to_do, self.calls, self.first, self.last = lock, to_do, calls, first, last
        self.breaker, self.size, self.slots = breaker, size, slots


def find_ring(memory, runtime, state, symbols):
    """The ring of the main interpreter. `state`: its first thread's. `symbols`: addresses by name, of 2.7 and 3.6.

    Raises Refused when it is not where it is known to be, Torn.
    """
    version = runtime.layout.version
    if version < (3, 7):
        return named_ring(version, symbols)
    if version not in RINGS:
        raise Refused('where Python %d.%d keeps its pending calls is not known' % version)
    of, at, limit, breaker = RINGS[version]
    bases = {'runtime': runtime.address, 'thread': state,
             'interpreter': memory.word(state + runtime.layout['PyThreadState.interp'])}
    recursion = memory.int32(bases[limit[0]] + limit[1])
    if not 20 <= recursion <= 100000000:
        raise Refused('its pending calls lie elsewhere than in the builds that are known')
    start, breaker = bases[of] + at, bases[breaker[0]] + breaker[1]
    if version == (3, 13):
        _, locked, _, _, most, loop = struct.unpack('<QB3siii', memory.read(start, 24))
        if locked not in (0, 1) or most != CALLS or loop != 0:
            raise Refused('its pending calls lie elsewhere than in the builds that are known')
        return Ring(start + 8, start + 12, start + 24, start + 7224, start + 7228, breaker, 24, 300)
    shift = -8 if (3, 9) <= version <= (3, 11) else 0
    places = dict((name, start + shift + offset) for name, offset in FIELDS.items())
    return Ring(breaker=breaker, **places)


def named_ring(version, symbols):
    names = ('pending_lock', 'pendingcalls_to_do', 'pendingcalls', 'pendingfirst', 'pendinglast',
             '_Py_Ticker' if version < (3, 0) else 'eval_breaker')
    found = symbols(*names)
    if found is None:
        raise Refused('it is stripped of the symbols that lead to its pending calls')
    return Ring(*found)


def put(memory, write, runtime, ring, function, argument):
    """Puts one call into the ring. `write(address, bytes)`. Raises Refused when it does not look like one, or is full."""
    version = runtime.layout.version
    first, last = memory.int32(ring.first), memory.int32(ring.last)
    if not 0 <= first < ring.slots or not 0 <= last < ring.slots:
        raise Refused('its pending calls lie elsewhere than in the builds that are known')
    if version >= (3, 13):
        waiting = memory.int32(ring.to_do)
        free = memory.read(ring.lock, 1) == b'\0'
        plausible = waiting == (last - first) % ring.slots
    else:
        lock = memory.word(ring.lock)
        # No lock yet: nobody has asked the interpreter for anything (2.7, and 3.6, make it in the first thread).
        semaphore = memory.int32(lock) if lock else 1
        free = semaphore == 1
        plausible = semaphore in (0, 1) and memory.int32(ring.to_do) in (0, 1)
        if version >= (3, 0):
            plausible = plausible and memory.int32(ring.breaker) in (0, 1)
    if not plausible:
        raise Refused('its pending calls lie elsewhere than in the builds that are known')
    if not free or (last + 1) % ring.slots == first or (last - first) % ring.slots >= CALLS - 1:
        raise Refused('it has pending calls of its own at this moment')
    entry = struct.pack('<QQ', function, argument)
    # Who makes the calls looks at the ring from the last of these on, so that it finds it whole.
    write(ring.calls + last * ring.size, entry + struct.pack('<Q', 0)[:ring.size - 16])
    write(ring.last, struct.pack('<i', (last + 1) % ring.slots))
    if version >= (3, 13):
        write(ring.to_do, struct.pack('<i', memory.int32(ring.to_do) + 1))
        write(ring.breaker, struct.pack('<Q', memory.word(ring.breaker) | CALLS_TO_DO))
        return
    write(ring.to_do, struct.pack('<i', 1))
    write(ring.breaker, struct.pack('<i', 0 if version < (3, 0) else 1))
