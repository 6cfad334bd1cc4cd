"""The lines of a process's own logs that tell of known trouble: workers that died, fatal errors, limits that were met.

Usage: log_tail.py PID START-TIME JOURNAL [PATTERN]; JOURNAL is the path of journalctl or `-`. Logs are the regular files
that the process has open for writing, standard output and error among them, the newest ones and of each the end; and the
journal of its unit. Of anything else that stands in them nothing is printed. Text is quoted by quoted() of
py_read_report.py, one fact a line; log-tail.ts reads it back.
"""
import calendar
import os
import re
import stat as modes
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

FDS_MOST = 10000
FILES_MOST = 8
TAIL = 256 << 10
TAILS_MOST = 1 << 20
LINES_MOST = 120  # of one kind and file
TEXT_MOST = 400
HITS_MOST = 250  # of one word in one file
FOLLOWING = 60  # lines of faulthandler's or uWSGI's own stack after the first
JOURNAL_SECONDS = 3
# A file there may keep whoever asks for it waiting for a server.
REMOTE = (b'nfs', b'nfs4', b'cifs', b'smb3', b'ceph', b'9p', b'afs', b'lustre', b'glusterfs', b'fuse')

SIGNAL = rb'(?:signal:? ?\(?-?\d{1,2}\b|SIG[A-Z]{2,5}\b|status=\d+/[A-Z]{2,5}\b)'
# Kind of line, words of which one must stand in it, and what it must match. The first that matches counts.
SIGNATURES = (
    ('refcount', (b'already tracked', b'ref count', b'refcount', b'deallocating', b'_PyObject_Assert', b'gc_get_refs'),
     re.compile(rb'already tracked|negative ref ?count|refcount is too small|\brefcounts?\b.*(?:fail|negative|invalid|wrong|error|corrupt)'
                rb'|deallocating (?:None|True|False)|_PyObject_AssertFailed|gc_get_refs|Assertion.*ref ?count', re.I)),
    ('fatal-python', (b'Fatal Python error',), re.compile(rb'Fatal Python error')),
    ('heap', (b'double free', b'free(): ', b'corrupted ', b'munmap_chunk', b'malloc(): ', b'realloc(): ', b'stack smashing',
              b'Debug memory block', b'terminate called'),
     re.compile(rb'double free or corruption|free\(\): |corrupted (?:size|double-linked|unsorted)|munmap_chunk\(\)|malloc\(\): '
                rb'|realloc\(\): |stack smashing detected|Debug memory block at|terminate called')),
    ('worker-timeout', (b'WORKER TIMEOUT', b'HARAKIRI', b'imeout'),
     re.compile(rb'WORKER TIMEOUT|HARAKIRI|[Hh]ard time limit')),
    ('worker-died', (b'signal', b'Signal', b'SIG', b'status=', b'exitcode', b'exit code', b'return', b'exited', b'status '),
     re.compile(rb'(?:died|killed|terminat|exit|crash|was sent|lost|dumped|dead|ended|gone|failed|returncode).{0,120}?' + SIGNAL +
                rb'|' + SIGNAL + rb'.{0,80}?(?:died|killed|terminat|exit|crash|dead|ended)'
                rb'|(?:worker|child|process|pid)\b.{0,80}?\bstatus\W{0,3}(?:-(?:4|6|7|8|11)|13[24569])\b'
                rb'|(?:exit ?code|return ?code|exit status|exited with(?: code)?)\W{0,3}(?:-(?:4|6|7|8|9|11)\b|13[245689]\b)', re.I)),
    ('segfault', (b'egmentation ', b'core dumped', b'Bus error', b'llegal instruction'),
     re.compile(rb'[Ss]egmentation [Ff]ault|core dumped|Bus error|Illegal instruction')),
    ('memory', (b'MemoryError', b'annot allocate memory', b'ut of memory', b'oom'),
     re.compile(rb'MemoryError|[Cc]annot allocate memory|[Oo]ut of memory|\boom[-_ ]?kill', re.I)),
    ('files', (b'Too many open files',), re.compile(rb'Too many open files')),
    ('disk', (b'No space left', b'uota exceeded'), re.compile(rb'No space left on device|[Qq]uota exceeded')),
    ('database', (b'database is locked', b'eadlock', b'ock wait timeout'),
     re.compile(rb'database is locked|[Dd]eadlock (?:detected|found)|[Ll]ock wait timeout')),
    ('threads', (b"can't start new thread", b'temporarily unavailable'),
     re.compile(rb"can't start new thread|Resource temporarily unavailable")),
)
FOLLOWS = re.compile(rb'^(?:Current thread |Thread )0x|^  File ".*", line \d+ in |^  <no Python frame>|^Extension modules: '
                     rb'|^Python runtime state: |^object (?:address|refcount|type|type name|repr) *: '
                     rb'|^\*\*\* backtrace|^\S+\([^)]{0,200}\) ?\[0x[0-9a-f]+\]')
