"""The source text of a function that another process runs, as far as its file can be found.

Paths are those of the process: relative ones start at its working directory, all of them at its root (proc(5)). The
text is looked at by indentation only, so it may be of any Python version.
"""
import os
import stat

FILE_MOST = 4 << 20
BEFORE, AFTER, ALL = 90, 25, 150
# What a file of source is called; other files are source only when they begin as scripts do.
SUFFIXES = tuple(('.py .pyw .pyi .pyx .pxd .pxi .c .cc .cpp .cxx .h .hh .hpp .hxx .inc .s .S .f .f90 .rs .go .java .kt .rb .pl .pm .lua .js '
                  '.mjs .cjs .ts .php .sh .bash .tcl .r .R .jl .m .mm .swift .cs .ml .hs .erl .ex .exs .nim .d .zig .j2 .mako').split())


def function_lines(pid, path, first_line, seen):
    """(line number, text) around the lines `seen` of the function that begins at `first_line`."""
    lines = read_lines(pid, path)
    seen = [line for line in seen if 0 < line <= len(lines)]
    if not seen:
        return
    low, high = min(seen), max(seen)
    end = end_of_function(lines, first_line, high)
    start = max(first_line, low - BEFORE)
    end = min(end, high + AFTER, start + ALL - 1)
    for number in range(start, end + 1):
        text = lines[number - 1].rstrip()
        yield number, text if len(text) <= 200 else text[:199] + '\u2026'


def end_of_function(lines, first_line, last_seen):
    """The last line of the indented block below `first_line`; the end of the file for a module."""
    if not 0 < first_line <= len(lines):
        return len(lines)
    margin = indentation(lines[first_line - 1])
    if first_line == 1 and not lines[0].lstrip().startswith(('def ', 'class ', 'async ', '@', 'lambda')):
        return len(lines)
    end = last_seen
    for number in range(last_seen + 1, len(lines) + 1):
        text = lines[number - 1]
        if text.strip() and indentation(text) <= margin and not text.lstrip().startswith(('#', ')', ']', '}')):
            break
        end = number
    while end > last_seen and not lines[end - 1].strip():
        end -= 1
    return end


def indentation(text):
    text = text.expandtabs(8)
    return len(text) - len(text.lstrip())


def read_lines(pid, path, source_only=False):
    """The lines of a file as the process would find it; empty when it cannot be read, or not by the process itself.

    `source_only` is for a path that somebody named who may not read all that the process may: links are followed
    first, and what is then no source by its name or its first two bytes is not shown.
    """
    if not path or path.startswith('<') or '\0' in path:
        return []
    file = None
    try:
        file = open_as_process(pid, path)
        if file is None:
            return []
        with open('/proc/self/fd/%d' % file, 'rb', opener=open_at_once) as text:
            content = text.read(FILE_MOST)
            if source_only and not (os.readlink('/proc/self/fd/%d' % file).endswith(SUFFIXES) or content[:2] == b'#!'):
                return []
            return content.decode('utf-8', 'replace').split('\n')
    except (OSError, ValueError):
        return []
    finally:
        if file is not None:
            os.close(file)


def changed_after(pid, path, moment):
    """Whether the file was written after `moment` (seconds since 1970); None when it cannot be read."""
    file = None
    try:
        file = open_as_process(pid, path)
        return None if file is None else os.fstat(file).st_mtime > moment
    except (OSError, ValueError):
        return None
    finally:
        if file is not None:
            os.close(file)


def open_at_once(path, flags):
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def open_as_process(pid, path):
    """An O_PATH descriptor of a regular file, found from the process's root with nothing followed out of it.

    What a process calls its source is its own choice, and we may be root: so a link is resolved inside its root, and
    a file that its own user may not read is not read for it (path_resolution(7), credentials(7)). None when refused.
    """
    may = permissions_of(pid)
    held = []
    try:
        for place in ('root',) if path.startswith('/') else ('root', 'cwd'):
            held.append(os.open('/proc/%d/%s' % (pid, place), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        # What is above the working directory cannot be told from here.
        floor = len(held)
        todo = path.split('/')[::-1]
        links = 0
        while todo:
            name = todo.pop()
            if name in ('', '.'):
                continue
            if name == '..':
                if len(held) > floor:
                    os.close(held.pop())
                elif floor > 1:
                    return None
                continue
            if not may(os.fstat(held[-1]), 1):
                return None
            found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held[-1])
            kind = os.fstat(found).st_mode
            if stat.S_ISLNK(kind):
                target = os.readlink('', dir_fd=found)
                os.close(found)
                links += 1
                if links > 40:
                    return None
                if target.startswith('/'):
                    while len(held) > 1:
                        os.close(held.pop())
                    floor = 1
                todo.extend(target.split('/')[::-1])
                continue
            held.append(found)
        what = os.fstat(held[-1])
        if not stat.S_ISREG(what.st_mode) or what.st_size > FILE_MOST or not may(what, 4):
            return None
        return held.pop()
    finally:
        for each in held:
            os.close(each)


def permissions_of(pid):
    """A function that says whether the process's user may read (4) or search (1) what a stat result tells of."""
    uid, groups = None, set()
    with open('/proc/%d/status' % pid, 'rb') as status:
        for line in status:
            words = line.split()
            if words[:1] == [b'Uid:']:
                uid = int(words[4])
            elif words[:1] == [b'Gid:']:
                groups.add(int(words[4]))
            elif words[:1] == [b'Groups:']:
                groups.update(int(word) for word in words[1:])

    def may(what, bit):
        if uid == 0:
            return True
        if what.st_uid == uid:
            return bool(what.st_mode >> 6 & bit)
        if what.st_gid in groups:
            return bool(what.st_mode >> 3 & bit)
        return bool(what.st_mode & bit)

    return may
