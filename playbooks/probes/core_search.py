"""Finds the core files of a process's family: where kernel.core_pattern lets them be written, by which process they are.

A core belongs to the family when its notes name the target or its master as the parent, the same process group, or the
same program with the same command line. Only names that the pattern can give are opened, the newest first.
"""
import errno
import os
import re
import stat as modes
import time

from core_elf import Core, NoCore, build_id_of

ENTRIES_MOST = 5000
FOLDERS_MOST = 40
OPENED_MOST = 24
RELATIVES_MOST = 16
THREADS_MOST = 500
LINKS_MOST = 20
FRESH_SECONDS = 2
WRITING_SECONDS = 1.0
GAP_TRIES, GAP_SECONDS = 5, 0.05
# Where the usual handlers behind a pipe keep what they are given: systemd-coredump(8), apport, abrt.
HANDLERS = ((b'systemd-coredump', (b'/var/lib/systemd/coredump',)),
            (b'apport', (b'/var/lib/apport/coredump', b'/var/crash')),
            (b'abrt', (b'/var/spool/abrt', b'/var/tmp/abrt')))
PACKED = (b'.zst', b'.xz', b'.lz4', b'.gz')


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


class Found(object):
    """One core file: `core` is None when it is packed or could not be read, `why` says so."""

    def __init__(self, path, status, core, relation, why):
        self.path, self.status, self.core, self.relation, self.why = path, status, core, relation, why


def pattern():
    """kernel.core_pattern as bytes."""
    return slurp('/proc/sys/kernel/core_pattern').rstrip(b'\n')


def name_pattern(name):
    """A regular expression of bytes for the file names that the last part of a pattern gives."""
    out, at = b'', 0
    while at < len(name):
        if name[at:at + 1] == b'%':
            out += b'%' if name[at + 1:at + 2] == b'%' else b'.*'
            at += 2
        else:
            out += re.escape(name[at:at + 1])
            at += 1
    return re.compile(b'^(?:' + out + rb'(?:\.\d+)?|core(?:\.\d+)?)$', re.S)


def open_below(root, path):
    """A descriptor of folder `path` (bytes) seen from the folder that `root` is open on: links stay below that root."""
    here, todo, links = os.dup(root), [part for part in path.split(b'/') if part], 0
    stack = []
    try:
        while todo:
            part = todo.pop(0)
            if part == b'.':
                continue
            if part == b'..':
                if stack:
                    os.close(here)
                    here = stack.pop()
                continue
            try:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                aim, links = os.readlink(part, dir_fd=here), links + 1
                if links > LINKS_MOST:
                    raise
                todo = [each for each in aim.split(b'/') if each] + todo
                if aim.startswith(b'/'):
                    for each in stack + [here]:
                        os.close(each)
                    here, stack = os.dup(root), []
                continue
            stack.append(here)
            here = below
        return here
    except BaseException:
        os.close(here)
        raise
    finally:
        for each in stack:
            os.close(each)


def places(family, text):
    """(what it is, magic link that is opened, folder below it) of each folder in which cores may lie."""
    root = '/proc/%d/root' % family.target.pid
    if text.startswith(b'|'):
        for word, folders in HANDLERS:
            if word in text:
                for folder in folders:
                    yield 'kept by the handler', '/', folder
        return
    folder = text.rpartition(b'/')[0]
    if text.startswith(b'/'):
        yield 'folder of the pattern', root, folder
        return
    for who, process in family.members:
        yield 'working folder of the %s %d' % (who, process.pid), '/proc/%d/cwd' % process.pid, folder


def opened(family, text):
    """(what, folder's path as bytes, descriptor) of each folder once; a part of the path with % stands for many folders."""
    seen = set()
    for what, link, folder in places(family, text):
        fixed, _, rest = folder.partition(b'%')
        deeper = bool(rest) or b'abrt' in folder
        if rest:
            fixed = fixed.rpartition(b'/')[0]
        try:
            base = os.open(link, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fd = open_below(base, fixed)
        except OSError:
            continue
        finally:
            os.close(base)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) in seen or len(seen) >= FOLDERS_MOST:
            os.close(fd)
            continue
        seen.add((status.st_dev, status.st_ino))
        path = os.fsencode(os.readlink(('/proc/self/fd/%d' % fd)))
        yield what, path, fd
        if deeper:
            for name in sorted(names_in(fd))[:FOLDERS_MOST]:
                try:
                    below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
                except OSError:
                    continue
                yield what, path.rstrip(b'/') + b'/' + name, below
                os.close(below)
        os.close(fd)