# What servers write when they start: undated lines above it are of an earlier run.
STARTS = (b'*** Starting uWSGI', b'Starting gunicorn', b'supervisord started', b'Uvicorn running on', b'Started server process')
MONTHS = b'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()
ISO = re.compile(rb'(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?(?: ?(Z|[+-]\d\d:?\d\d))?')
CTIME = re.compile(rb'([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)(?: (\d{4}))?')
UNIX = re.compile(rb'^(\d{10})\.\d{3,6} ')


def slurp(path, limit=1 << 16):
    """The first bytes of a file of /proc, empty when it cannot be read."""
    try:
        with open(path, 'rb') as file:
            return file.read(limit)
    except OSError:
        return b''


def time_of(line):
    """Seconds since 1970 that a log line says in its first words, in the host's time zone unless it names one; or None."""
    head = line[:100]
    try:
        match = UNIX.match(head)
        if match:
            return int(match.group(1))
        match = ISO.search(head)
        if match:
            parts = tuple(int(part) for part in match.groups()[:6])
            zone = match.group(7)
            if zone is None:
                return int(time.mktime(parts + (0, 0, -1)))
            shift = 0
            if zone != b'Z':
                shift = (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60) * (-1 if zone.startswith(b'-') else 1)
            return calendar.timegm(parts) - shift
        match = CTIME.search(head)
        if match and match.group(1) in MONTHS:
            now = time.localtime()
            month, year = MONTHS.index(match.group(1)) + 1, int(match.group(6) or now.tm_year)
            if not match.group(6) and month > now.tm_mon:
                year -= 1
            parts = (year, month) + tuple(int(part) for part in match.groups()[1:5])
            return int(time.mktime(parts + (0, 0, -1)))
    except (ValueError, OverflowError):
        pass
    return None


def remote_mounts(pid):
    """Ids of the mounts whose files may keep a reader waiting."""
    found = set()
    for line in slurp('/proc/%d/mountinfo' % pid, 1 << 20).split(b'\n'):
        before, _, after = line.partition(b' - ')
        if before and after.split() and after.split()[0].split(b'.')[0] in REMOTE:
            found.add(before.split()[0])
    return found


def logs_of(pid):
    """(path, status, numbers, link) of the files open for writing, newest first; second: whether an output is no file."""
    try:
        numbers = sorted(int(name) for name in os.listdir('/proc/%d/fd' % pid))[:FDS_MOST]
    except OSError:
        return None, False
    remote, found, elsewhere = remote_mounts(pid), {}, False
    for number in numbers:
        link = '/proc/%d/fd/%d' % (pid, number)
        try:
            path = os.readlink(os.fsencode(link))
            if not path.startswith(b'/'):
                elsewhere = elsewhere or number in (1, 2)
                continue
            info = slurp('/proc/%d/fdinfo/%d' % (pid, number), 4096)
            flags = re.search(rb'^flags:\s*([0-7]+)', info, re.M)
            mount = re.search(rb'^mnt_id:\s*(\d+)', info, re.M)
            if not flags or not int(flags.group(1), 8) & 3 or mount and mount.group(1) in remote:
                continue
            status = os.stat(link)
        except (OSError, ValueError):
            continue
        if not modes.S_ISREG(status.st_mode) or status.st_size == 0 or path.startswith((b'/memfd:', b'/dev/', b'/proc/')):
            continue
        key = (status.st_dev, status.st_ino)
        if key in found:
            found[key][2].append(number)
        else:
            found[key] = (path, status, [number], link)
    return sorted(found.values(), key=lambda each: -each[1].st_mtime), elsewhere


