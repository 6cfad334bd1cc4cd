"""What the epoll descriptors of a process watch, for children.py. Python 3.6 or later, standard library only.

/proc/PID/fdinfo of an epoll descriptor has a line for each watched one: `tfd: 4 events: 19 data: 4 pos:0 ino:1f537a0 sdev:9`
(proc_pid_fdinfo(5)), with the inode in hexadecimal.
"""
import re

from family import numbers_in
from proc_files import point, shown, slurp

MOST_FDS = 4096  # that are searched
MOST_EPOLLS = 16
MOST_WATCHED = 12  # that are named
WATCHED = re.compile(rb'^tfd:\s*(\d+) events:\s*[0-9a-f]+ data:\s*[0-9a-f]+(?:\s+pos:\s*-?\d+ ino:\s*([0-9a-f]+))?', re.M)


def watched_name(folder, number, inode):
    """What a watched descriptor is; `?` when the number is another file by now, whose name would mislead."""
    link = point('%sfd/%d' % (folder, number)) or b'?'
    inside = re.search(rb'\[(\d+)\]$', link)
    if inside and inode is not None and int(inside.group(1)) != int(inode, 16):
        return '?'
    return shown(link).replace(' ', '\\x20')


def epoll_lines(pid):
    """A line for each epoll descriptor: how many descriptors it watches, and the first of them by number."""
    folder = '/proc/%d/' % pid
    shown_ones = 0
    for number in numbers_in(folder + 'fd')[:MOST_FDS]:
        if shown_ones >= MOST_EPOLLS or point('%sfd/%d' % (folder, number)) != b'anon_inode:[eventpoll]':
            continue
        info = slurp('%sfdinfo/%d' % (folder, number), 1 << 16)
        if info is None:
            continue
        shown_ones += 1
        found = sorted((int(fd), inode or None) for fd, inode in WATCHED.findall(info))
        names = ''.join(' %d %s' % (fd, watched_name(folder, fd, inode)) for fd, inode in found[:MOST_WATCHED])
        yield 'process %d epoll %d: watches %d descriptors%s' % (pid, number, len(found), ',' + names if names else '')
