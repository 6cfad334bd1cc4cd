"""Finds the core files of a process's family: where kernel.core_pattern lets them be written, by which process they are.

Only names that the pattern can give are opened, the newest first.
"""
import os
import re
import stat as modes
import time

from core_elf import Core, NoCore, build_id_of
from core_family import slurp
from core_folders import name_pattern, names_in, opened, pattern

OPENED_MOST = 24
FRESH_SECONDS = 2
WRITING_SECONDS = 1.0
GAP_TRIES, GAP_SECONDS = 5, 0.05
PACKED = (b'.zst', b'.xz', b'.lz4', b'.gz')


class Found(object):
    """One core file: `core` is None when it is packed or could not be read, `why` says so."""

    def __init__(self, path, status, core, relation, why):
        self.path, self.status, self.core, self.relation, self.why = path, status, core, relation, why


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