def names_in(fd):
    """The names in a folder as bytes, as many as are looked at."""
    found = []
    with os.scandir(fd) as entries:
        for entry in entries:
            found.append(os.fsencode(entry.name))
            if len(found) >= ENTRIES_MOST:
                break
    return found


def candidates(family, text, folders, changed):
    """Files that may be cores, newest first: (status, folder's path, name, relation or None, kept descriptor)."""
    base = b'core' if text.startswith(b'|') else text.rpartition(b'/')[2]
    wanted = re.compile(rb'^core.*|^coredump$') if text.startswith(b'|') else name_pattern(base or b'core')
    found = []
    for what, path, fd in opened(family, text):
        names = names_in(fd)
        folders.append((what, path, len(names)))
        changed.append(os.fstat(fd).st_mtime)
        for name in names:
            if not wanted.match(name):
                continue
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                fresh = time.time() - status.st_mtime < FRESH_SECONDS
                if not modes.S_ISREG(status.st_mode) or status.st_size == 0 and not fresh:
                    continue
                found.append((status, path, name, os.dup(fd)))
            except OSError:
                continue
            if len(found) > 4 * OPENED_MOST:
                found.sort(key=lambda each: -each[0].st_mtime)
                for each in found[2 * OPENED_MOST:]:
                    os.close(each[3])
                del found[2 * OPENED_MOST:]
    return sorted(found, key=lambda each: -each[0].st_mtime)


def patiently(fd):
    """The Core in an open file, waiting a moment for one that the kernel is just writing. Raises NoCore or OSError."""
    end = time.monotonic() + WRITING_SECONDS
    while True:
        try:
            return Core(fd)
        except NoCore:
            if time.monotonic() > end or time.time() - os.fstat(fd).st_mtime > FRESH_SECONDS:
                raise
            time.sleep(0.01)


def search(family, folders):
    """The family's cores as Found, newest first. Fills `folders` with (what, path, entries) of those searched.

    The kernel removes the old core before it writes the next one under its name: a folder that just changed and has none is
    looked at again.
    """
    for _ in range(GAP_TRIES):
        del folders[:]
        changed = []
        found = search_once(family, folders, changed)
        if found or not any(time.time() - moment < FRESH_SECONDS for moment in changed):
            break
        time.sleep(GAP_SECONDS)
    return found


def search_once(family, folders, changed):
    """As search. Fills `changed` with the moments at which the folders were last changed."""
    text = pattern()
    result = []
    for index, (status, folder, name, fd) in enumerate(candidates(family, text, folders, changed)):
        path = folder.rstrip(b'/') + b'/' + name
        if index >= OPENED_MOST:
            os.close(fd)
            continue
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
        except OSError as error:
            result.append(Found(path, status, None, None, os.strerror(error.errno)))
            continue
        finally:
            os.close(fd)
        try:
            core = patiently(file)
        except (NoCore, OSError) as why:
            os.close(file)
            packed = name.endswith(PACKED)
            # Another kind of file that is called core (a folder's lock, an old a.out) is nobody's business.
            if packed:
                result.append(packed_one(path, status, family))
            elif 'cut' in str(why) or time.time() - status.st_mtime < FRESH_SECONDS:
                result.append(Found(path, status, None, None, str(why)))
            continue
        relation = family.relation(core, status.st_mtime)
        if relation is None:
            os.close(file)
        else:
            result.append(Found(path, status, core, relation, None))
    return [each for each in result if each is not None]


def packed_one(path, status, family):
    """A core that systemd-coredump packed, when its name says that the family's program wrote it."""
    match = re.match(rb'^core\.(.+)\.(\d+)\.[0-9a-f]{32}\.(\d+)\.(\d+)(?:\.zst|\.xz|\.lz4|\.gz)$', os.path.basename(path))
    if not match:
        return None
    names = {os.path.basename(process.exe or b'')[:15] for _, process in family.members}
    names |= {slurp('/proc/%d/comm' % process.pid).strip() for _, process in family.members}
    return Found(path, status, None, None, 'packed') if match.group(1) in names else None


def on_disk(family, path):
    """Build id of the file that now lies at a path, as the target sees it."""
    return build_id_of(b'/proc/%d/root' % family.target.pid + path)
