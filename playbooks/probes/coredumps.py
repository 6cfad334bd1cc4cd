"""Which core files a process's family left, by which signal each died and in which file's code; why there may be none.

Usage: coredumps.py PID START-TIME. Reads /proc, the headers and notes of core files, and first pages of mapped files.
Names are written by token() of py_read_report.py, one fact a line; coredumps.parse.ts reads it back.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

CORES_MOST = 12
EXTENSIONS_MOST = 24
CODE_MOST = 300
# What a system brings along, and the interpreter's own extension modules: not what a person would suspect first.
SYSTEM_LIBRARY = re.compile(rb'^(?:/usr)?/lib(?:32|64)?/(?!.*/(?:site|dist)-packages/)|/lib-dynload/|\.libs/|/libpython\d')


def limit_of(pid):
    """Soft and hard limit on the size of cores as /proc/PID/limits writes them (`0`, `unlimited`), or None."""
    from core_family import slurp
    match = re.search(rb'^Max core file size\s+(\S+)\s+(\S+)', slurp('/proc/%d/limits' % pid), re.M)
    return match and (match.group(1).decode('ascii', 'replace'), match.group(2).decode('ascii', 'replace'))


def extensions(core):
    """Shared objects that were mapped and are not the system's, as bytes, in order of their names."""
    found = set(each.path for each in core.files if re.search(rb'\.so(?:\.[\d.]+)?$', each.path))
    return sorted(path for path in found if not SYSTEM_LIBRARY.search(path))


def mapped_code(family):
    """(path, first address, last address) of the files whose code the live target has mapped, as the kernel's log may name
    them: a worker that was forked and has not exec'ed has them at the very same places."""
    from core_family import slurp
    text = slurp('/proc/%d/maps' % family.target.pid, 4 << 20)
    return [(path, start, end) for start, end, path in
            re.findall(rb'^([0-9a-f]+)-([0-9a-f]+) r-x\S* \S+ \S+ \d+ +(/[^\n]*)$', text, re.M)]


def crash_lines(family, core, quoted):
    """What a core says beyond its first line."""
    from core_search import on_disk
    exe = core.executable()
    if exe is not None:
        yield '  executable %s build id %s, on disk %s' % (
            quoted(exe), core.build_id(exe) or '?', on_disk(family, exe) or '?')
    place = core.place(core.threads[0].pc)
    if place is not None:
        yield '  crashed in %s+0x%x build id %s, on disk %s' % (
            quoted(place[0]), place[1], core.build_id(place[0]) or '?', on_disk(family, place[0]) or '?')
    for path in extensions(core)[:EXTENSIONS_MOST]:
        yield '  extension %s' % quoted(path)


def core_line(found, quoted):
    """The first line of a core."""
    core = found.core

    def number(value, form='%d'):
        return '?' if value is None else form % value
    return 'core %s: %d bytes, written %.3f, signal %s, code %s, address %s, sender %s, process %s, parent %s, threads %d, %s, name %s, command %s' % (
        quoted(found.path), found.status.st_size, found.status.st_mtime, number(core.signal), number(core.code),
        number(core.address, '0x%x'), number(core.sender), number(core.pid), number(core.parent), len(core.threads),
        found.relation, quoted(core.name), quoted(core.command))


def main():
    from core_family import Family, slurp
    from core_folders import pattern
    from core_search import search
    from py_read_report import quoted as as_quoted

    def quoted(raw):
        return as_quoted(raw.decode('utf-8', 'surrogateescape'))
    family = Family(int(sys.argv[1]))
    yield 'coredumps 1'
    if not family.target.exists:
        yield 'gone: there is no process %d' % family.target.pid
        return
    if family.target.started != sys.argv[2]:
        yield 'gone: process %d is another one by now' % family.target.pid
        return
    yield 'pattern: %s' % quoted(pattern())
    yield 'pattern adds the pid: %s' % ('no' if slurp('/proc/sys/kernel/core_uses_pid').strip() == b'0' else 'yes')
    for who, process in family.members:
        limit = limit_of(process.pid)
        if limit is not None:
            yield 'limit: %s %d soft %s hard %s' % (who, process.pid, limit[0], limit[1])
    for path, start, end in mapped_code(family)[:CODE_MOST]:
        yield 'code: %s at %s-%s' % (quoted(path), start.decode('ascii'), end.decode('ascii'))
    folders = []
    cores = search(family, folders)
    for what, path, entries in folders:
        yield 'searched: %s, %d entries, %s' % (quoted(path), entries, what)
    for found in cores[:CORES_MOST]:
        if found.core is None:
            yield 'not read: core %s, %d bytes, written %.3f: %s' % (
                quoted(found.path), found.status.st_size, found.status.st_mtime, found.why)
            continue
        yield core_line(found, quoted)
        for line in crash_lines(family, found.core, quoted):
            yield line
    if len(cores) > CORES_MOST:
        yield 'not shown: %d older cores' % (len(cores) - CORES_MOST)
    yield 'end'


if __name__ == '__main__':
    for text in main():
        sys.stdout.buffer.write(text.encode('utf-8', 'backslashreplace') + b'\n')
    sys.stdout.flush()
