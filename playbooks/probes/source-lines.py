"""Prints the lines of source around places where a process is, as far as its files can be read.

Runs under Python 3.6 and later, standard library only:

    python3 -I -S -B source-lines.py PID START-TIME LINE FILE [LINE FILE ...]

Of each place, counted from 1, it prints `file 1: PATH`, `file 1 newer than the process: PATH` or `file 1 unreadable:
PATH`, then `1:LINE  TEXT`, and `1:LINE> TEXT` for the line that was asked for.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from py_read_source import changed_after, read_lines

AROUND = 2


def start_of(pid, start_time):
    """When the process started, in seconds since 1970; None when it is another one by now."""
    with open('/proc/%d/stat' % pid, 'rb') as file:
        fields = file.read().rpartition(b')')[2].split()
    if fields[19].decode() != start_time:
        return None
    with open('/proc/stat', 'rb') as file:
        booted = next(int(line.split()[1]) for line in file if line.startswith(b'btime '))
    return booted + int(start_time) / os.sysconf('SC_CLK_TCK')


def plain(text):
    """Text without what could move a terminal's cursor or begin another line."""
    text = ''.join(char if char.isprintable() else ' ' for char in text.expandtabs(4).rstrip())
    return text if len(text) <= 200 else text[:199] + '\u2026'


def say(text):
    sys.stdout.buffer.write((text + '\n').encode('utf-8', 'replace'))


def show(pid, started, index, line, path):
    lines = read_lines(pid, path, source_only=True)
    if lines[-1:] == ['']:
        lines.pop()
    if not 0 < line <= len(lines):
        say('file %d unreadable: %s' % (index, plain(path)))
        return
    # The clock of file systems is coarse: two seconds are no difference.
    newer = changed_after(pid, path, started + 2)
    say('file %d%s: %s' % (index, ' newer than the process' if newer else '', plain(path)))
    for number in range(max(1, line - AROUND), min(len(lines), line + AROUND) + 1):
        say('%d:%d%s %s' % (index, number, '>' if number == line else ' ', plain(lines[number - 1])))


def main(pid, start_time, *places):
    try:
        started = start_of(int(pid), start_time)
    except (OSError, ValueError, IndexError):
        started = None
    if started is None:
        say('gone')
        return
    pairs = zip(places[0::2], places[1::2])
    for index, (line, path) in enumerate(pairs, 1):
        show(int(pid), started, index, int(line), path)


main(*sys.argv[1:])
