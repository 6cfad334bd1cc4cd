"""The file systems that a process uses: how they are mounted, whether they answer, what is free; and who waits for a disk.

Usage: mounts.py PID START_TIME SECONDS. Python 3.6 or later, standard library only. It reads /proc and asks statvfs(3), in a
child process with a time limit of its own, because a server that is gone lets nobody come back from it.
Untrusted names go through shown(), one fact per line; see mounts.parse.ts.
"""
import os
import re
import select
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proc_files import point, print_utf8, quoted, shown, slurp

MOST_FDS = 4096
MOST_MOUNTS = 64
MOST_FILES = 40
MOST_WAITERS = 24
MOST_PROCESSES = 20000
PATIENCE = 1.0
SILENT_MOST = 4
# File systems in which nothing is stored, or that are full by nature.
NO_STORE = {
    b'proc', b'sysfs', b'cgroup', b'cgroup2', b'devpts', b'mqueue', b'debugfs', b'tracefs', b'securityfs', b'pstore',
    b'bpf', b'configfs', b'fusectl', b'autofs', b'binfmt_misc', b'nsfs', b'rpc_pipefs', b'selinuxfs', b'efivarfs',
    b'squashfs', b'iso9660', b'erofs', b'cramfs', b'devtmpfs', b'hugetlbfs', b'ramfs', b'fuse.lxcfs', b'fuse.portal',
    b'fuse.gvfsd-fuse', b'smackfs', b'resctrl', b'udf',
}


def stat_of(path):
    """(name, fields behind it) of a stat file, or None."""
    stat = slurp(path, 4096)
    if not stat or b')' not in stat:
        return None
    return stat[stat.find(b'(') + 1 : stat.rfind(b')')], stat[stat.rfind(b')') + 2 :].split()


class Mount:
    """One line of mountinfo (proc_pid_mountinfo(5))."""

    def __init__(self, words, kinds):
        self.number, self.device = words[0], words[2].decode('ascii', 'replace')
        self.point, self.options = plain(words[4]), words[5]
        self.kind, self.source = kinds[0], plain(kinds[1])
        self.more = kinds[2] if len(kinds) > 2 else b''
        self.writes = self.reads = 0
        self.cwd = False
        self.ask = None
        self.answer = None


def plain(word):
    """A word of mountinfo with its octal escapes undone."""
    return re.sub(rb'\\([0-7]{3})', lambda found: bytes([int(found.group(1), 8) & 255]), word)


def mounts_of(pid):
    found = []
    for line in (slurp('/proc/%d/mountinfo' % pid) or b'').split(b'\n'):
        before, _, after = line.partition(b' - ')
        words, kinds = before.split(b' '), after.split(b' ')
        if len(words) > 5 and len(kinds) > 1:
            found.append(Mount(words, kinds))
    return found


def mount_at(mounts, path):
    """The mount that a path of the process is on: the last one on the longest point above it."""
    best = None
    for mount in mounts:
        above = mount.point.rstrip(b'/')
        if path == above or path.startswith(above + b'/'):
            if best is None or len(mount.point) >= len(best.point):
                best = mount
    return best


class File:
    """A file of the process that it has open."""

    def __init__(self, number, path, writes, mount):
        self.number, self.path, self.writes, self.mount = number, path, writes, mount
        self.size = None


def files_of(pid, mounts):
    """Open files that are stored somewhere, with the mount of each; and whether all were looked at."""
    by_number = {mount.number: mount for mount in mounts}
    numbers = sorted(int(name) for name in os.listdir('/proc/%d/fd' % pid))
    found = []
    for number in numbers[:MOST_FDS]:
        path = point('/proc/%d/fd/%d' % (pid, number))
        if not path or not path.startswith(b'/') or path.startswith(b'/memfd:'):
            continue
        if path.startswith(b'/dev/') and not path.startswith(b'/dev/shm/'):
            continue
        fields = dict(line.partition(b':')[::2] for line in (slurp('/proc/%d/fdinfo/%d' % (pid, number)) or b'').split(b'\n'))
        try:
            writes = int(fields.get(b'flags', b'0'), 8) & 3 != 0
        except ValueError:
            writes = False
        mount = by_number.get(fields.get(b'mnt_id', b'').strip())
        if mount is not None and mount.kind not in NO_STORE:
            found.append(File(number, path, writes, mount))
    return found, len(numbers) - MOST_FDS


