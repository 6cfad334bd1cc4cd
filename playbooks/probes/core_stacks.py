"""The newest core of a process's family, opened: the Python stacks in it, and the C stack of the thread that died.

Usage: core_stacks.py PID START-TIME SECONDS GDB GDB-SCRIPT; GDB is `-` where there is none. PID is the live process whose
family is searched; it is not touched. First come the Python stacks in the words of py-stacks.py, read from the core with the
same readers and without gdb; then the core itself in those of coredumps.py; then what gdb says, bounded in time.
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

COPY_MOST = 256 << 20  # bytes of a fresh core that are copied
FRESH = 120.0  # seconds
FATAL = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
TRIES = 8
PAUSE = 0.05  # seconds between them
OUTPUT_MOST = 400000


def python_stacks(core, pid, copies=()):
    """What the interpreter in the core was executing, as py-stacks.py would say it, in bytes. `copies`: see CoreMemory."""
    from core_memory import CoreMemory
    from py_read_memory import Torn, Unreadable
    from py_read_report import printed
    from py_read_runtime import find_runtime
    from py_read_watch import Watch
    try:
        try:
            memory = CoreMemory(core, pid, copies)
            watch = Watch(memory, find_runtime(memory))
            watch.look()
            if not watch.samples:
                raise Torn('its threads could not be listed')
            return printed(watch, 0.0)
        except Torn as torn:
            raise Unreadable('not-parsable', 'The structures of the interpreter in the core make no sense: %s.' % torn)
    except Unreadable as why:
        return ('unreadable %s %s\n' % (why.reason, why.sentence)).encode('utf-8', 'backslashreplace')


def opened_program(path):
    """A descriptor of a program's file, or None: a core may name any file, also in words that gdb would take for its commands."""
    from regular_files import open_regular
    try:
        return open_regular(path)
    except (OSError, ValueError):
        return None


def native_stack(core, fd, pid, gdb, script, seconds, file=None, tid=None):
    """What gdb says of the thread that died, or of `tid`, in bytes: with all symbols of the host, else quicker with fewer.

    `file`: the executable where it is not the one at its path.
    """
    exe = core.executable()
    if gdb == '-':
        return b'no native stack: gdb is not installed\n'
    if exe is None:
        return b'no native stack: the core does not say which program it was\n'
    root = '/proc/%d/root' % pid
    own = '/proc/%d/fd/' % os.getpid()
    program = opened_program(file or root + os.fsdecode(exe))
    said = b''
    for debug, share in (('1', 0.7), ('0', 0.3)):
        environment = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C', 'HOME': '/', 'DEBUGINFOD_URLS': '',
                       'CORE': '%s%d' % (own, fd), 'EXE': '' if program is None else '%s%d' % (own, program),
                       'NAME': os.fsdecode(exe), 'TID': '' if tid is None else '%d' % tid, 'DEBUG': debug,
                       'ROOT': '' if os.path.samefile(root, '/') else root, 'PC': '%d' % core.threads[0].pc}
        child = subprocess.Popen([gdb, '-nx', '-batch', '-iex', 'set auto-load off', '-x', script], cwd='/',
                                 env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        try:
            said = child.communicate(timeout=seconds * share)[0][:OUTPUT_MOST]
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            said = b'no native stack: gdb did not end in time\n'
            continue
        if b'\n#0 ' in b'\n' + said:
            return said
    return said


def kept(found):
    """A descriptor of the core as it is now: the next crash may write over the very same file. None when it just did."""
    fd = found.core.fd
    before = os.fstat(fd)
    if time.time() - before.st_mtime > FRESH or before.st_blocks * 512 > COPY_MOST:
        return fd
    copy = os.memfd_create('core') if hasattr(os, 'memfd_create') else os.dup(tempfile.TemporaryFile().fileno())
    try:
        at = copied(fd, copy, before.st_size)
    except OSError:
        # There is no room for it, or files may not be that large here (setrlimit(2), RLIMIT_FSIZE).
        os.close(copy)
        return fd
    after = os.fstat(fd)
    same = (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns) and at >= before.st_size
    return copy if same else None


def copied(fd, copy, size):
    """Copies a file of `size` bytes, holes as holes; how many bytes it had. Raises OSError."""
    os.ftruncate(copy, size)
    at = 0
    while at < size:
        data = os.pread(fd, 1 << 20, at)
        if not data:
            break
        if data.count(0) != len(data):
            os.pwrite(copy, data, at)
        at += len(data)
    return at


def newest(family):
    """The core to look at, its own before one that only looks alike, and a Core of what is kept of it; or (None, None)."""
    from core_elf import Core, NoCore
    from core_search import search
    found = None
    for _ in range(TRIES):
        cores = [each for each in search(family, []) if each.core is not None and each.core.signal in FATAL]
        if not cores:
            # It may just be written over by the next crash.
            time.sleep(PAUSE)
            continue
        found = min(cores, key=lambda each: (each.relation == 'predecessor', -each.status.st_mtime))
        fd = kept(found)
        if fd is not None:
            try:
                return found, Core(fd)
            except (NoCore, OSError):
                continue
    return found, found and found.core


def main():
    from core_family import Family
    from coredumps import core_line, crash_lines
    from py_read_report import quoted as as_quoted

    def quoted(raw):
        return as_quoted(raw.decode('utf-8', 'surrogateescape'))
    os.nice(10)
    out = sys.stdout.buffer
    pid, start, seconds, gdb, script = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4], sys.argv[5]
    family = Family(pid)
    if not family.target.exists or family.target.started != start:
        out.write(b'unreadable target-gone There is no such process any more.\n')
        return
    found, core = newest(family)
    if found is None:
        out.write(b'unreadable not-applicable No core of this process or of its family was found.\n')
        return
    found.core = core
    out.write(python_stacks(core, pid))
    lines = ['== core', core_line(found, quoted)] + list(crash_lines(family, core, quoted))
    lines.append('thread %d died' % core.threads[0].tid)
    out.write('\n'.join(lines + ['== native', '']).encode('utf-8', 'backslashreplace'))
    out.flush()
    out.write(native_stack(core, core.fd, pid, gdb, script, seconds))
    out.write(b'== end\n')
    out.flush()


if __name__ == '__main__':
    main()
