"""What lines of a log tell of: known trouble, tracebacks, and when. For log_tail.py. Python 3.6 or later, standard library only."""
import calendar
import re
import time

HITS_MOST = 250  # of one word in one file
FOLLOWING = 60  # lines of faulthandler's or uWSGI's own stack after the first

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
