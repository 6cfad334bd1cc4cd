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
from proc_files import PAGE_KIB, TICKS, comm_of, fields, numbers, point, print_utf8, quoted, shown, slurp
from syscall_table import load_table

FASTEST = 0.02
SLOWEST = 0.05
# Of one CPU: what the watching itself may take before it looks less often, down to SLOWEST and then further.
SHARE = 0.10
SHARE_AT_MOST = 0.25
# Threads from which on those that sleep are looked at less often.
CROWD = 64
MOST_CALLS = 12
MOST_WCHANS = 6


class Held:
    """A file of /proc that stays open: reading it again costs one system call, and never meets a successor's pid."""

    __slots__ = ('path', 'fd', 'why')

    def __init__(self, path):
        self.path = path
        self.why = None
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.fd = None
            # Out of descriptors: open it each time instead.
            if error.errno not in (23, 24):
                self.why = error.strerror

    def read(self, size=4096):
        if self.why is not None:
            return None
        if self.fd is None:
            return slurp(self.path)
        try:
            return os.pread(self.fd, size, 0)
        except OSError as error:
            if error.errno in (1, 13):
                self.why = error.strerror
                self.close()
            return None

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class Thread:
    __slots__ = (
        'tid', 'stat', 'syscall', 'wchan', 'stack', 'samples', 'states', 'first', 'last', 'switches', 'calls',
        'wchans', 'frames', 'frames_of', 'ended', 'was', 'quiet',
    )

    def __init__(self, folder, tid):
        base = '%s/%d/' % (folder, tid)
        self.tid = tid
        self.stat = Held(base + 'stat')
        self.syscall = Held(base + 'syscall')
        self.wchan = Held(base + 'wchan')
        self.stack = Held(base + 'stack')
        self.samples = 0
        self.states = {}
        self.first = None
        self.last = None
        self.switches = numbers(slurp(base + 'status'))
        self.calls = {}
        self.wchans = {}
        self.frames = b''
        self.frames_of = None
        self.ended = False
        self.was = None
        self.quiet = 0

    def close(self):
        for held in (self.stat, self.syscall, self.wchan, self.stack):
            held.close()


