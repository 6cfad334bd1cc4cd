"""Lines of a process's own logs: those that have a text in them, or the last ones.

Usage: log-lines.py PID START-TIME JOURNAL [TEXT]; JOURNAL is the path of journalctl or `-`. TEXT is looked for as it is, in
any case; a space in it stands for any white space. Which logs there are is log_places.py's to say. Of each the end is
read. What cannot be printed is escaped, so that every line of a log stays one line; log-lines.ts reads it back:

    log-lines 1
    file 1: "/srv/shop/app.log", 5120 bytes, read from 0, 40 lines, 2 of them have the text, 2 shown
    1| 2024-05-01 12:00:03 ERROR timeout
    file 2: "/x/containers/ID/ID-json.log", 99 bytes, read from 0, through process 7 "dockerd" as json-file, 1 lines, 1 of them have the text, 1 shown
    2 2024-05-01T12:00:03.5Z stderr| ERROR timeout
    end
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

TAIL = 8 << 20  # of one file
TAILS_MOST = 32 << 20
LINES_MOST = 2000  # of one file that have the text
LAST_LINES = 200  # of one file without a text
LINE_MOST = 2000  # characters
OUTPUT_MOST = 900000  # bytes


def printed(line):
    """A line of a log on one line."""
    from py_read_report import escaped, printable
    text = line.rstrip(b'\r').decode('utf-8', 'surrogateescape')
    cut = ''
    if len(text) > LINE_MOST:
        cut, text = ' ... (%d characters)' % len(text), text[:LINE_MOST]
        # A quoted secret that is cut keeps both of its quotes, by which it is known later.
        cut = ''.join(quote for quote in '"\'' if text.count(quote) % 2) + cut
    if not text.isprintable():
        text = ''.join(each if each == '\t' or printable(each) else escaped(each) for each in text)
    return text + cut


def wanted_in(text):
    """What says whether a line (bytes) has the text."""
    words = text.split()
    pattern = re.compile(r'\s+'.join(re.escape(word) for word in words), re.I)
    return lambda line: pattern.search(line.decode('utf-8', 'replace')) is not None


def lines_of(read):
    """(what is known of it, line) of what was read of a log."""
    if read.records is not None:
        return [(' %s %s' % (record.stamp, record.stream), record.line) for record in read.records]
    lines = read.data.split(b'\n')
    if lines and not lines[-1]:
        lines.pop()
    return [('', line) for line in lines]


def picked(lines, has):
    """(number of lines, number of those that have the text, the last of these)."""
    if has is None:
        return len(lines), len(lines), lines[-LAST_LINES:]
    found = [line for line in lines if has(line[1])]
    return len(lines), len(found), found[-LINES_MOST:]


class Output(object):
    """Prints logs until there is no more room."""

    def __init__(self):
        self.left = OUTPUT_MOST

    def log(self, number, head, read, has):
        lines, found, shown = picked(lines_of(read), has)
        texts, used = [], 0
        for known, line in reversed(shown):
            text = '%s| %s' % (known, printed(line))
            used += len(text) + 12
            if used > self.left:
                break
            texts.append(text)
        self.left -= min(used, self.left)
        say('%s, %d lines, %d of them have the text, %d shown' % (head, lines, found, len(texts)))
        for text in reversed(texts):
            say(number + text)


def say(text):
    sys.stdout.buffer.write(text.encode('utf-8', 'backslashreplace') + b'\n')


def main(arguments):
    from log_places import FILES_MOST, places_of
    from log_read import Written, journal_of, written
    from log_tail import through
    from proc_files import slurp
    from py_read_report import quoted as as_quoted

    def quoted(raw):
        return as_quoted(raw.decode('utf-8', 'surrogateescape'))
    pid, start, tool = int(arguments[0]), arguments[1].encode(), arguments[2]
    text = os.fsencode(arguments[3]).decode('utf-8', 'replace').strip() if len(arguments) > 3 else ''
    has = wanted_in(text) if text else None
    say('log-lines 1')
    stat = slurp('/proc/%d/stat' % pid) or b''
    fields = stat[stat.rfind(b')') + 2:].split()
    if len(fields) < 20 or fields[19] != start:
        say('gone: process %d has ended' % pid)
        return
    places = places_of(pid)
    if places.logs is None:
        say('not readable: open files of process %d (permission)' % pid)
        return
    output, left = Output(), TAILS_MOST
    for number, log in enumerate(places.logs[:FILES_MOST], 1):
        if left <= 0:
            say('not read: %s' % quoted(log.path))
            continue
        try:
            read = written(log, min(TAIL, left))
        except OSError as why:
            say('not read: %s (%s)' % (quoted(log.path), why.strerror or 'not as it was'))
            continue
        left -= len(read.data)
        if read.records is None and b'\0' in read.data[:4096]:
            say('not read: %s (it is no text)' % quoted(log.path))
            continue
        output.log('%d' % number, 'file %d: %s, %d bytes, read from %d%s' % (
            number, quoted(log.path), log.status.st_size, read.offset, through(log, read, quoted)), read, has)
        if read.strange:
            say('not read: %d lines that are not of the format of file %d' % (read.strange, number))
    if len(places.logs) > FILES_MOST:
        say('not read: %d files that were written to longer ago' % (len(places.logs) - FILES_MOST))
    if places.elsewhere:
        say('elsewhere: standard output or error is no file')
    for note in places.notes:
        say('not followed: %s' % quoted(note.encode('utf-8', 'replace')))
    if places.journal is not None and tool != '-':
        read = Written(0, journal_of(places.journal[0], tool))
        output.log('journal', 'journal: unit %s' % quoted(places.journal[1].encode()), read, has)
    say('end')


if __name__ == '__main__':
    main(sys.argv[1:])
    sys.stdout.flush()
