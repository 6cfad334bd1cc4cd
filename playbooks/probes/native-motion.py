"""Tells whether the busiest thread of a process comes back to the same states: its registers and all that it can write.

Usage: native-motion.py PID START_TIME SECONDS. Python 3.6 or later, standard library only.

A thread that is exactly as it was, in registers and memory, goes round for ever unless something from outside changes what it
reads. It is held by ptrace(2) (PTRACE_SEIZE, which sends it no signal) for well under a millisecond a look; its memory is read
through /proc/PID/mem. Should this script end in the middle, the kernel lets the thread go on.
"""
import ctypes
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proc_files import TICKS, comm_of, fields, print_utf8, quoted, shown, slurp
from native_states import PAGE, Memory, outside

SEIZE, INTERRUPT, LISTEN, CONT, DETACH, GETREGSET, RSEQ = 0x4206, 0x4207, 0x4208, 7, 17, 0x4204, 0x420F
WALL, EVENT_STOP = 0x40000000, 128
# Register sets of elf.h: general ones, those of floating point and vectors, and on ARM the number of the system call.
GENERAL, FLOATING, SYSTEM_CALL = 1, {'x86_64': 0x202, 'aarch64': 2}, 0x404
# Where the general registers of user_regs_struct (sys/user.h) hold the program counter and the stack pointer.
PLACES = {'x86_64': (16, 19), 'aarch64': (32, 31)}
# Time between two looks in seconds, and how long the thread may take to stop.
PAUSE = 0.004
PATIENCE = 3
# Fewer looks meet a round of many states too seldom: where processors are short, it looks for up to twice as long.
ENOUGH_LOOKS = 300
MOST_PLACES = 12


class Refused(Exception):
    pass


class Iovec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]


libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, tid, address=0, data=0):
    answer = libc.ptrace(request, tid, address, data)
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


