"""Prints malloc's books of a running process: what it has from the system, what of that is in use and what is free.

Nothing is called in the process, and it is not stopped: its memory is read (process_vm_readv(2), /proc/PID/mem).

    python3 -I -S -B malloc.py PID START-TIME SECONDS WALK-SECONDS

START-TIME is field 22 of /proc/PID/stat. The chunks are walked for at most WALK-SECONDS, and walked again
SECONDS later when that is cheap enough. Runs under Python 3.6 and later, standard library only.
"""
import os
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

ARENAS_SHOWN = 24
SIZES_SHOWN = 40
AGAIN_MOST = 0.95  # a walk that took longer is not repeated, as a share of what it may take


def escaped(data):
    """Bytes from the host as one line of printable text."""
    text = data.decode('utf-8', 'backslashreplace') if isinstance(data, bytes) else os.fsencode(data).decode(
        'utf-8', 'backslashreplace')
    return ''.join('\\\\' if c == '\\' else c if c.isprintable() else c.encode('unicode_escape').decode('ascii')
                   for c in text)[:400]


def figures(tally):
    return ('walked %d of %d, in use %d in %d, free %d in %d, free and resident %d, in whole pages %d, largest free %d, '
            'top %d, top resident %d, swapped %d'
            % (tally.walked, tally.size, tally.used, tally.used_chunks, tally.free, tally.free_chunks,
               tally.free_resident, tally.trimmable, tally.largest, tally.top, tally.top_resident, tally.swapped))


def look(glibc, memory, seconds, out):
    """One reading of the books and one walk; prints it. Returns the seconds that it took and the bytes in use."""
    from py_read_chunks import Tally, walk
    begun = time.monotonic()
    late = lambda: time.monotonic() - begun > seconds
    arenas = glibc.arenas()
    total, rows, system, most = Tally(), [], 0, 0
    fast_bytes = fast_chunks = 0
    for number, arena in enumerate(arenas):
        tally = Tally()
        for start, end in arena.heaps:
            if late():
                tally.size += end - start
                tally.stopped = tally.stopped or 'out of time'
            else:
                tally.add(walk(memory, start, end, arena.top, late))
        fast = glibc.fast(arena, late)
        system, most = system + arena.system, most + arena.most
        fast_bytes, fast_chunks = fast_bytes + fast[0], fast_chunks + fast[1]
        total.add(tally)
        rows.append((tally.free + tally.top, number, arena, tally, fast))
    rows.sort(key=lambda row: -row[0])
    for _, number, arena, tally, fast in rows[:ARENAS_SHOWN]:
        out('arena %d: at 0x%x, heaps %d, from the system %d, most %d, fast %d in %d, %s%s' % (
            number, arena.address, len(arena.heaps), arena.system, arena.most, fast[0], fast[1], figures(tally),
            ', stopped: ' + tally.stopped if tally.stopped else ''))
    out('all arenas: %d, heaps %d, from the system %d, most %d, fast %d in %d, %s' % (
        len(arenas), sum(len(arena.heaps) for arena in arenas), system, most, fast_bytes, fast_chunks, figures(total)))
    limits = glibc.limits()
    if limits:
        out('mapped chunks: %d, bytes %d, most %d, trim threshold %d, mmap threshold %d, arenas at most %d' % (
            limits[3:] + (limits[0], limits[1], limits[2])))
    else:
        out('mapped chunks: not found')
    largest = sorted(total.sizes.items(), key=lambda item: -item[0] * item[1])[:SIZES_SHOWN]
    out('sizes in use: %s' % ' '.join('%dx%d' % item for item in largest))
    return time.monotonic() - begun, total.used + (limits[4] if limits else 0)


def run_time(pid):
    """Seconds that the threads which live now have run on a processor (proc_pid_schedstat, kernel sched-stats.rst)."""
    total = 0
    try:
        for name in os.listdir('/proc/%d/task' % pid)[:2000]:
            with open('/proc/%d/task/%s/schedstat' % (pid, name)) as stat:
                total += int(stat.read().split()[0])
    except (OSError, ValueError, IndexError):
        pass
    return total / 1e9


def watch(glibc, memory, until, took, seconds):
    """Bytes in use at some moments until then, of which the walks take a third at most. What memory is used in turns shows."""
    seen = []
    pause = max(0.13, took * 3)
    while time.monotonic() + pause + took < until:
        time.sleep(pause)
        seen.append(look(glibc, memory, seconds, lambda line: None)[1])
    time.sleep(max(0, until - time.monotonic()))
    return seen


def books(pid, started, seconds, walk_seconds, out):
    from py_read_allocators import built_in, mapped, offered, settings
    from py_read_malloc import Glibc
    from py_read_memory import Memory, Torn, Unreadable
    memory = Memory(pid, started)
    maps = memory.maps()
    if not maps:
        raise memory.gone()
    others = mapped(maps)
    for kind, path in others:
        out('allocator: %s "%s"' % (kind, escaped(path)))
    for name, value in settings(pid):
        out('setting: "%s=%s"' % (escaped(name), escaped(value)))
    try:
        with open('/proc/%d/exe' % pid, 'rb') as executable:
            machine = executable.read(20)[18:20]
    except OSError:
        machine = b'\x3e\0'
    for kind, path in offered(pid, machine):
        out('offered: %s "%s"' % (kind, escaped(path)))
    try:
        glibc = Glibc(memory)
        executable = glibc.executable() if not others else None
        brought = built_in(executable) if executable else None
        if brought:
            out('allocator: %s in the executable' % brought)
        out('malloc: glibc %d.%d, main arena at 0x%x by %s, layout of %s, "%s"' % (
            glibc.version + (glibc.main, glibc.how, glibc.layout.versions, escaped(glibc.path))))
        out('look at 0.00 s')
        begun, ran = time.monotonic(), run_time(pid)
        took, used = look(glibc, memory, walk_seconds, out)
        if took < walk_seconds * AGAIN_MOST:
            seen = [used] + watch(glibc, memory, begun + seconds - took, took, walk_seconds)
            at = time.monotonic() - begun
            again = []
            seen.append(look(glibc, memory, walk_seconds, again.append)[1])
            out('in between: walked %d times, in use from %d to %d, ran %.3f s' % (
                len(seen), min(seen), max(seen), max(0, run_time(pid) - ran)))
            out('look at %.2f s' % at)
            for line in again:
                out(line)
        memory.check_alive(glibc.main)
    except Torn as torn:
        raise Unreadable('not-parsable', "malloc's structures changed all the time, or make no sense: %s." % torn)


def main(arguments):
    from py_read_memory import Unreadable
    lines = ['malloc 1']
    try:
        books(int(arguments[0]), arguments[1], float(arguments[2]), float(arguments[3]), lines.append)
        lines.append('done')
    except (struct.error, IndexError, OverflowError):
        lines.append('unreadable not-parsable What was read of malloc makes no sense.')
    except Unreadable as why:
        lines.append('unreadable %s %s' % (why.reason, why.sentence))
    sys.stdout.buffer.write(('\n'.join(lines) + '\n').encode('utf-8', 'backslashreplace'))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
