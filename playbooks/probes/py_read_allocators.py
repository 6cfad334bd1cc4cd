"""Which memory allocators a process has mapped, which its root folder offers, and how it was told to use them."""
import os
import re

from regular_files import open_regular

LIBRARY = re.compile(rb'^lib(tcmalloc|jemalloc|mimalloc|hoard|snmalloc|scalloc|ltalloc|umem)([_-][a-z-]+)?(-[\d.]+)?\.so')
OFFERED = re.compile(r'^lib(tcmalloc(_minimal)?|jemalloc|mimalloc)\.so(\.\d+)*$')
SYMBOLS = (('tcmalloc', 'tc_version'), ('jemalloc', 'mallctl'), ('jemalloc', 'je_mallctl'), ('mimalloc', 'mi_version'))
FOLDERS = ('usr/lib64', 'usr/lib', 'lib64', 'lib', 'usr/local/lib64', 'usr/local/lib', 'opt/lib')
SETTINGS = re.compile(rb'^(MALLOC_[A-Z_]+|LD_PRELOAD|GLIBC_TUNABLES|PYTHONMALLOC|TCMALLOC_[A-Z_]+|MIMALLOC_[A-Z_]+)=(.*)$',
                      re.S)
FOLDER_MOST = 5000


def mapped(maps):
    """(kind, path) of the allocators' libraries among the mappings."""
    found = {}
    for mapping in maps:
        match = LIBRARY.match(mapping.path.rpartition(b'/')[2])
        if match and 'x' in mapping.flags:
            found[mapping.path] = match.group(1).decode()
    return [(kind, path) for path, kind in sorted(found.items())]


def built_in(module):
    """The allocator that an executable brings itself and exports, or None."""
    return next((kind for kind, symbol in SYMBOLS if module.exported(symbol)), None)


def folders(root):
    for folder in FOLDERS:
        path = os.path.join(root, folder)
        yield path
        if folder in ('usr/lib', 'lib'):
            try:
                with os.scandir(path) as entries:
                    names = sorted(entry.name for entry in entries if entry.name.endswith(('-linux-gnu', '-linux-musl')))
            except OSError:
                continue
            for name in names[:8]:
                yield os.path.join(path, name)


def offered(pid, machine):
    """(kind, path inside the process's root) of the allocators that could be preloaded, the shortest name of each kind."""
    root = '/proc/%d/root' % pid
    best = {}
    for folder in folders(root):
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for _, entry in zip(range(FOLDER_MOST), entries)]
        except OSError:
            continue
        for name in names:
            match = OFFERED.match(name)
            if not match or not is_library(os.path.join(folder, name), machine):
                continue
            kind = match.group(1)
            path = os.path.join(folder, name)[len(root):]
            # The usual folder first; of the names of one file the one with the version, which is there without headers.
            if kind not in best or (os.path.dirname(path) == os.path.dirname(best[kind])
                                    and (name.count('.'), name) < (best[kind].count('.'), os.path.basename(best[kind]))):
                best[kind] = path
    return sorted(best.items())


def is_library(path, machine):
    """Whether it is an ELF file for the process's processor; one that cannot be opened from here is not."""
    try:
        fd = open_regular(path)
    except (OSError, ValueError):
        return False
    try:
        head = os.pread(fd, 20, 0)
    except OSError:
        return False
    finally:
        os.close(fd)
    return head[:6] == b'\x7fELF\x02\x01' and head[18:20] == machine


def settings(pid):
    """The environment variables at the start that choose or tune an allocator, and nothing else of the environment."""
    try:
        with open('/proc/%d/environ' % pid, 'rb') as environ:
            data = environ.read(1 << 21)
    except OSError:
        return []
    matches = (SETTINGS.match(one) for one in data.split(b'\0'))
    return [(match.group(1), match.group(2)[:300]) for match in matches if match]