def ask_all(questions):
    """Answers of `questions` (functions that may never return), in a child that is given up when one takes too long.

    An answer is a tuple of integers, `()` for an error, or None for no answer.
    """
    answers = [None] * len(questions)
    at = silent = 0
    while at < len(questions) and silent < SILENT_MOST:
        mine, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            answer_from(theirs, questions, at)
        os.close(theirs)
        rest = b''
        while at < len(questions):
            ready = select.select([mine], [], [], PATIENCE)[0]
            part = os.read(mine, 65536) if ready else b''
            if not part:
                # Silent, or ended by this very question.
                at += 1
                silent += 1
                break
            lines = (rest + part).split(b'\n')
            rest = lines.pop()
            for line in lines:
                answers[at] = tuple(int(word) for word in line.split())
                at += 1
        os.close(mine)
        os.kill(child, signal.SIGKILL)
        # One that waits for a dead server does not even end when it is killed: it is not waited for.
        os.waitpid(child, os.WNOHANG if at < len(questions) or silent else 0)
    return answers


def answer_from(out, questions, at):
    """The child: answers one question after the other, and ends."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        nothing = os.open('/dev/null', os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        for question in questions[at:]:
            try:
                words = question()
            except OSError:
                words = ()
            os.write(out, b' '.join(b'%d' % word for word in words) + b'\n')
    finally:
        os._exit(0)


def space(path):
    def ask():
        seen = os.statvfs(path)
        unit = seen.f_frsize or seen.f_bsize
        return (seen.f_blocks * unit, seen.f_bfree * unit, seen.f_bavail * unit, seen.f_files, seen.f_ffree)

    return ask


def size(path):
    def ask():
        seen = os.stat(path)
        return (seen.st_size, seen.st_blocks * 512)

    return ask


def waiting():
    """Processes of the host in an uninterruptible wait (state D): pid -> [comm, wchan, of how many looks]."""
    found = {}
    for name in sorted((name for name in os.listdir('/proc') if name.isdigit()), key=int)[:MOST_PROCESSES]:
        stat = stat_of('/proc/%s/stat' % name)
        if stat and stat[1][0] == b'D':
            wchan = slurp('/proc/%s/wchan' % name, 256) or b'?'
            found[int(name)] = (stat[0], wchan if wchan != b'0' else b'?', stat[1][19])
    return found


def full(answer):
    """Whether hardly a block or an inode is left; a file system of size 0 stores nothing, and one without inodes has no end of them."""
    if not answer or not answer[0]:
        return False
    return answer[2] < min(1 << 20, answer[0] // 50) or (answer[3] > 0 and answer[4] < 8)


def report(mounts, files):
    rank = sorted(mounts, key=lambda mount: (-mount.writes, not mount.cwd, -mount.reads, mount.point))
    for mount in rank:
        used = mount.writes or mount.reads or mount.cwd
        if not used and mount.answer is not None and not full(mount.answer):
            continue
        if mount.answer is None:
            free = 'no answer in %.1f s' % PATIENCE
        elif mount.answer:
            free = 'free %d of %d bytes, available %d bytes, inodes %d of %d free' % (
                mount.answer[1], mount.answer[0], mount.answer[2], mount.answer[4], mount.answer[3])
        else:
            free = 'space unknown'
        options = mount.options + (b';' + mount.more if mount.more else b'')
        print('mount: %s %s on %s from %s, %s, writes %d files, reads %d files, cwd %s, options %s' % (
            quoted(mount.point), shown(mount.kind), mount.device, quoted(mount.source), free, mount.writes, mount.reads,
            'yes' if mount.cwd else 'no', shown(options[:300])))
    files.sort(key=lambda file: (not file.writes, -(file.size or (0, 0))[1], file.number))
    # A file that is open many times is shown once.
    single = {}
    for file in files:
        single.setdefault((file.writes, file.path), file)
    files = list(single.values())
    for file in files[:MOST_FILES]:
        told = 'size %d bytes, stored %d bytes' % file.size if file.size else 'size unknown'
        print('file: descriptor %d %s, %s, on %s, %s' % (
            file.number, 'writes' if file.writes else 'reads', told, quoted(file.mount.point), shown(file.path[:600])))
    if len(files) > MOST_FILES:
        print('more: %d files' % (len(files) - MOST_FILES))


def main():
    pid, start, window = int(sys.argv[1]), sys.argv[2].encode(), float(sys.argv[3])
    print('mounts 1')
    stat = stat_of('/proc/%d/stat' % pid)
    if not stat or stat[1][19] != start:
        print('gone: there is no such process %d' % pid)
        return
    first, began = waiting(), time.monotonic()
    mounts = mounts_of(pid)
    try:
        files, more = files_of(pid, mounts)
        if more > 0:
            print('not readable: %d descriptors (too many)' % more)
    except OSError as error:
        files = []
        print('not readable: open files (%s)' % error.strerror)
    for file in files:
        file.mount.writes += file.writes
        file.mount.reads += not file.writes
        file.mount.ask = space('/proc/%d/fd/%d' % (pid, file.number))
    cwd = point('/proc/%d/cwd' % pid)
    if cwd is not None:
        mount = mount_at(mounts, cwd)
        if mount is not None and mount.kind not in NO_STORE:
            mount.cwd = True
            mount.ask = mount.ask or space('/proc/%d/cwd' % pid)
    # What is mounted for reading only takes nothing, however full it is.
    stores = [mount for mount in mounts if mount.kind not in NO_STORE and (mount.ask or b'ro' not in mount.options.split(b','))]
    asked = {mount.device for mount in stores if mount.ask}
    for mount in stores:
        # The same file system once, through the newest mount on its point.
        hidden = any(other.point == mount.point and other is not mount for other in mounts[mounts.index(mount) + 1 :])
        if mount.ask is None and mount.device not in asked and not hidden and len(asked) < MOST_MOUNTS:
            mount.ask = space(b'/proc/%d/root' % pid + mount.point)
            asked.add(mount.device)
    wanted = [mount for mount in stores if mount.ask]
    for mount, answer in zip(wanted, ask_all([mount.ask for mount in wanted])):
        mount.answer = answer
    answering = [file for file in files if file.mount.answer][:MOST_FDS]
    for file, answer in zip(answering, ask_all([size('/proc/%d/fd/%d' % (pid, file.number)) for file in answering])):
        file.size = answer or None
    report(wanted, files)
    time.sleep(max(0.0, began + min(window / 2, 0.5) - time.monotonic()))
    second = waiting()
    both = [other for other in first if other in second and first[other][2] == second[other][2] and other != pid]
    for other in both[:MOST_WAITERS]:
        comm, wchan, _ = second[other]
        command = (slurp('/proc/%d/cmdline' % other, 300) or b'').rstrip(b'\0').replace(b'\0', b' ')
        print('waiting: %d %s in %s, command %s' % (other, quoted(comm), shown(wchan), shown(command or b'[' + comm + b']')))
    if len(both) > MOST_WAITERS:
        print('waiting: %d more processes' % (len(both) - MOST_WAITERS))
    print('end')


if __name__ == '__main__':
    print_utf8()
    main()
    sys.stdout.flush()
