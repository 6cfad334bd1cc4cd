"""What a process has open, by kind and by name, at both ends of a window, and how many in between.

Usage: fds.py PID START_TIME SECONDS. Python 3.6 or later, standard library only; it only reads links of /proc.
Untrusted names go through shown(), one fact per line; see fds.parse.ts.
"""
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proc_files import print_utf8, quoted, shown, slurp

# Links that are read at each end of the window; beyond it, half from the oldest numbers and half from the newest.
MOST_FDS = 20000
LOOKS = 10
# Where the kernel does not tell the number (before Linux 6.2), listing this many costs too much to do it often.
DEAR = 4000
MOST_GROUPS = 14
NEWEST = 6
KINDS = {
    b'[eventpoll]': 'epoll', b'[eventfd]': 'eventfd', b'inotify': 'inotify', b'[timerfd]': 'timerfd',
    b'[signalfd]': 'signalfd', b'[io_uring]': 'io_uring', b'[pidfd]': 'pidfd', b'[perf_event]': 'perf_event',
}


def start_of(pid):
    stat = slurp('/proc/%d/stat' % pid)
    return stat[stat.rfind(b')') + 2 :].split()[19].decode() if stat and b')' in stat else None


def kind_of(target):
    """(kind, name) of what a link of /proc/PID/fd points to (proc_pid_fd(5)); the name is None where numbers say nothing."""
    if target.startswith(b'/'):
        if target.startswith(b'/memfd:'):
            return 'memfd', target[7:].replace(b' (deleted)', b'')
        if target.endswith(b' (deleted)'):
            return 'deleted file', target[:-10]
        if target.startswith(b'/dev/') and not target.startswith(b'/dev/shm/'):
            return 'device', target
        return 'file', target
    if target.startswith(b'anon_inode:'):
        return KINDS.get(target[11:], 'other'), None if target[11:] in KINDS else target
    kind = target.split(b':', 1)[0]
    return (kind.decode(), None) if kind in (b'socket', b'pipe') else ('other', target)