def tail_of(link, size, most=TAIL):
    """(offset, bytes) of the end of a file, from the beginning of a line; never waits, writes or follows another file."""
    fd = os.open(link, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not modes.S_ISREG(os.fstat(fd).st_mode):
            return 0, b''
        offset = max(0, size - most)
        data = os.pread(fd, most, offset)
    finally:
        os.close(fd)
    if offset:
        cut = data.find(b'\n') + 1
        offset, data = offset + cut, data[cut:]
    return offset, data


def line_at(data, at):
    """(start, end) of the line that holds an offset."""
    start = data.rfind(b'\n', 0, at) + 1
    end = data.find(b'\n', at)
    return start, len(data) if end < 0 else end


def starts_with(data, word):
    """Where the lines begin that hold a word, the last ones first."""
    at, hits = len(data), 0
    while hits < HITS_MOST:
        at = data.rfind(word, 0, at)
        if at < 0:
            return
        start, _ = line_at(data, at)
        hits += 1
        yield start
        at = start


def matches(data, asked):
    """(start, kind, line) of the lines that tell of something, in order."""
    found = {}
    for kind, words, pattern in SIGNATURES:
        lines = set(start for word in words for start in starts_with(data, word))
        for start in sorted(lines, reverse=True)[:HITS_MOST]:
            if start in found:
                continue
            line = data[start:line_at(data, start)[1]][:4096]
            if b'\0' not in line and pattern.search(line) and not FOLLOWS.match(line):
                found[start] = (kind, line)
                if kind in ('fatal-python', 'refcount', 'segfault'):
                    for after, text in following(data, start):
                        found.setdefault(after, ('detail', text))
    if asked is not None:
        at = 0
        for line in data.split(b'\n'):
            if at not in found and b'\0' not in line and asked.search(line[:4096]):
                found[at] = ('asked', line[:4096])
            at += len(line) + 1
    return [(start,) + found[start] for start in sorted(found)]


def following(data, start):
    """What faulthandler and the interpreter print below a fatal error: (start, line)."""
    at = line_at(data, start)[1] + 1
    for _ in range(FOLLOWING):
        if at >= len(data):
            return
        end = line_at(data, at)[1]
        line = data[at:end][:1024]
        if FOLLOWS.match(line):
            yield at, line
        elif line.strip() and not SIGNATURES[0][2].search(line):
            return
        at = end + 1


def tracebacks(data):
    """{type of exception: (times, where the last one's line begins)} of the tracebacks in a text."""
    found, at, hits = {}, len(data), 0
    while hits < 500:
        at = data.rfind(b'Traceback (most recent call last)', 0, at)
        if at < 0:
            break
        hits += 1
        place = line_at(data, at)[1] + 1
        for _ in range(200):
            end = line_at(data, place)[1]
            line = data[place:end]
            if place >= len(data) or not line.startswith((b' ', b'\t')):
                break
            place = end + 1
        match = re.match(rb'([A-Za-z_][\w.]{0,100})(?::|$)', line) if place < len(data) else None
        if match:
            times, last = found.get(match.group(1), (0, place))
            found[match.group(1)] = (times + 1, last)
    return found


def journal_of(pid, tool):
    """The last lines of the journal of the process's unit, empty where it has none."""
    group = slurp('/proc/%d/cgroup' % pid).decode('utf-8', 'replace')
    unit = re.search(r'/([^/\n]+\.service)(?:/|$)', group, re.M)
    if tool == '-' or unit is None or unit.group(1).startswith(('user@', '-')):
        return None, b''
    command = [tool, '-q', '--no-pager', '-o', 'short-unix', '-n', '2000', '-u', unit.group(1)]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        return unit.group(1), child.communicate(timeout=JOURNAL_SECONDS)[0][-TAIL:]
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return unit.group(1), b''


def said(number, offset, data, asked, quoted):
    """The lines about one log."""
    shown = {}
    picked = []
    begun = max(data.rfind(word) for word in STARTS)
    for start, kind, line in reversed(matches(data, asked)):
        shown[kind] = shown.get(kind, 0) + 1
        if shown[kind] <= LINES_MOST:
            picked.append((start, kind, line))
    for start, kind, line in reversed(picked):
        moment = time_of(line)
        yield 'line %s @ %d %s time %s: %s' % (
            number, offset + start, kind, moment if moment is not None else 'before' if start < begun else '?', quoted(line.rstrip(b'\r')[:TEXT_MOST]))
    for kind in sorted(shown):
        if shown[kind] > LINES_MOST:
            yield 'not shown: %d earlier lines of kind %s in file %s' % (shown[kind] - LINES_MOST, kind, number)
    for name, (times, last) in sorted(tracebacks(data).items(), key=lambda each: -each[1][0])[:20]:
        yield 'traceback %s @ %d %d times: %s' % (number, offset + last, times, quoted(name))


def main():
    from py_read_report import quoted as as_quoted

    def quoted(raw):
        return as_quoted(raw.decode('utf-8', 'surrogateescape'))
    pid, start, tool = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]
    yield 'log-tail 1'
    stat = slurp('/proc/%d/stat' % pid)
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
    logs, elsewhere = logs_of(pid)
    if logs is None:
        yield 'not readable: open files of process %d (permission)' % pid
        return
    left = TAILS_MOST
    for number, (path, status, numbers, link) in enumerate(logs[:FILES_MOST], 1):
        if left <= 0:
            yield 'not read: %s' % quoted(path)
            continue
        try:
            offset, data = tail_of(link, status.st_size)
        except OSError as why:
            yield 'not read: %s (%s)' % (quoted(path), os.strerror(why.errno))
            continue
        left -= len(data)
        yield 'file %d: %s, %d bytes, read from %d, written %.3f, fds %s' % (
            number, quoted(path), status.st_size, offset, status.st_mtime, ' '.join('%d' % each for each in numbers[:16]))
        for line in said('%d' % number, offset, data, asked, quoted):
            yield line
    if len(logs) > FILES_MOST:
        yield 'not read: %d files that were written to longer ago' % (len(logs) - FILES_MOST)
    if elsewhere:
        yield 'elsewhere: standard output or error is no file'
    unit, data = journal_of(pid, tool)
    if unit is not None:
        yield 'journal: unit %s, %d bytes' % (quoted(unit.encode()), len(data))
        for line in said('journal', 0, data, asked, quoted):
            yield line
    yield 'end'


if __name__ == '__main__':
    for text in main():
        sys.stdout.buffer.write(text.encode('utf-8', 'backslashreplace') + b'\n')
    sys.stdout.flush()
