"""Lines of a process as what stands between it and a file wrote them down. Python 3.6 or later, standard library only.

json-file: docker's, {"log":"text\n","stream":"stdout","time":"..."} a line (daemon/logger/jsonfilelog of moby). cri: kubelet's
nodes, CRI-O and podman's k8s-file, `TIME stdout F text`, P where the line goes on (the CRI's logging design; ctr_logging.c of
conmon). local: docker's, protobuf messages between their lengths (daemon/logger/local of moby). A log that is none of these is
left as it is. What a line of a format cannot be is not guessed at: it is left out, and counted.
"""
import json
import re
import struct
import time
from bisect import bisect_right

from log_signs import time_of

MESSAGE_MOST = 1 << 20
FIRST_LINES = 3  # that must have a log's format
STAMP = rb'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))'
CRI = re.compile(STAMP + rb' (stdout|stderr) ([FP])(?::[^ ]{0,40})?(?: (.*))?$', re.S)
ISO = re.compile(STAMP.decode() + '$')
STREAMS = ('stdout', 'stderr')


class Record(object):
    """A line as the process wrote it: where it begins in the log, its time as text, the stream it was written to."""

    def __init__(self, start, stamp, stream, line):
        self.start, self.stamp, self.stream, self.line = start, stamp, stream, line


class Text(object):
    """Lines with what is known of each. `at` of a line: where it begins in `data`."""

    def __init__(self, data, offset, records=None):
        self.data, self.offset, self.records, self.starts = data, offset, records, []
        if records is not None:
            at = 0
            for record in records:
                self.starts.append(at)
                at += len(record.line) + 1
            self.data = b'\n'.join(record.line for record in records)

    def place(self, at):
        """(where it begins in the log, seconds since 1970 or None, stream or None)"""
        if self.records is None:
            return self.offset + at, None, None
        record = self.records[bisect_right(self.starts, at) - 1]
        return self.offset + record.start, time_of(record.stamp.encode()), record.stream


class Written(object):
    """The end of a log, read. `records` is None where it has no format of its own."""

    def __init__(self, offset, data, name=None, records=None, strange=0):
        self.offset, self.data, self.format, self.records, self.strange = offset, data, name, records, strange

    def texts(self):
        """One for each stream, for what stands on several lines of one has the other's lines between them."""
        if self.records is None:
            return [Text(self.data, self.offset)]
        return [Text(b'', self.offset, own) for own in
                ([record for record in self.records if record.stream == stream] for stream in STREAMS) if own]


def json_part(line):
    """(time, stream, text, whether the line ends) of a line of docker's json-file, or None."""
    if not line.startswith(b'{'):
        return None
    try:
        part = json.loads(line.decode('utf-8', 'surrogateescape'))
        text, stream, stamp = part.get('log'), part.get('stream'), part.get('time')
    except (ValueError, RecursionError):
        return None
    if not isinstance(text, str) or stream not in STREAMS or not isinstance(stamp, str) or not ISO.match(stamp):
        return None
    try:
        raw = text.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        # A half of a pair that JSON's own escapes may leave is no character.
        raw = text.encode('utf-8', 'replace')
    return stamp, stream, raw[:-1] if raw.endswith(b'\n') else raw, raw.endswith(b'\n')


def cri_part(line):
    """The same of a line of a Kubernetes node."""
    match = CRI.match(line)
    if match is None:
        return None
    stamp, stream, tag, text = match.groups()
    return stamp.decode(), stream.decode(), text or b'', tag == b'F'


def lines_of(data):
    """(where it begins, line)"""
    at = 0
    for line in data.split(b'\n'):
        if line:
            yield at, line
        at += len(line) + 1


def joined(parts):
    """Records of (start, time, stream, text, whether the line ends), the parts of one line as one."""
    records, begun = [], {}
    for start, stamp, stream, text, ends in parts:
        first = begun.setdefault(stream, (start, stamp, []))
        first[2].append(text)
        if ends:
            del begun[stream]
            records.append(Record(first[0], first[1], stream, b''.join(first[2]).replace(b'\n', b' ')))
    records.extend(Record(start, stamp, stream, b''.join(texts)) for stream, (start, stamp, texts) in begun.items())
    return sorted(records, key=lambda record: record.start)


def in_lines(offset, data):
    """What was written a line at a time: (offset, data) of whole lines."""
    first = [line for _, line in zip(range(FIRST_LINES), (line for _, line in lines_of(data[:1 << 18])))]
    for name, part_of in (('json-file', json_part), ('cri', cri_part)):
        if not first or not all(part_of(line) for line in first):
            continue
        found, strange = [], 0
        for at, line in lines_of(data):
            part = part_of(line)
            if part is None:
                strange += 1
            else:
                found.append((at,) + part)
        return Written(offset, data, name, joined(found), strange)
    return Written(offset, data)


def number_at(data, at):
    """(variable-length number of protobuf, what comes after it)"""
    value, shift = 0, 0
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError('number')


def fields_of(data):
    """{number of a field: its value} of a protobuf message. Raises ValueError or IndexError."""
    found, at = {}, 0
    while at < len(data):
        key, at = number_at(data, at)
        if key & 7 == 0:
            value, at = number_at(data, at)
        elif key & 7 == 2:
            size, at = number_at(data, at)
            value, at = data[at:at + size], at + size
            if at > len(data):
                raise ValueError('length')
        else:
            raise ValueError('kind')
        found[key >> 3] = value
    return found


def local_part(message):
    """The same of LogEntry in api/types/plugins/logdriver/entry.proto of moby; raises ValueError, IndexError."""
    entry = fields_of(message)
    stream, nanoseconds, text, partial = entry.get(1), entry.get(2), entry.get(3, b''), entry.get(5)
    if stream not in (b'stdout', b'stderr') or not isinstance(nanoseconds, int) or not isinstance(text, bytes):
        raise ValueError('entry')
    seconds, rest = divmod(nanoseconds, 10 ** 9)
    if seconds > 1 << 33:
        raise ValueError('time')
    stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds)) + '.%09dZ' % rest
    last = not entry.get(4) or isinstance(partial, bytes) and bool(fields_of(partial).get(1))
    return stamp, stream.decode(), text[:-1] if text.endswith(b'\n') else text, last


def in_messages(offset, data):
    """docker's local log: read from its end, where each message has its length too. None when it is none."""
    found, at = [], len(data)
    while at >= 8:
        size = struct.unpack('>I', data[at - 4:at])[0]
        start = at - 8 - size
        if size > MESSAGE_MOST or start < 0 or struct.unpack('>I', data[start:start + 4])[0] != size:
            break
        try:
            found.append((start,) + local_part(data[start + 4:at - 4]))
        except (ValueError, IndexError):
            break
        at = start
    if not found:
        return None
    found.reverse()
    return Written(offset + at, data[at:], 'local', joined((start - at,) + tuple(rest) for start, *rest in found))
