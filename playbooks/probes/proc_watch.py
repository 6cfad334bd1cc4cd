"""Looks at a process and its threads again and again through /proc, for sample.py. Python 3.6 or later, standard library only."""
import os

from libc_words import blocked_handled, own_lock
from mutex_words import owner_of, threads_by_own_number
from proc_files import PAGE_KIB, fields, numbers, point, shown, slurp

# Threads from which on those that sleep are looked at less often.
CROWD = 64
# Threads whose numbers in their namespace are read, when one waits for a lock.
MOST_OWNERS = 1024


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
        'wchans', 'frames', 'frames_of', 'ended', 'was', 'quiet', 'lock', 'mutex',
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
        self.lock = None
        self.mutex = None

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
        self.owners = None
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
                thread.lock = own_lock(self.pid, thread, status, self.name)
                if thread.lock is None:
                    owned = owner_of(self.pid, thread, self.name, self.owner)
                    thread.mutex = owned and owned + (blocked_handled(status),)

    def owner(self, number):
        """The thread of the process that has this number inside, or its parent's, whose locks a fork copies; or None."""
        if self.owners is None:
            stat = self.stat.read()
            parent = int(fields(stat)[1]) if stat else 0
            folder = '/proc/%d/task' % parent
            theirs = [int(name) for name in os.listdir(folder)] if parent > 1 and os.path.isdir(folder) else []
            self.owners = threads_by_own_number(parent, theirs[:MOST_OWNERS])
            self.owners.update(threads_by_own_number(self.pid, sorted(self.seen)[:MOST_OWNERS]))
        return self.owners.get(number)