class Listing:
    """All descriptors at one moment: number -> target."""

    def __init__(self, pid):
        self.links = {}
        folder = '/proc/%d/fd' % pid
        numbers = sorted(int(name) for name in os.listdir(folder))
        self.count = len(numbers)
        if self.count > MOST_FDS:
            numbers = numbers[: MOST_FDS // 2] + numbers[-MOST_FDS // 2 :]
        self.unread = self.count - len(numbers)
        folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for number in numbers:
                try:
                    self.links[number] = os.readlink(b'%d' % number, dir_fd=folder)
                except OSError:
                    self.count -= 1
        finally:
            os.close(folder)


def count_of(pid):
    """How many are open now; None when that is not told cheaply."""
    folder = '/proc/%d/fd' % pid
    try:
        return os.stat(folder).st_size or len(os.listdir(folder))
    except OSError:
        return None


def pattern(folder, names):
    """One name for many files of a folder: what their names have in common around a star."""
    prefix = os.path.commonprefix(names)
    suffix = os.path.commonprefix([name[len(prefix) :][::-1] for name in names])[::-1]
    return folder + b'/' + prefix + b'*' + suffix


def named(paths):
    """Path -> the name of its group: itself when it is open several times, else that of its folder's single files."""
    groups = {}
    folders = {}
    for path, times in paths.items():
        if times > 1:
            groups[path] = path
        else:
            folders.setdefault(path.rsplit(b'/', 1)[0], []).append(path)
    lonely = {}
    for folder, members in folders.items():
        alike = {}
        for path in members:
            alike.setdefault(re.sub(rb'\d+', b'#', path[len(folder) + 1 :]), []).append(path)
        numbered = [set(same) for same in alike.values() if len(same) >= 3]
        for same in numbered + [{path for path in members if not any(path in same for same in numbered)}]:
            if len(same) >= 3:
                name = pattern(folder, sorted(path[len(folder) + 1 :] for path in same))
                groups.update((path, name) for path in same)
            else:
                for path in same:
                    lonely.setdefault(folder.rsplit(b'/', 1)[0], []).append(path)
    # A folder for each file, as mkdtemp makes them.
    for above, members in lonely.items():
        name = pattern(above, [path[len(above) + 1 :] for path in members]) if len(members) >= 4 else None
        groups.update((path, name or path) for path in members)
    return groups


def group(first, last):
    """(kind, name) -> [first, last, opened, closed, paths], of what was open at either end."""
    kinds = {}
    counts = {}
    for listing in (first, last):
        times = {}
        for target in listing.links.values():
            what = kinds.setdefault(target, None) or kind_of(target)
            kinds[target] = what
            times[what] = times.get(what, 0) + 1
        for what, number in times.items():
            counts[what] = max(number, counts.get(what, 0))
    names = {}
    for kind in ('file', 'deleted file', 'memfd'):
        known = named({name: times for (one, name), times in counts.items() if one == kind})
        names.update(((kind, path), (kind, name)) for path, name in known.items())
    groups = {}
    for listing, other, column in ((first, last, 0), (last, first, 1)):
        for number, target in listing.links.items():
            what = kinds[target]
            row = groups.setdefault(names.get(what, what), [0, 0, 0, 0, set()])
            row[column] += 1
            row[4].add(what[1])
            if other.links.get(number) != target:
                row[3 - column] += 1
    return groups


def limits(pid):
    for line in (slurp('/proc/%d/limits' % pid) or b'').split(b'\n'):
        found = re.match(rb'Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)', line)
        if found:
            return 'limits: soft %s, hard %s' % tuple(part.decode() for part in found.groups())
    return 'not readable: /proc/%d/limits' % pid


def chosen(groups):
    """The biggest groups, and those that grew most, biggest first."""
    big = sorted(groups, key=lambda key: -max(groups[key][:2]))[:MOST_GROUPS]
    grown = sorted(groups, key=lambda key: groups[key][0] - groups[key][1])[:4]
    keys = big + [key for key in grown if key not in big and groups[key][1] > groups[key][0]]
    return sorted(keys, key=lambda key: -max(groups[key][:2]))


def report(pid, first, last, counts, seconds):
    print('window: %.3f s' % seconds)
    print(limits(pid))
    system = (slurp('/proc/sys/fs/file-nr') or b'').split()
    if len(system) == 3:
        print('host: %d open of %d' % (int(system[0]) - int(system[1]), int(system[2])))
    print('open: ' + ', '.join('%d at %.2f s' % (number, at) for at, number in counts))
    if first.unread or last.unread:
        print('not readable: %d of %d descriptors (too many)' % (last.unread, last.count))
    groups = group(first, last)
    kinds = {}
    for (kind, _), row in groups.items():
        total = kinds.setdefault(kind, [0, 0])
        total[0] += row[0]
        total[1] += row[1]
    for kind, (before, after) in sorted(kinds.items(), key=lambda item: (-max(item[1]), item[0])):
        print('kind %s: %d first, %d last' % (kind, before, after))
    for key in chosen(groups):
        before, after, opened, closed, paths = groups[key]
        name = '-' if key[1] is None else quoted(key[1])
        print('group %s: %d first, %d last, %d opened, %d closed, %d names, %s' % (
            key[0], before, after, opened, closed, len(paths), name))
    stayed = {number for number, target in last.links.items() if first.links.get(number) == target}
    for number in sorted(last.links, key=lambda number: (number not in stayed, number))[-NEWEST:]:
        print('newest: descriptor %d, %s, %s' % (
            number, 'there before' if number in stayed else 'opened in the window',
            shown(last.links[number][:600])))


def main():
    pid, start, window = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    print('fds 1')
    if start_of(pid) != start:
        print('gone: there is no such process %d' % pid)
        return
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    try:
        began = time.monotonic()
        first = last = Listing(pid)
        counts = [(0.0, first.count)]
        often = LOOKS if os.stat('/proc/%d/fd' % pid).st_size or first.count < DEAR else 2
        for look in range(1, often):
            time.sleep(max(0.0, began + window * look / often - time.monotonic()))
            number = None if stop else count_of(pid)
            if number is None:
                break
            counts.append((time.monotonic() - began, number))
        time.sleep(0 if stop else max(0.0, began + window - time.monotonic()))
        if start_of(pid) == start:
            last = Listing(pid)
            counts.append((time.monotonic() - began, last.count))
        else:
            print('not readable: the end of the window (the process ended)')
    except OSError as error:
        print('gone: there is no process %d' % pid if start_of(pid) != start else 'denied: %s' % error.strerror)
        return
    if stop:
        print('not readable: the whole window (told to end)')
    report(pid, first, last, counts, counts[-1][0])
    print('end')


if __name__ == '__main__':
    print_utf8()
    main()
    sys.stdout.flush()
