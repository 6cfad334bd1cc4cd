"""Watches a process for a window through /proc, and says what its threads did. It stops and writes nothing in it.

Usage: sample.py PID START_TIME SECONDS MOST_THREADS SYSCALLS_FILE. Python 3.6 or later, standard library only.
One fact per line; see sample.parse.ts. Names that a process can choose go through shown().
"""
import os
import resource
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cpu_groups import cpu_groups, read_groups, throttling
from proc_files import TICKS, comm_of, fields, numbers, point, print_utf8, quoted, shown, slurp
from proc_watch import Watch
from syscall_table import load_table

FASTEST = 0.02
SLOWEST = 0.05
# Of one CPU: what the watching itself may take before it looks less often, down to SLOWEST and then further.
SHARE = 0.10
SHARE_AT_MOST = 0.25
MOST_CALLS = 12
MOST_WCHANS = 6

def open_fds(pid):
    folder = '/proc/%d/fd' % pid
    try:
        # Since Linux 6.2 the folder's size is the number of descriptors; before, it is 0 and they must be listed.
        return os.stat(folder).st_size or len(os.listdir(folder)) if os.access(folder, os.R_OK) else None
    except OSError:
        return None


def facts(pid):
    """What is read at both ends of the window."""
    status = numbers(slurp('/proc/%d/status' % pid))
    return {
        'swap': status.get('VmSwap', 0),
        'io': numbers(slurp('/proc/%d/io' % pid)),
        'fds': open_fds(pid),
        'exe': point('/proc/%d/exe' % pid),
    }


def report(watch, before, after, groups, cpu, first, last, seconds, ending):
    out = []
    own = resource.getrusage(resource.RUSAGE_SELF)
    out.append(
        'window: %.3f s, %d samples, %d ticks per second, watching took %.3f s of CPU'
        % (seconds, watch.rounds, TICKS, own.ru_utime + own.ru_stime)
    )
    one, two = fields(first), fields(last)
    out.append(
        'process: user %.2f s, system %.2f s, minor faults %d, major faults %d'
        % (
            (int(two[11]) - int(one[11])) / TICKS, (int(two[12]) - int(one[12])) / TICKS,
            int(two[7]) - int(one[7]), int(two[9]) - int(one[9]),
        )
    )
    rss = watch.rss or [0]
    out.append('memory: resident %d kB first, %d kB last, %d kB least, %d kB most' % (rss[0], rss[-1], min(rss), max(rss)))
    out.append('swap: %d kB first, %d kB last' % (before['swap'], after['swap']))
    keys = ('rchar', 'wchar', 'syscr', 'syscw', 'read_bytes', 'write_bytes')
    if before['io'] and after['io']:
        grown = [(key, after['io'].get(key, 0) - before['io'].get(key, 0)) for key in keys]
        out.append('io: ' + ', '.join('%s %d' % item for item in grown))
    elif not ending:
        out.append('not readable: /proc/%d/io' % watch.pid)
    if before['fds'] is not None and after['fds'] is not None:
        out.append('descriptors: %d first, %d last' % (before['fds'], after['fds']))
    worst = throttling(groups, cpu, read_groups(groups))
    if worst:
        out.append('throttled: %d periods, %d throttled, %.3f s, %s' % (worst[1], worst[2], worst[0], shown(worst[3])))
    watched = [thread for thread in watch.threads.values() if thread.samples]
    out.append(
        'threads: %d sampled, %d not sampled, %d started, %d ended'
        % (len(watched), len(watch.left_out), watch.started, watch.ended)
    )
    refused = sorted({thread.syscall.why for thread in watched if thread.syscall.why})
    for why in refused:
        count = sum(thread.syscall.why == why for thread in watched)
        out.append('not readable: system calls of %d threads (%s)' % (count, why))
    rows = []
    for thread in watched:
        one, two = fields(thread.first), fields(thread.last)
        user, system = [(int(two[at]) - int(one[at])) / TICKS for at in (11, 12)]
        rows.append((-(user + system), thread.tid, user, system, thread))
    for _, tid, user, system, thread in sorted(rows, key=lambda row: row[:2]):
        out.extend(thread_lines(watch, thread, user, system))
    if before['exe'] and after['exe'] and before['exe'] != after['exe']:
        out.append('changed: it executed another program: %s, before %s' % (shown(after['exe']), shown(before['exe'])))
    out.extend(ending)
    out.append('end')
    return out


