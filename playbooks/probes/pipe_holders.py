"""Who outside of a process's family can write to its pipes; for children.py. Python 3.6 or later.

A program that was started in the background keeps the pipes that it inherited, also when its own parent has ended and it belongs
to nobody: whoever reads such a pipe never meets its end.
"""
import os
import time

from family import numbers_in, stat_of
from proc_files import TICKS, point, quoted, shown, slurp

MOST_PROCESSES = 4000
MOST_FDS = 256  # of one process
MOST_SECONDS = 0.15  # of processor time for the family, and as much for all others
SHOWN = 20
SESSION = 3  # in fields(); proc_pid_stat(5), field 6


def awaited(person, stayed):
    """Inodes (bytes) of pipes of which a process may wait for the end.

    Those that it reads, after a child's end all; and those that it made itself, for an event loop has taken the child's end already.
    """
    reads = set(inode for number, inode, end in numbered_ends_of(person.pid) if end == 'read' and number > 2)
    for tid, (one, two) in person.threads.items():
        # The same call with the same arguments both times: it may be a read.
        if one and two and two[1] and one[1] == two[1] and len(two[1]) > 6 and one[3] == two[3]:
            link = point('/proc/%d/fd/%d' % (person.pid, int(two[1][1], 16) & 0xffffffff)) or b''
            if link.startswith(b'pipe:['):
                reads.add(link[6:-1])
    return reads | set(inode for inode, end in ends_of(person.pid) if end == 'read') if stayed else reads


def ends_of(pid):
    """(inode as bytes, end) of each pipe that a process has open."""
    return ((inode, end) for _, inode, end in numbered_ends_of(pid))


def numbered_ends_of(pid):
    """(descriptor, inode as bytes, end) of each pipe that a process has open."""
    folder = '/proc/%d/fd/' % pid
    for number in numbers_in(folder)[:MOST_FDS]:
        link = point(folder + str(number)) or b''
        if link.startswith(b'pipe:['):
            for line in (slurp('/proc/%d/fdinfo/%d' % (pid, number)) or b'').split(b'\n'):
                # The access mode in the flags is the end (open(2)).
                if line.startswith(b'flags:'):
                    yield number, link[6:-1], ('read', 'write', 'both', '?')[int(line[6:], 8) & 3]


def holder_lines(person, people, stayed, uptime, gaps):
    """Lines about processes that are no relatives and have the writing end of a pipe whose end is waited for."""
    wanted = awaited(person, stayed)
    begun, found = time.process_time(), []
    for pid in people if wanted else ():
        if time.process_time() - begun > MOST_SECONDS:
            gaps.append('who of the family has the pipes open, for it is large')
            return
        # Whom the family itself has at the other end is told with its processes.
        wanted -= set(inode for inode, end in ends_of(pid) if end in ('write', 'both'))
    if not wanted:
        return
    born, session = int(person.last[19]), person.last[SESSION]
    others = []
    for pid in numbers_in('/proc')[-MOST_PROCESSES:]:
        seen = stat_of(pid) if pid not in people and pid != os.getpid() else None
        # Only one that was started later can have inherited what the process made.
        if seen is not None and int(seen[1][19]) >= born and seen[1][0] != b'Z':
            others.append((seen[1][SESSION] != session, pid, seen))
    for _, pid, (comm, parts) in sorted(others, key=lambda each: each[:2]):
        if time.process_time() - begun > 2 * MOST_SECONDS or len(found) >= SHOWN:
            gaps.append('who else has the pipes open, for there are many processes')
            break
        for inode in sorted(set(inode for inode, end in ends_of(pid) if end in ('write', 'both')) & wanted):
            command = (slurp('/proc/%d/cmdline' % pid) or b'')[:400].rstrip(b'\0').replace(b'\0', b' ')
            found.append('pipe %s is held by process %d: parent %s, state %s, %.2f s old, %s, %s' % (
                inode.decode('ascii', 'replace'), pid, parts[1].decode(), parts[0].decode('ascii', 'replace'),
                max(0.0, uptime - int(parts[19]) / TICKS), quoted(comm), shown(command or b'[' + comm + b']')))
    for line in found:
        yield line
