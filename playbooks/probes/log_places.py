"""Where the logs of a process are: files that it has open for writing, and what its output leads to.

For log_tail.py and log-lines.py. Python 3.6 or later, standard library only.
"""
import os
import re
import stat as modes

from log_pipes import Trail
from log_read import Log, unit_of
from proc_files import slurp

FDS_MOST = 10000
FILES_MOST = 8
# A file there may keep whoever asks for it waiting for a server.
REMOTE = (b'nfs', b'nfs4', b'cifs', b'smb3', b'ceph', b'9p', b'afs', b'lustre', b'glusterfs', b'fuse')


class Places(object):
    """`logs`: newest first, or None when nobody may know; `notes`: what was not followed; `journal`: what journalctl is asked by, and its name."""

    def __init__(self):
        self.logs, self.notes, self.elsewhere, self.journal = None, [], False, None


def remote_mounts(pid):
    """Ids of the mounts whose files may keep a reader waiting."""
    found = set()
    for line in (slurp('/proc/%d/mountinfo' % pid) or b'').split(b'\n'):
        before, _, after = line.partition(b' - ')
        if before and after.split() and after.split()[0].split(b'.')[0] in REMOTE:
            found.add(before.split()[0])
    return found


def opened_by(pid):
    """(logs that a process has open for writing, {1 and 2: where these lead, where that is no file}), or None."""
    try:
        numbers = sorted(int(name) for name in os.listdir('/proc/%d/fd' % pid))[:FDS_MOST]
    except OSError:
        return None
    remote, found, outputs = remote_mounts(pid), {}, {}
    for number in numbers:
        link = '/proc/%d/fd/%d' % (pid, number)
        try:
            path = os.readlink(os.fsencode(link))
            if number in (1, 2) and (not path.startswith(b'/') or path.startswith((b'/dev/pts/', b'/dev/console'))):
                outputs[number] = path
            if not path.startswith(b'/'):
                continue
            info = slurp('/proc/%d/fdinfo/%d' % (pid, number), 4096) or b''
            flags = re.search(rb'^flags:\s*([0-7]+)', info, re.M)
            mount = re.search(rb'^mnt_id:\s*(\d+)', info, re.M)
            if not flags or not int(flags.group(1), 8) & 3 or mount and mount.group(1) in remote:
                continue
            status = os.stat(link)
        except (OSError, ValueError):
            continue
        if number in (1, 2) and modes.S_ISFIFO(status.st_mode):
            outputs[number] = path
        if not modes.S_ISREG(status.st_mode) or status.st_size == 0 or path.startswith((b'/memfd:', b'/dev/', b'/proc/')):
            continue
        key = (status.st_dev, status.st_ino)
        if key in found:
            found[key].numbers.append(number)
        else:
            found[key] = Log(path, status, [number], link)
    return sorted(found.values(), key=lambda each: -each.status.st_mtime), outputs


def places_of(pid):
    """All that is known of where a process writes."""
    places = Places()
    own = opened_by(pid)
    group = (slurp('/proc/%d/cgroup' % pid) or b'').decode('utf-8', 'replace')
    places.journal = unit_of(group)
    if own is None:
        return places
    places.logs, outputs = own
    if not outputs:
        return places
    trail = Trail(pid, group, outputs, opened_by)
    known = set((log.status.st_dev, log.status.st_ino) for log in places.logs)
    found = [log for log in trail.follow() if (log.status.st_dev, log.status.st_ino) not in known]
    places.logs = sorted(places.logs + found, key=lambda each: -each.status.st_mtime)
    places.notes, places.elsewhere = trail.notes, bool(trail.open_ends)
    if places.journal is None and trail.journal:
        places.journal = trail.journal, ' '.join(trail.journal)
    return places
