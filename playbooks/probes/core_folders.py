"""The folders in which cores of a family may lie, by kernel.core_pattern, and the names that it gives them.

They are opened as the processes see them: a link in a container leads to a folder of that container, not of the host.
"""
import errno
import os
import re

from core_family import slurp

ENTRIES_MOST = 5000
FOLDERS_MOST = 40
LINKS_MOST = 20
# Where the usual handlers behind a pipe keep what they are given: systemd-coredump(8), apport, abrt.
HANDLERS = ((b'systemd-coredump', (b'/var/lib/systemd/coredump',)),
            (b'apport', (b'/var/lib/apport/coredump', b'/var/crash')),
            (b'abrt', (b'/var/spool/abrt', b'/var/tmp/abrt')))


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
