"""Reading the end of a log, and the journal, in bounded time and size. Python 3.6 or later, standard library only."""
import os
import select
import stat as modes
import subprocess
import time

from log_formats import Written, in_lines, in_messages
from regular_files import open_regular

TAIL = 256 << 10
JOURNAL_SECONDS = 3
JOURNAL_LINES = 2000


class Log(object):
    """A file that a process has open for writing. `numbers`: the descriptors of the diagnosed process that lead there."""

    def __init__(self, path, status, numbers, link):
        self.path, self.status, self.numbers, self.link = path, status, numbers, link
        self.through = None  # (pid, command line) of the process that writes it, where that is another
        self.open = None  # makes a descriptor to read it, where nobody has it open


def tail_of(log, most):
    """(offset, bytes) of the end of a file; never waits, writes or opens another file than the one that was found.

    It is opened through the descriptor of who has it open, so that no name that somebody put in its place counts.
    """
    fd = log.open() if log.open else open_regular(log.link)
    try:
        status = os.fstat(fd)
        if not modes.S_ISREG(status.st_mode):
            return 0, b''
        offset = max(0, status.st_size - most)
        return offset, os.pread(fd, most, offset)
    finally:
        os.close(fd)


def written(log, most=TAIL):
    """The end of a log, from the beginning of a line. Raises OSError."""
    offset, data = tail_of(log, most)
    # What the process itself has open, nobody has put into a format.
    found = in_messages(offset, data) if log.through else None
    if found is not None:
        return found
    if offset:
        cut = data.find(b'\n') + 1
        offset, data = offset + cut, data[cut:]
    return in_lines(offset, data) if log.through else Written(offset, data)


def unit_of(group):
    """What journalctl is asked by, and the unit's name, for a process in this control group (text); or None."""
    names = [part for line in group.split('\n') for part in line.split('/') if part.endswith('.service')]
    own = [name for name in names if not name.startswith(('user@', '-'))]
    if not own:
        return None
    # journalctl's own --user-unit asks for units of whoever runs it.
    return (['-u', own[-1]] if own == names else ['_SYSTEMD_USER_UNIT=' + own[-1]]), own[-1]


def journal_of(asked, tool):
    """The last lines of the journal that are asked for: as many as came in time."""
    command = [tool, '-q', '--no-pager', '-o', 'short-unix', '-n', str(JOURNAL_LINES)] + asked
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return b''
    until, parts, size = time.monotonic() + JOURNAL_SECONDS, [], 0
    try:
        while True:
            left = until - time.monotonic()
            if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
                break
            part = os.read(child.stdout.fileno(), 1 << 16)
            if not part:
                break
            parts.append(part)
            size += len(part)
            while size - len(parts[0]) >= TAIL:
                size -= len(parts.pop(0))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    return b''.join(parts)[-TAIL:]
