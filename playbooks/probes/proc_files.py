"""Reading /proc and showing what processes choose: what the scripts beside this one have in common.

It lies in one folder with them on the host; each says `sys.path.insert(0, <its own folder>)` first, because Python's option -I
leaves that out. Python 3.6 or later, standard library only.
"""
import os
import sys

TICKS = os.sysconf('SC_CLK_TCK')
PAGE_KIB = os.sysconf('SC_PAGE_SIZE') // 1024


def shown(raw):
    """Text of untrusted bytes on one line: control, invisible and invalid characters as \\n or \\xNN."""
    out = []
    for char in raw.decode('utf-8', 'surrogateescape'):
        if char == '\\':
            out.append('\\\\')
        elif char == '\n':
            out.append('\\n')
        elif char.isprintable():
            out.append(char)
        else:
            out.extend('\\x%02x' % byte for byte in char.encode('utf-8', 'surrogateescape'))
    return ''.join(out)


def quoted(raw, most=4096):
    """The first `most` bytes, shown, between quotes."""
    return '"' + shown(raw[:most]).replace('"', '\\"') + '"'


def slurp(path, most=1 << 20):
    """The first bytes of a file of /proc, which gives a page at a time; or None."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        parts = []
        while most > 0:
            part = os.read(fd, min(65536, most))
            if not part:
                break
            parts.append(part)
            most -= len(part)
        return b''.join(parts)
    except OSError:
        return None
    finally:
        os.close(fd)


def point(path):
    """Where a link points, as bytes, or None."""
    try:
        return os.readlink(os.fsencode(path))
    except OSError:
        return None


def fields(stat):
    """Fields of a stat file after the name, which may itself hold brackets: [0] is the state, [19] the start time."""
    return stat[stat.rfind(b')') + 2 :].split()


def comm_of(stat):
    return stat[stat.find(b'(') + 1 : stat.rfind(b')')]


def numbers(text):
    """Lines `name: 12` or `name 12` as a dictionary."""
    found = {}
    for line in (text or b'').split(b'\n'):
        parts = line.replace(b':', b' ').split()
        if len(parts) >= 2 and parts[1].isdigit():
            found[parts[0].decode('ascii', 'replace')] = int(parts[1])
    return found


def print_utf8():
    """Output is UTF-8 whatever the host's locale is, and no name can make print() fail."""
    if hasattr(sys.stdout, 'reconfigure'):
        sys.stdout.reconfigure(encoding='utf-8', errors='backslashreplace')
    else:
        sys.stdout = open(sys.stdout.fileno(), 'w', encoding='utf-8', errors='backslashreplace', closefd=False)
