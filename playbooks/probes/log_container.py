"""Which logs are those of a container. For log_pipes.py; Python 3.6 or later, standard library only.

A process says by its control group in which container it is; none in the container can change that. A log is this
container's where its path has the container's id, as docker's and podman's have, or is one that kubelet links to under the id,
or is in the pod's folder. What lies in such folders is not trusted: a container may have got hold of /var/log.
"""
import os
import re
import stat as modes

from log_read import TAIL, Log
from proc_files import point

LINKS = b'/var/log/containers'
LINKS_MOST = 5000
ID = re.compile(r'[0-9a-f]{64}')
# With dashes by cgroupfs, with underscores by systemd; without either for static pods.
POD = re.compile(r'pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})')
POD_LOG = re.compile(rb'/pods/([^/]+_[^/]+_([0-9a-f-]+))/([^/]+)/(\d+)\.log$')
OPTIONS = (b'-id', b'--id', b'-c', b'--cid')


def space_of(pid):
    return point('/proc/%d/ns/pid' % pid)


class Container(object):
    """The container of a process; `id` and `keeper` (the process beside it that keeps it) are None where there is none."""

    def __init__(self, group, pid, ancestors, words_of):
        ids, pods = ID.findall(group), POD.findall(group)
        self.id = ids[-1] if ids else None
        self.pod = pods[-1].replace('_', '-').encode() if pods else None
        self.space, own = space_of(pid), space_of(os.getpid())
        within = self.space is not None and self.space != own
        self.keeper = next((each for each in ancestors if space_of(each) != self.space), None) if within else None
        words = words_of(self.keeper) if self.keeper is not None else []
        for option, value in zip(words, words[1:]):
            # Containers of containerd's own tools have a name for an id, and control groups of any name.
            if self.id is None and option in OPTIONS and re.match(rb'[A-Za-z0-9][A-Za-z0-9_.+-]{0,252}$', value):
                self.id = value.decode()
        self.linked = self.links()

    def outside(self, pid):
        return self.id is not None and space_of(pid) != self.space

    def links(self):
        """The ends of the paths that kubelet has linked to under this container's id."""
        found = set()
        if self.id is None or len(self.id) != 64:
            return found
        try:
            names = os.listdir(LINKS)[:LINKS_MOST]
        except OSError:
            return found
        for name in names:
            match = POD_LOG.search((point(os.path.join(LINKS, name)) or b'') if name.endswith(b'-%s.log' % self.id.encode()) else b'')
            if match and (self.pod is None or match.group(2) == self.pod):
                found.add(match.group(0))
        return found

    def names(self, path):
        """Whether a path has the id in it, as a part or before a dash."""
        id = self.id.encode() if self.id is not None else None
        return id is not None and any(part == id or part.startswith(id + b'-') for part in path.split(b'/')[1:])

    def has(self, path):
        match = POD_LOG.search(path)
        return self.names(path) or match is not None and match.group(0) in self.linked

    def of(self, logs):
        """Those of the logs of one process that are this container's."""
        found = [log for log in logs if self.has(log.path)]
        if found or self.pod is None:
            return found
        matches = [(log, POD_LOG.search(log.path)) for log in logs]
        in_pod = [(log, match.group(3)) for log, match in matches if match and match.group(2) == self.pod]
        # Without kubelet's link, only what is alone in its pod can be told.
        return [log for log, _ in in_pod] if len(set(name for _, name in in_pod)) == 1 else []


def earlier(log):
    """The log as it was before it was turned over, where little is in the new one; as in opened_beside."""
    if log.status.st_size >= TAIL // 2:
        return None
    folder, name = os.path.split(log.path)
    match = POD_LOG.search(log.path)
    names = [name + b'.1'] if match is None else turned(folder, name)
    for each in names:
        try:
            fd = opened_beside(log, os.path.join(folder, each))
        except OSError:
            continue
        try:
            status = os.fstat(fd)
        finally:
            os.close(fd)
        if status.st_size == 0:
            return None
        before = Log(os.path.join(folder, each), status, log.numbers, None)
        before.through, before.open = log.through, lambda: opened_beside(log, before.path)
        return before
    return None


def turned(folder, name):
    """What kubelet called the log when it was turned over last: with the time behind it, and not compressed yet."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(each for each in names if re.match(re.escape(name) + rb'\.\d{8}-\d{6}$', each))[-1:]


def opened_beside(log, path):
    """A descriptor to read a file beside a log. Raises OSError unless it is a regular one, the log's owner's, in that folder by one name alone.

    Else somebody who can write to the folder could have any file of the host read as a log.
    """
    if point('/proc/self/ns/mnt') != point('/proc/%d/ns/mnt' % log.through[0]):
        raise OSError('seen in another place')
    held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(held)
        if not modes.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != log.status.st_uid:
            raise OSError('no log')
        if point('/proc/self/fd/%d' % held) != path:
            raise OSError('elsewhere')
        return os.open('/proc/self/fd/%d' % held, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(held)