def thread_lines(watch, thread, user, system):
    tid = thread.tid
    states = ' '.join('%s %d' % (state.decode('ascii', 'replace'), count) for state, count in ranked(thread.states))
    switches = ' '.join(
        '%s %s' % ('?' if count is None else count, kind) for count, kind in zip(thread.switches, ('voluntary', 'involuntary'))
    )
    yield 'thread %d: %s, %d samples, states %s, user %.2f s, system %.2f s, switches %s' % (
        tid, quoted(comm_of(thread.last)), thread.samples, states, user, system, switches,
    )
    for number, (count, arguments, target) in ranked(thread.calls, key=lambda item: item[1][0])[:MOST_CALLS]:
        name = watch.name(number)
        if name == 'running':
            yield 'thread %d in no system call %d times' % (tid, count)
        elif name == '?':
            yield 'thread %d in an unreadable system call %d times' % (tid, count)
        else:
            last = '%s(%s)' % (name, ', '.join(word.decode('ascii', 'replace') for word in arguments))
            yield 'thread %d in %s %d times, last %s%s' % (tid, name, count, last, ' on ' + shown(target) if target else '')
    if thread.lock:
        yield 'thread %d stands at a lock of %s, and blocks signals that it handles: %s' % (
            tid, thread.lock[0], ' '.join(str(each) for each in thread.lock[1]) or 'none')
    if thread.mutex:
        yield 'thread %d waits for the lock at 0x%x, which thread %d has, and blocks signals that it handles: %s' % (
            tid, thread.mutex[0], thread.mutex[1], ' '.join(str(each) for each in thread.mutex[2]) or 'none')
    for wchan, count in ranked(thread.wchans)[:MOST_WCHANS]:
        yield 'thread %d waits in %s %d times' % (tid, shown(wchan), count)
    if thread.frames:
        # Lines are `[<0>] function+0x12/0x34` or, from older kernels, `[<ffffffff8100>] function+0x12/0x34 [module]`.
        frames = [line.split(b'] ', 1)[-1].split(b'+')[0] for line in thread.frames.split(b'\n') if line]
        frames = [frame for frame in frames if frame and not frame.startswith(b'0x')]
        if frames:
            yield 'thread %d kernel stack: %s' % (tid, ' < '.join(shown(frame) for frame in frames))


def ranked(counts, key=lambda item: item[1]):
    return sorted(counts.items(), key=lambda item: (-key(item), item[0]))


def main():
    pid, start, window, most = int(sys.argv[1]), sys.argv[2].encode(), float(sys.argv[3]), int(sys.argv[4])
    print('sample 1')
    first = slurp('/proc/%d/stat' % pid)
    if not first:
        print('gone: there is no process %d' % pid)
        return
    if fields(first)[19] != start:
        print('gone: process %d is another one by now' % pid)
        return
    # Files of all threads stay open: as many as are allowed. Asking for more than the hard limit is refused.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 4 * most + 64
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    except (ValueError, OSError):
        pass
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))

    table = load_table(sys.argv[5])
    # ELF class 1 is 32 bits: such a program numbers its calls otherwise than its 64-bit kernel.
    if (slurp('/proc/%d/exe' % pid, 8) or b'')[4:5] == b'\x01' and sys.maxsize > 1 << 32:
        table = {}
        print('not readable: names of system calls (it is a 32-bit program)')
    elif not table:
        print('not readable: names of system calls (they are not known for %s)' % os.uname().machine)
    watch = Watch(pid, table, most)
    groups = cpu_groups(pid)
    cpu = read_groups(groups)
    before = facts(pid)
    watch.choose()
    began = time.monotonic()
    first = last = watch.stat.read() or first
    seen_at = began
    ending = []
    while True:
        looked = time.monotonic()
        stat = watch.round()
        last = stat or last
        part = fields(last)
        if stat is None or (part[0] in (b'Z', b'X') and part[17] in (b'0', b'1')):
            ending.append('ended: process %d ended after %.2f s' % (pid, looked - began))
            break
        seen_at = time.monotonic()
        cost = seen_at - looked
        if stop or seen_at - began >= window:
            break
        pause = max(FASTEST, min(cost / SHARE, SLOWEST), cost / SHARE_AT_MOST)
        # A little disorder, so that a target with a rhythm of its own is not always met at the same beat.
        pause *= 0.7 + int(seen_at * 1e6) % 601 / 1000
        time.sleep(max(0.0, min(pause, began + window - looked) - cost))
    if stop:
        ending.append('cut: it was told to end before the window was over')
    last = watch.stat.read() or last
    watch.last_words()
    for line in report(watch, before, facts(pid), groups, cpu, first, last, seen_at - began, ending):
        print(line)


if __name__ == '__main__':
    print_utf8()
    main()
    sys.stdout.flush()
