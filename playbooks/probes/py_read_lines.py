"""Line tables of code objects: which byte offsets of the code belong to which line, in the four ways there were."""
from py_read_memory import Torn


def line_decoder(version):
    """How this version writes its line table: a function of (table, first line) that yields (start, end, line)."""
    if version >= (3, 11):
        return location_lines
    if version == (3, 10):
        return linetable_lines
    return lnotab_lines if version >= (3, 6) else lnotab_lines_2


def lnotab_lines_2(table, line):
    """As lnotab_lines, with the unsigned line steps of 2.7."""
    return lnotab_lines(table, line, False)


def lnotab_lines(table, line, signed=True):
    """(start, end, line) of byte offsets from co_lnotab, to 3.9 (Objects/lnotab_notes.txt); signed from 3.6 on."""
    start = offset = 0
    data = bytearray(table)
    for at in range(0, len(data) - 1, 2):
        offset += data[at]
        change = data[at + 1]
        if signed and change >= 128:
            change -= 256
        if change and offset > start:
            yield start, offset, line
            start = offset
        line += change
    yield start, 1 << 40, line


def linetable_lines(table, line):
    """(start, end, line) of byte offsets from co_linetable of 3.10 (PEP 626, Objects/lnotab_notes.txt)."""
    start = 0
    shown = line
    data = bytearray(table)
    for at in range(0, len(data) - 1, 2):
        end = start + data[at]
        change = data[at + 1] - 256 if data[at + 1] >= 128 else data[at + 1]
        if change != -128:  # -128: no line; the line before goes on for people
            line += change
            shown = line
        if end > start:
            yield start, end, shown
        start = end


def location_lines(table, line):
    """(start, end, line) of byte offsets from the location table of 3.11 and later (Objects/locations.md)."""
    start = at = 0
    shown = line
    data = bytearray(table)
    while at < len(data):
        first = data[at]
        at += 1
        kind, end = first >> 3 & 15, start + ((first & 7) + 1) * 2
        if not first & 128:
            raise Torn('no location table')
        if kind in (13, 14):
            value = shift = 0
            while at < len(data):
                byte = data[at]
                at += 1
                value |= (byte & 63) << shift
                shift += 6
                if not byte & 64:
                    break
            line += -(value >> 1) if value & 1 else value >> 1
        elif 10 <= kind <= 12:
            line += kind - 10
        if kind != 15:
            shown = line
        while at < len(data) and not data[at] & 128:
            at += 1
        yield start, end, shown
        start = end
