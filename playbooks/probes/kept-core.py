"""The newest core that gcore.sh took of a process, opened: the Python stacks in it, and the C stack of the thread that ran.

Usage: kept-core.py PID START-TIME FOLDER SECONDS GDB GDB-SCRIPT; FOLDER is the host's folder for kept files, GDB is `-`
where there is none. Where no core of PID is kept, one of its family or of its predecessor is taken. It is a file that is read:
the live process is not touched. What it prints is what core_stacks.py prints, with lines of its own about symbols.
"""
import os
import re
import stat as modes
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

TAKEN = re.compile(rb'^core\.(\d{1,10})\.(\d{1,20})\.\d{8}T\d{6}Z$')
RUNNING = re.compile(rb'^thread (\d+) ".*" samples 1 gil 1 ', re.M)
OPENED_MOST = 24


def taken(family, folder):
    """The core to look at as core_search.Found, its own before another's, newest first; None where none is kept."""
    from core_elf import Core, NoCore
    from core_family import slurp
    from core_folders import names_in
    from core_search import Found
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    found = []
    for name in names_in(fd):
        match = TAKEN.match(name)
        if match:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            own = (int(match.group(1)), match.group(2).decode('ascii')) == (family.target.pid, family.target.started)
            # Others cannot write there; a file of another user is none of ours all the same.
            if modes.S_ISREG(status.st_mode) and status.st_uid in (0, os.geteuid()):
                found.append((not own, -status.st_mtime, name, status))
    for other, _, name, status in sorted(found)[:OPENED_MOST]:
        try:
            core = Core(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd))
        except (NoCore, OSError):
            continue
        # gdb does not write the arguments into the core's notes.
        again = core.executable() == family.target.exe and core.ran_as(slurp('/proc/%d/cmdline' % family.target.pid, 1 << 20))
        relation = 'itself' if not other else 'predecessor' if again else family.relation(core, status.st_mtime)
        if relation is not None:
            return Found(folder + b'/' + name, status, core, relation, None)
    return None


def debug_file(pid, build):
    """Path of the separate debug information of a build id on the host or in the process's root, or None."""
    for root in ('/proc/%d/root' % pid, ''):
        path = '%s/usr/lib/debug/.build-id/%s/%s.debug' % (root, build[:2], build[2:])
        if os.path.isfile(path):
            return path
    return None


def lines_of(family, found, file, quoted):
    """What is said of the core and of the files that explain it."""
    from core_elf import build_id_of
    from core_search import on_disk
    from coredumps import core_line
    core, exe = found.core, found.core.executable()
    yield core_line(found, quoted)
    if exe is not None:
        build = core.build_id(exe)
        # gdb writes paths as the host sees them, which is not how a process in another root does.
        now = on_disk(family, exe) or build_id_of(exe)
        yield '  executable %s build id %s, on disk %s' % (quoted(exe), build or '?', now or '?')
        debug = build and debug_file(family.target.pid, build)
        yield '  symbols of that build from %s, separate debug information %s' % (
            'nowhere' if file is None else quoted(file), quoted(os.fsencode(debug)) if debug else 'none')
    yield '  mode %04o' % modes.S_IMODE(found.status.st_mode)


def main():
    from core_memory import CoreMemory
    from core_family import Family
    from core_stacks import native_stack, python_stacks
    from py_read_report import quoted as as_quoted

    def quoted(raw):
        return as_quoted(raw.decode('utf-8', 'surrogateescape'))
    os.nice(10)
    out = sys.stdout.buffer
    pid, start, keep, seconds, gdb, script = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5], sys.argv[6]
    family = Family(pid)
    if not family.target.exists or family.target.started != start:
        out.write(b'unreadable target-gone There is no such process any more.\n')
        return
    found = taken(family, os.fsencode(os.path.realpath(keep)) + b'/cores')
    if found is None:
        out.write(b'unreadable not-applicable No core that was taken of this process is kept; gcore takes one.\n')
        return
    core = found.core
    copies = [found.path + suffix for suffix in (b'.exe', b'.libpython')]
    said = python_stacks(core, pid, copies)
    exe = core.executable()
    file = exe and CoreMemory(core, pid, copies).file_of(exe)
    running = RUNNING.search(said)
    tid = int(running.group(1)) if running else core.threads[0].tid
    out.write(said)
    lines = ['== core'] + list(lines_of(family, found, file, quoted)) + ['thread %d shown' % tid, '== native', '']
    out.write('\n'.join(lines).encode('utf-8', 'backslashreplace'))
    out.flush()
    if file is None:
        out.write(b'no native stack: no file of the build that wrote the core is at hand, and another one would give wrong names\n')
    else:
        out.write(native_stack(core, core.fd, pid, gdb, script, seconds, os.fsdecode(file), tid))
    out.write(b'== end\n')
    out.flush()


if __name__ == '__main__':
    main()
