"""Files and folders that serve as locks by being there, near a process and where such files are kept, and whose they are.

The kernel keeps no record of such locks. Often the pid of whoever made one is written in it, or in a file in it, or a link
points to it. Nothing else of what is written there is told. Standard library only, Python 3.6 and newer.
"""
import os
import re
import stat

from proc_files import point, slurp

NAME = re.compile(rb'lock|\.lck$|\.pid$|in[-_.]?use|busy|running|mutex', re.I)
PID = re.compile(rb'^\s*(?:pid\s*[=:]?\s*)?(\d{1,7})\s*$', re.I)
MOST_FOLDERS, MOST_ENTRIES, MOST_NEAR, MOST_FAR = 12, 2000, 24, 24
MOST_BYTES = 64
COMMON = (b'/tmp', b'/var/tmp', b'/run', b'/run/lock', b'/var/lock')
REMOTE = (b'nfs', b'nfs4', b'cifs', b'smb3', b'ceph', b'9p', b'afs', b'lustre', b'glusterfs', b'fuse', b'autofs')


def near_folders(pid, files):
    """Folders that the process works in: its own, those of its open files, and those that its arguments name."""
    cwd = point('/proc/%d/cwd' % pid)
    found = [cwd] if cwd else []
    found.extend(path.rsplit(b'/', 1)[0] for path in files)
    for word in (slurp('/proc/%d/cmdline' % pid, 8192) or b'').split(b'\0')[1:]:
        word = word.split(b'=', 1)[-1]
        if b'/' in word and cwd is not None:
            path = os.path.normpath(word if word.startswith(b'/') else cwd + b'/' + word)
            found.extend((path, path.rsplit(b'/', 1)[0]))
    folders = []
    for folder in found:
        if folder not in folders and not (folder + b'/').startswith((b'/dev/', b'/proc/', b'/sys/', b'/usr/', b'/lib')):
            folders.append(folder)
    return [folder for folder in folders if folder not in (b'', b'/')][:MOST_FOLDERS]


def remote_points(pid):
    """Where servers are mounted, which may not answer."""
    found = []
    for line in (slurp('/proc/%d/mountinfo' % pid) or b'').split(b'\n'):
        before, _, after = line.partition(b' - ')
        words, kinds = before.split(), after.split()
        if len(words) > 4 and kinds and kinds[0].split(b'.')[0] in REMOTE:
            found.append(words[4].rstrip(b'/') + b'/')
    return tuple(found)


def written(path):
    """The pid that a small file, or a link, consists of; None for anything else. A link is not followed."""
    try:
        kind = os.lstat(path)
        if stat.S_ISLNK(kind.st_mode):
            tail = re.search(rb'(?:^|[:@.\-])(\d{1,7})$', os.readlink(path))
            return int(tail.group(1)) if tail else None
        if not stat.S_ISREG(kind.st_mode) or not 0 < kind.st_size <= MOST_BYTES:
            return None
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            match = PID.match(os.read(fd, MOST_BYTES).split(b'\n')[0])
        finally:
            os.close(fd)
        return int(match.group(1)) if match else None
    except OSError:
        return None


def owner_in(path):
    """The pid in a lock, or in a file inside of a folder that is one."""
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            return written(path)
        with os.scandir(path) as entries:
            for entry, _ in zip(entries, range(8)):
                pid = written(entry.path)
                if pid is not None:
                    return pid
    except OSError:
        pass
    return None


def lock_files(pid, files):
    """(path as the process sees it, near or not, pid that is written there or None), each path once."""
    # A pid that is written in another namespace is a number of that namespace.
    same = point('/proc/%d/ns/pid' % pid) == point('/proc/self/ns/pid')
    root = b'/proc/%d/root' % pid
    remote = remote_points(pid)
    near = near_folders(pid, files)
    counts = {True: 0, False: 0}
    seen = set()
    for folder in near + [each for each in COMMON if each not in near]:
        close = folder in near and folder not in COMMON
        if (folder + b'/').startswith(remote):
            continue
        try:
            with os.scandir(root + folder) as entries:
                names = sorted(entry.name for entry, _ in zip(entries, range(MOST_ENTRIES)))
        except OSError:
            continue
        for name in names:
            path = folder + b'/' + name
            if not NAME.search(name) or path in seen:
                continue
            seen.add(path)
            owner = owner_in(root + path) if same else None
            if (owner is None and not close) or counts[close] >= (MOST_NEAR if close else MOST_FAR):
                continue
            counts[close] += 1
            yield path, close, owner
