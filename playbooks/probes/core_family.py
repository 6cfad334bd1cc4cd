"""The family of a process: itself, its master when it has one, those beside and below it. A core belongs to it when its notes
name the target or its master as the parent, the same process group, or the same program with the same command line.
"""
import os
import re

RELATIVES_MOST = 16
THREADS_MOST = 500


def slurp(path, limit=1 << 16):
    """The first bytes of a file of /proc, empty when it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b''
    try:
        parts = []
        while limit > 0:
            part = os.read(fd, limit)
            if not part:
                break
            parts.append(part)
            limit -= len(part)
        return b''.join(parts)
    except OSError:
        return b''
    finally:
        os.close(fd)


class Process(object):
    """What of a live process is compared with cores."""

    def __init__(self, pid):
        self.pid = pid
        stat = slurp('/proc/%d/stat' % pid)
        fields = stat[stat.rfind(b')') + 2:].split()
        self.exists = len(fields) > 20
        self.parent = int(fields[1]) if self.exists else 0
        self.started = fields[19].decode('ascii') if self.exists else ''
        self.command = slurp('/proc/%d/cmdline' % pid, 4096).rstrip(b'\0').replace(b'\0', b' ').strip()
        status = slurp('/proc/%d/status' % pid)
        # The ids by which its own namespace knows it, which are those that the kernel writes into its cores.
        self.own = (self._last(status, b'NSpid') or {pid}).pop()
        self.ids = self._thread_ids()
        try:
            self.exe = os.fsencode(os.readlink('/proc/%d/exe' % pid)).replace(b' (deleted)', b'')
        except OSError:
            self.exe = None

    @staticmethod
    def _last(status, name):
        match = re.search(rb'^' + name + rb':((?:\s+\d+)+)$', status, re.M)
        return {int(match.group(1).split()[-1])} if match else None

    def _thread_ids(self):
        """Ids of all threads: the kernel writes the thread that forked as the parent into a core (fs/binfmt_elf.c)."""
        found = {self.own}
        try:
            tids = os.listdir('/proc/%d/task' % self.pid)[:THREADS_MOST]
        except OSError:
            return found
        if self.own == self.pid:
            return found | set(int(tid) for tid in tids)
        for tid in tids:
            found |= self._last(slurp('/proc/%d/task/%s/status' % (self.pid, tid)), b'NSpid') or set()
        return found

    def born(self):
        """When it started, in seconds since 1970."""
        boot = re.search(rb'^btime (\d+)$', slurp('/proc/stat', 1 << 20), re.M)
        return int(boot.group(1)) + int(self.started) / os.sysconf('SC_CLK_TCK') if boot and self.exists else 0.0

    def children(self):
        """Pids of its children, as many as are looked at."""
        found = []
        try:
            threads = os.listdir('/proc/%d/task' % self.pid)[:RELATIVES_MOST]
        except OSError:
            threads = []
        for tid in threads:
            found += [int(word) for word in slurp('/proc/%d/task/%s/children' % (self.pid, tid)).split() if word.isdigit()]
        return found[:RELATIVES_MOST]


class Family(object):
    """The target, its master when it has one that is no init, and those beside and below it."""

    def __init__(self, pid):
        self.target = Process(pid)
        above = Process(self.target.parent)
        self.master = above if above.exists and above.pid > 1 and above.exe == self.target.exe else None
        self.members = [('target', self.target)]
        if self.master is not None:
            self.members.append(('parent', self.master))
            self.members += [('sibling', Process(each)) for each in self.master.children() if each != pid]
        self.members += [('child', Process(each)) for each in self.target.children()]
        self.born = self.target.born()
        self.master_born = self.master.born() if self.master else 0.0

    def relation(self, core, written):
        """How a core's process was related to the target, or None; `written`: when, seconds since 1970."""
        if core.parent in self.target.ids and written >= self.born - 1:
            return 'child'
        if self.master is not None and core.parent in self.master.ids and written >= self.master_born - 1:
            return 'sibling'
        # Of a process group that the target leads; one that it shares with others may be a whole shell script's.
        if core.group == self.target.own and written >= self.born - 1 and core.executable() == self.target.exe:
            return 'group'
        # The notes keep 80 bytes of the command line.
        mine = self.target.command[:79].strip()
        if mine and core.command == mine and core.executable() == self.target.exe and core.pid != self.target.own:
            return 'predecessor'
        return None