class Watch:
    def __init__(self, pid, table, most):
        self.pid = pid
        self.table = table
        self.most = most
        self.folder = '/proc/%d/task' % pid
        self.fds = '/proc/%d/fd/' % pid
        self.threads = {}
        self.left_out = set()
        self.seen = set()
        self.started = 0
        self.ended = 0
        self.rounds = 0
        self.rss = []
        self.stat = Held('/proc/%d/stat' % pid)
        self.statm = Held('/proc/%d/statm' % pid)

    def tids(self):
        try:
            return {int(name) for name in os.listdir(self.folder)}
        except (OSError, ValueError):
            return set()

    def choose(self):
        """The first threads to watch: all, or the main one and those that have used the most CPU so far."""
        tids = self.tids()
        self.seen = set(tids)
        chosen = tids
        if len(tids) > self.most:
            used = []
            for tid in sorted(tids)[:8192]:
                stat = slurp('%s/%d/stat' % (self.folder, tid))
                if stat:
                    part = fields(stat)
                    used.append((tid != self.pid, -int(part[11]) - int(part[12]), tid))
            chosen = {tid for _, _, tid in sorted(used)[: self.most]}
            self.left_out = tids - chosen
        for tid in sorted(chosen):
            self.threads[tid] = Thread(self.folder, tid)

    def follow(self):
        """Notices threads that came and went since the last look."""
        tids = self.tids()
        if not tids:
            return
        for tid in tids - self.seen:
            self.started += 1
            if sum(not thread.ended for thread in self.threads.values()) < self.most and len(self.threads) < 2 * self.most:
                self.threads[tid] = Thread(self.folder, tid)
            else:
                self.left_out.add(tid)
        for tid in self.seen - tids:
            self.ended += 1
            thread = self.threads.get(tid)
            if thread:
                thread.ended = True
                thread.close()
        self.seen = tids

    def round(self):
        """Looks once at everything. The process's stat, or None when it is gone."""
        stat = self.stat.read()
        if not stat:
            return None
        statm = (self.statm.read() or b'').split()
        if len(statm) > 1 and statm[1].isdigit():
            self.rss.append(int(statm[1]) * PAGE_KIB)
        self.rounds += 1
        if self.rounds > 1 and (len(self.seen) <= self.most or self.rounds % 5 == 0):
            self.follow()
        crowd = len(self.threads) > CROWD
        for thread in self.threads.values():
            # In a crowd, who sleeps on in one call is looked at in every fourth round, not all in the same one.
            if thread.ended or (crowd and thread.quiet > 2 and (self.rounds + thread.tid) % 4):
                continue
            self.look(thread)
        return stat

    def look(self, thread):
        stat = thread.stat.read(1024)
        if not stat:
            return
        if thread.first is None:
            thread.first = stat
        thread.last = stat
        thread.samples += 1
        at = stat.rfind(b')') + 2
        state = stat[at : at + 1]
        thread.states[state] = thread.states.get(state, 0) + 1
        line = thread.syscall.read(512)
        if line is None:
            number = b'?'
        elif line.startswith((b'running', b'-1')):
            number = b'running'
        else:
            parts = line.split()
            number = parts[0] if parts else b'?'
        thread.quiet = thread.quiet + 1 if state == b'S' and number == thread.was else 0
        thread.was = number
        call = thread.calls.get(number)
        if call is None:
            call = thread.calls[number] = [0, [], None]
        call[0] += 1
        if number not in (b'?', b'running'):
            arguments = parts[1:7]
            if self.takes_fd(number) and (not call[1] or call[1][0] != arguments[0] or call[2] is None):
                call[2] = point(self.fds + str(int(arguments[0], 16) & 0xFFFFFFFF))
            call[1] = arguments
        if state in b'RTt':
            return
        wchan = thread.wchan.read(256)
        if wchan and wchan != b'0':
            thread.wchans[wchan] = thread.wchans.get(wchan, 0) + 1
        # Unwinding is the dearest of these reads, and the stack only differs when the wait does.
        if state == b'D' or thread.frames_of != (number, wchan):
            self.unwind(thread, (number, wchan))

    def unwind(self, thread, what):
        frames = thread.stack.read(8192)
        if frames:
            thread.frames = frames
        thread.frames_of = what

    def takes_fd(self, number):
        return self.table.get(number, ('', False))[1]

    def name(self, number):
        if number in (b'?', b'running'):
            return number.decode()
        name = self.table.get(number, ('-', False))[0]
        return 'syscall_' + shown(number) if name == '-' else name

    def last_words(self):
        """What is read once more at the end: switches, and the stack of who is asleep now."""
        for thread in self.threads.values():
            base = '%s/%d/' % (self.folder, thread.tid)
            status = slurp(base + 'status')
            first = thread.switches
            last = numbers(status) if status else {}
            kinds = ('voluntary_ctxt_switches', 'nonvoluntary_ctxt_switches')
            thread.switches = [last[kind] - first[kind] if kind in last and kind in first else None for kind in kinds]
            if thread.last and not thread.ended and fields(thread.last)[0] in (b'S', b'D'):
                self.unwind(thread, None)


def cpu_groups(pid):
    """Folders with a cpu.stat from the process's own group up to the root, with the group's path as it is called."""
    group, kind = None, None
    for line in (slurp('/proc/%d/cgroup' % pid) or b'').split(b'\n'):
        parts = line.split(b':', 2)
        if len(parts) < 3:
            continue
        if b'cpu' in parts[1].split(b','):
            group, kind = parts[2], b'cgroup'
        elif parts[0] == b'0' and parts[1] == b'' and kind is None:
            group, kind = parts[2], b'cgroup2'
    if group is None or b'/..' in group:
        return []
    for line in (slurp('/proc/self/mountinfo') or b'').split(b'\n'):
        before, _, after = line.partition(b' - ')
        words, kinds = before.split(), after.split()
        if len(words) < 5 or len(kinds) < 3 or kinds[0] != kind:
            continue
        if kind == b'cgroup' and b'cpu' not in kinds[2].split(b','):
            continue
        root, mount = words[3], words[4]
        path = group[len(root) :] if root != b'/' and group.startswith(root) else group
        found = []
        while True:
            found.append((group, mount + path + b'/cpu.stat'))
            if path in (b'', b'/'):
                return found
            path = path[: path.rfind(b'/')]
            group = group[: group.rfind(b'/')] or b'/'
    return []


def read_groups(groups):
    return [numbers(slurp(path)) for _, path in groups]


def throttling(groups, before, after):
    """The group on the way up that was throttled most in the window: how often and how long."""
    worst = None
    for (name, _), first, last in zip(groups, before, after):
        if 'nr_periods' not in first or 'nr_periods' not in last:
            continue

        def grown(key, first=first, last=last):
            return last.get(key, 0) - first.get(key, 0)

        seconds = grown('throttled_usec') / 1e6 if 'throttled_usec' in last else grown('throttled_time') / 1e9
        entry = (seconds, grown('nr_periods'), grown('nr_throttled'), name)
        if worst is None or entry[:3] > worst[:3]:
            worst = entry
    return worst


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