class Thread:
    """A thread that is held for moments."""

    def __init__(self, tid):
        self.tid = tid
        self.machine = os.uname().machine
        self.room = ctypes.create_string_buffer(16384)
        self.signals = 0

    def attach(self):
        ptrace(SEIZE, self.tid)

    def detach(self):
        """Lets it go; it stops for nobody any more."""
        self.hold()
        ptrace(DETACH, self.tid)

    def stopped(self, status):
        """Whether it stands still for a look. A signal that has stopped it on its way is handed on."""
        if not os.WIFSTOPPED(status):
            raise Refused('ended: the thread ended meanwhile')
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == EVENT_STOP and number == signal.SIGTRAP:
            return True
        if event == EVENT_STOP:
            ptrace(LISTEN, self.tid)
            raise Refused('failed: the process was stopped by a signal meanwhile')
        self.signals += 1
        ptrace(CONT, self.tid, 0, number if event == 0 else 0)
        return False

    def hold(self):
        """Stops it for a look. Raises Refused when it has ended or does not stop."""
        ptrace(INTERRUPT, self.tid)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            while not self.stopped(os.waitpid(self.tid, WALL)[1]):
                pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def leave_alone(self, seconds):
        """Lets it run for so long, and hands on at once each signal that comes for it: it stops for each (SIGCHLD tells)."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0:
                return
            if signal.sigtimedwait([signal.SIGCHLD], left) is None:
                return
            tid, status = os.waitpid(self.tid, WALL | os.WNOHANG)
            if tid and self.stopped(status):
                self.go_on()

    def go_on(self):
        ptrace(CONT, self.tid)

    def registers(self, kind):
        part = Iovec(ctypes.cast(self.room, ctypes.c_void_p), len(self.room))
        ptrace(GETREGSET, self.tid, kind, ctypes.addressof(part))
        return self.room.raw[: part.length]

    def look(self):
        """All its registers as bytes, program counter, stack pointer, and whether it is in a system call."""
        general = bytearray(self.registers(GENERAL))
        words = memoryview(general).cast('Q')
        counter, stack = PLACES[self.machine]
        if self.machine == 'x86_64':
            calls = words[15] < 1 << 63
            # The resume flag is the debugger's own doing (Intel SDM, volume 3, 17.3.1.1).
            words[18] &= ~(1 << 16)
        else:
            calls = int.from_bytes(self.registers(SYSTEM_CALL)[:4], sys.byteorder, signed=True) >= 0
        return bytes(general) + self.registers(FLOATING[self.machine]), words[counter], words[stack], calls

    def kernel_writes(self):
        """(address, length) of the area in which the kernel notes on which processor it runs (rseq), or None."""
        found = (ctypes.c_uint64 * 3)()
        try:
            ptrace(RSEQ, self.tid, ctypes.sizeof(found), ctypes.addressof(found))
        except OSError:
            return None
        return (found[0], max(32, found[1] & 0xFFFFFFFF)) if found[0] else None


def times(pid):
    found = {}
    for name in os.listdir('/proc/%d/task' % pid):
        stat = slurp('/proc/%d/task/%s/stat' % (pid, name))
        if stat:
            part = fields(stat)
            found[int(name)] = (int(part[11]) + int(part[12]), comm_of(stat))
    return found


def busiest(pid):
    """(tid, name) of the thread that uses most of a processor. Raises Refused when none is busy."""
    before, began = times(pid), time.monotonic()
    time.sleep(0.4)
    after, seconds = times(pid), time.monotonic() - began
    used, tid = max(((after[tid][0] - before[tid][0]) / TICKS / seconds, tid) for tid in after if tid in before)
    if used < 0.03:
        raise Refused('idle: its busiest thread used %d %% of a processor' % (100 * used))
    return tid, after[tid][1]


def watch(thread, memory, seconds, stop):
    """Looks at the thread for the window. [(state, program counter, stack pointer, in a system call)], the longest stop."""
    looks, longest, began = [], 0.0, time.monotonic()
    while not stop:
        passed = time.monotonic() - began
        if passed >= (seconds if len(looks) >= ENOUGH_LOOKS else 2 * seconds):
            break
        thread.hold()
        held = time.monotonic()
        try:
            registers, counter, stack, calls = thread.look()
            looks.append((hash((registers, memory.moving_now())), counter, stack, calls))
        finally:
            thread.go_on()
        longest = max(longest, time.monotonic() - held)
        thread.leave_alone(PAUSE * random.uniform(0.5, 1.5))
    return looks, longest, time.monotonic() - began


def report(looks, memory):
    # One state twice in a row may be a thread that did not get a processor in between: only what it comes back to counts.
    states = [look[0] for at, look in enumerate(looks) if at == 0 or look[0] != looks[at - 1][0]]
    quarter = len(states) // 4
    first, last = set(states[:quarter]), set(states[len(states) - quarter :])
    yield 'states: %d different, came back to one %d times, %d of the first quarter seen in the last' % (
        len(set(states)), len(states) - len(set(states)), len(first & last),
    )
    yield 'system calls: in %d looks' % sum(look[3] for look in looks)
    yield 'stack pointer: within %d bytes' % (max(look[2] for look in looks) - min(look[2] for look in looks))
    places = {}
    for _, counter, _, _ in looks:
        name, offset = memory.place_of(counter)
        places.setdefault(name, []).append(offset)
    for name, offsets in sorted(places.items(), key=lambda item: -len(item[1]))[:MOST_PLACES]:
        yield 'at %s: %d looks, %d addresses, 0x%x to 0x%x' % (
            quoted(name), len(offsets), len(set(offsets)), min(offsets), max(offsets),
        )


def tracer_of(pid):
    for name in os.listdir('/proc/%d/task' % pid):
        for line in (slurp('/proc/%d/task/%s/status' % (pid, name)) or b'').split(b'\n'):
            if line.startswith(b'TracerPid:') and line.split()[1] != b'0':
                return int(line.split()[1])
    return 0


def examine(pid, start, seconds, stop):
    stat = slurp('/proc/%d/stat' % pid)
    if not stat or fields(stat)[19] != start:
        raise Refused('gone: there is no process %d' % pid if not stat else 'gone: process %d is another one by now' % pid)
    machine, header = os.uname().machine, slurp('/proc/%d/exe' % pid, 8)
    if header is None:
        raise Refused("denied: its memory is readable for root and for the process's own user")
    if machine not in PLACES or header[4:5] != b'\x02':
        raise Refused('unknown: registers of such a program are not known here (%s)' % machine)
    tracer = tracer_of(pid)
    if tracer:
        raise Refused('traced: process %d is already traced by process %d' % (pid, tracer))
    tid, name = busiest(pid)
    thread = Thread(tid)
    thread.attach()
    thread.hold()
    kernel = thread.kernel_writes()
    ptrace(DETACH, tid)
    # All memory is read while nobody holds it: a signal for a thread that is traced waits until its tracer hands it on.
    memory = Memory(pid, kernel)
    memory.learn()
    thread.attach()
    looks, longest, took = watch(thread, memory, seconds, stop)
    thread.detach()
    other = memory.changed_elsewhere()
    print('thread %d: %s, %d looks over %.2f s, longest stop %.2f ms, %d signals' % (
        tid, quoted(name), len(looks), took, longest * 1000, thread.signals,
    ))
    print('memory: %d kB watched, %d kB not, %d pages changed in the looks, %d others in between' % (
        len(memory.pages) * PAGE // 1024, memory.left_out * PAGE // 1024, len(memory.moving), other,
    ))
    for mapped in outside(pid)[:4]:
        print('shared: %s' % quoted(mapped))
    if looks:
        for line in report(looks, memory):
            print(line)
    if stop:
        print('cut: it was told to end before the window was over')


def main():
    pid, start, seconds = int(sys.argv[1]), sys.argv[2].encode(), min(10.0, float(sys.argv[3]))
    stop = []

    def impatient(*_):
        raise Refused('failed: the thread did not stop within %d s' % PATIENCE)

    try:
        # What holds another thread should not itself have to wait for a processor meanwhile.
        os.nice(-10)
    except OSError:
        pass
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    signal.signal(signal.SIGALRM, impatient)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    print('native-motion 1')
    try:
        examine(pid, start, seconds, stop)
    except Refused as refused:
        print(refused)
    except PermissionError as error:
        print('denied: %s' % shown(os.fsencode(error.strerror or 'not permitted')))
    except (OSError, ValueError, KeyError) as error:
        gone = not os.path.exists('/proc/%d' % pid)
        print('gone: process %d ended meanwhile' % pid if gone else 'failed: %s' % shown(os.fsencode(str(error))))
    print('end')


if __name__ == '__main__':
    print_utf8()
    main()
    sys.stdout.flush()
