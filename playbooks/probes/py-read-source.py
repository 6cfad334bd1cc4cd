"""The source text of a function that another process runs, as far as its file can be found.

Paths are those of the process: relative ones start at its working directory, all of them at its root (proc(5)). The
text is looked at by indentation only, so it may be of any Python version.
"""
import os

FILE_MOST = 4 << 20
BEFORE, AFTER, ALL = 90, 25, 150


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


def read_lines(pid, path):
    """The lines of a file as the process would find it; empty when it cannot be read."""
    if not path or path.startswith('<') or '\0' in path:
        return []
    base = '/proc/%d/root' % pid if path.startswith('/') else '/proc/%d/cwd' % pid
    try:
        full = base + '/' + path
        if not os.path.isfile(full) or os.path.getsize(full) > FILE_MOST:
            return []
        with open(full, 'rb') as file:
            return file.read(FILE_MOST).decode('utf-8', 'replace').split('\n')
    except (OSError, ValueError):
        return []
