"""The lines of a process's own logs that tell of known trouble: workers that died, fatal errors, limits that were met.

Usage: log_tail.py PID START-TIME JOURNAL [PATTERN]; JOURNAL is the path of journalctl or `-`. Logs are the regular files
that the process has open for writing, standard output and error among them, and those that its output leads to (a
container's log on the host, what a supervisor or tee writes), the newest ones and of each the end; and the journal of its
unit. Of anything else that stands in them nothing is printed. Text is quoted by quoted() of py_read_report.py, one fact a
line; log-tail.ts reads it back.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

TAILS_MOST = 1 << 20
LINES_MOST = 120  # of one kind and file
TEXT_MOST = 400


def told(number, text, asked, quoted):
    """(place in the log, line about it), and lines about the whole, which have no place."""
    from log_signs import STARTS, matches, time_of, tracebacks
    shown, picked, data = {}, [], text.data
    begun = max(data.rfind(word) for word in STARTS)
    for start, kind, line in reversed(matches(data, asked)):
        shown[kind] = shown.get(kind, 0) + 1
        if shown[kind] <= LINES_MOST:
            picked.append((start, kind, line))
    for start, kind, line in picked:
        offset, moment, stream = text.place(start)
        if moment is None:
            moment = time_of(line)
        yield offset, 'line %s @ %d %s time %s%s: %s' % (
            number, offset, kind, moment if moment is not None else 'before' if start < begun else '?',
            ' ' + stream if stream else '', quoted(line.rstrip(b'\r')[:TEXT_MOST]))
    for kind in sorted(shown):
        if shown[kind] > LINES_MOST:
            yield None, 'not shown: %d earlier lines of kind %s in file %s' % (shown[kind] - LINES_MOST, kind, number)
    for name, (times, last) in sorted(tracebacks(data).items(), key=lambda each: -each[1][0])[:20]:
        yield None, 'traceback %s @ %d %d times: %s' % (number, text.place(last)[0], times, quoted(name))


def said(number, texts, asked, quoted):
    """The lines about one log."""
    lines = [line for text in texts for line in told(number, text, asked, quoted)]
    placed = sorted((line for line in lines if line[0] is not None), key=lambda each: each[0])
    return [line for _, line in placed] + [line for place, line in lines if place is None]


def through(log, read, quoted):
    """Who wrote a log, where that is not the process itself."""
    if log.through is None:
        return ''
    return ', through process %d %s%s' % (log.through[0], quoted(log.through[1]), ' as ' + read.format if read.format else '')


def main():
    from log_formats import Text
    from log_places import FILES_MOST, places_of
    from log_read import TAIL, journal_of, written
    from proc_files import slurp
    from py_read_report import quoted as as_quoted

    def quoted(raw):
        return as_quoted(raw.decode('utf-8', 'surrogateescape'))
    pid, start, tool = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]
    yield 'log-tail 1'
    stat = slurp('/proc/%d/stat' % pid) or b''
    fields = stat[stat.rfind(b')') + 2:].split()
    if len(fields) < 20 or fields[19] != start:
        yield 'gone: process %d has ended' % pid
        return
    asked = None
    if len(sys.argv) > 4:
        try:
            asked = re.compile(os.fsencode(sys.argv[4]))
        except re.error as why:
            yield 'bad pattern: %s' % why
            return
    places = places_of(pid)
    if places.logs is None:
        yield 'not readable: open files of process %d (permission)' % pid
        return
    left = TAILS_MOST
    for number, log in enumerate(places.logs[:FILES_MOST], 1):
        if left <= 0:
            yield 'not read: %s' % quoted(log.path)
            continue
        try:
            read = written(log)
        except OSError as why:
            yield 'not read: %s (%s)' % (quoted(log.path), why.strerror or 'not as it was')
            continue
        left -= len(read.data)
        yield 'file %d: %s, %d bytes, read from %d, written %.3f, fds %s%s' % (
            number, quoted(log.path), log.status.st_size, read.offset, log.status.st_mtime,
            ' '.join('%d' % each for each in log.numbers[:16]), through(log, read, quoted))
        for line in said('%d' % number, read.texts(), asked, quoted):
            yield line
        if read.strange:
            yield 'not read: %d lines that are not of the format of file %d' % (read.strange, number)
    if len(places.logs) > FILES_MOST:
        yield 'not read: %d files that were written to longer ago' % (len(places.logs) - FILES_MOST)
    if places.elsewhere:
        yield 'elsewhere: standard output or error is no file'
    for note in places.notes:
        yield 'not followed: %s' % quoted(note.encode('utf-8', 'replace'))
    if places.journal is not None and tool != '-':
        data = journal_of(places.journal[0], tool)
        yield 'journal: unit %s, %d bytes' % (quoted(places.journal[1].encode()), len(data))
        for line in said('journal', [Text(data, 0)], asked, quoted):
            yield line
    yield 'end'


if __name__ == '__main__':
    for text in main():
        sys.stdout.buffer.write(text.encode('utf-8', 'backslashreplace') + b'\n')
    sys.stdout.flush()
