"""Prints how the resident memory of a process divides, at the beginning and at the end of a window, and the pressure.

    python3 -I -S -B memory.py PID START-TIME SECONDS

START-TIME is field 22 of /proc/PID/stat. Runs under Python 3.6 and later, standard library only. memory.sh prints the
same lines, fewer of them, where there is no Python. Reading smaps walks the page tables under mmap_lock, which makes a
mmap, a brk or the end of a thread wait for as long; so it is read only of a process of ordinary size, and
of a huge one only its sums (smaps_rollup), once. Formats: proc_pid_smaps(5), proc_pid_status(5), proc_vmstat(5),
kernel Documentation/accounting/psi.rst.
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proc_files import slurp

HUGE_KIB = 16 << 20  # resident KiB from which on mappings are not read
MAPPINGS_MOST = 6000  # beyond it (thousands of threads) reading them takes longer than it is worth
SMAPS_SECONDS = 0.5  # for one reading of the mappings
ARENA = 64 << 20  # HEAP_MAX_SIZE of a 64-bit glibc, malloc/arena.c
GUARD_MOST = 1 << 20
BSS_MOST = 4 << 20
LARGEST = 12
CURVE_POINTS = 8
HEAD = re.compile(rb'^([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ (\S+) (\d+) *(.*)$')
KINDS = ('heap', 'arena', 'anonymous', 'stack', 'file', 'shared', 'other')
FIELDS = {b'Size:': 0, b'Rss:': 1, b'Swap:': 2, b'LazyFree:': 3, b'AnonHugePages:': 4, b'Anonymous:': 5,
          b'Private_Dirty:': 6}


class Gone(Exception):
    """The process has ended, or is another one by now."""


def stat_fields(pid, started):
    data = slurp('/proc/%d/stat' % pid)
    fields = data.rpartition(b')')[2].split() if data else []
    if len(fields) < 20 or fields[19].decode('ascii', 'replace') != started or fields[0] in (b'Z', b'X'):
        raise Gone()
    return fields


def status_numbers(pid):
    data = slurp('/proc/%d/status' % pid) or b''
    return {name.decode(): int(value) for name, value in re.findall(rb'^(\w+):\s+(\d+)(?: kB)?$', data, re.M)}


class Mapping(object):
    """One mapping of smaps: bounds, flags, name, and its sums in KiB."""

    __slots__ = ('start', 'end', 'flags', 'anonymous', 'name', 'sums')

    def __init__(self, match):
        self.start, self.end = int(match.group(1), 16), int(match.group(2), 16)
        self.flags = match.group(3)
        self.name = match.group(6)
        self.anonymous = match.group(5) == b'0' and not self.name.startswith(b'/')
        self.sums = [0] * len(FIELDS)


def mappings(pid):
    """The mappings with their sums, and a sentence about what is missing, or None."""
    found, rest, missing = [], b'', None
    deadline = time.monotonic() + SMAPS_SECONDS
    count = (slurp('/proc/%d/maps' % pid, 32 << 20) or b'').count(b'\n')
    if count > MAPPINGS_MOST:
        return [], '%d mappings are too many to be read' % count
    try:
        with open('/proc/%d/smaps' % pid, 'rb', 0) as smaps:
            while True:
                piece = smaps.read(1 << 18)
                lines = (rest + piece).split(b'\n')
                rest = lines.pop()
                for line in lines:
                    index = FIELDS.get(line[:line.find(b':') + 1])
                    if index is not None and found:
                        found[-1].sums[index] = int(line.split()[1])
                    elif line[:1] in b'0123456789abcdef':
                        match = HEAD.match(line)
                        if match:
                            found.append(Mapping(match))
                if not piece:
                    break
                if len(found) > MAPPINGS_MOST or time.monotonic() > deadline:
                    found.pop()
                    missing = 'only the first %d mappings were read' % len(found)
                    break
    except PermissionError:
        return [], 'the mappings may be read only by root and by its own user'
    except (OSError, ValueError, IndexError):
        if not found:
            return [], 'the mappings could not be read'
        missing = 'only the first %d mappings could be read' % len(found)
    return found, missing


def stack_most(pid):
    """Bytes that a thread's stack has at most by default: the soft limit of the main one (pthread_create(3))."""
    found = re.search(rb'^Max stack size +(\d+) ', slurp('/proc/%d/limits' % pid) or b'', re.M)
    return min(int(found.group(1)) + (64 << 10), ARENA) if found else ARENA


def kind_of(all_mappings, index, stack):
    """What a mapping is: by its name, and for anonymous ones by where it lies and what lies beside it."""
    one = all_mappings[index]
    if one.name == b'[heap]':
        return 'heap'
    if one.name.startswith(b'[stack'):
        return 'stack'
    if one.flags[3:] == b's' or one.name.startswith((b'/dev/shm/', b'/SYSV', b'/memfd:', b'/dev/zero')):
        return 'shared'
    if not one.anonymous:
        return 'file'
    if one.name.startswith(b'[') and not one.name.startswith(b'[anon'):
        return 'other'
    before = all_mappings[index - 1] if index else None
    after = all_mappings[index + 1] if index + 1 < len(all_mappings) else None
    if before is not None and before.end == one.start and not before.anonymous and before.flags.startswith(b'rw-p') \
            and one.end - one.start < BSS_MOST:
        return 'file'  # the end of a file's .bss
    # The heap of a malloc arena: reserved at a multiple of 64 MiB, used from its beginning, the rest not accessible.
    if one.start % ARENA == 0 and one.end % ARENA and after is not None and after.start == one.end \
            and after.flags.startswith(b'---') and after.anonymous and after.end >= -(-one.end // ARENA) * ARENA:
        return 'arena'
    # The stack of a thread: behind its guard (pthread_attr_setguardsize(3)). A larger one is something else, which the
    # kernel has merged with the stack that it happens to follow.
    if before is not None and before.end == one.start and before.flags.startswith(b'---') and before.anonymous \
            and before.end - before.start <= GUARD_MOST and one.end - one.start <= stack:
        return 'stack'
    return 'anonymous'


def kib_line(kind, many, sums):
    return '%s: %d, size %d, resident %d, swapped %d, lazily freed %d, huge pages %d, anonymous %d, written %d' % (
        (kind, many) + tuple(sums))


def division(pid, say):
    found, missing = mappings(pid)
    totals = {kind: [0, [0] * len(FIELDS)] for kind in KINDS}
    large = []
    stack = stack_most(pid)
    for index, one in enumerate(found):
        if not one.sums[1] and not one.sums[2]:
            continue
        kind = kind_of(found, index, stack)
        total = totals[kind]
        total[0] += 1
        total[1] = [a + b for a, b in zip(total[1], one.sums)]
        if kind in ('heap', 'arena', 'anonymous'):
            large.append((one.sums[1] + one.sums[2], kind, one))
    if missing:
        say('missing: ' + missing)
    elif found:
        say('mappings: %d' % len(found))
        for kind in KINDS:
            say(kib_line(kind, totals[kind][0], totals[kind][1]))
    large.sort(key=lambda each: -each[0])
    for _, kind, one in large[:LARGEST]:
        say('large %s: %x-%x, size %d, resident %d, swapped %d'
            % (kind, one.start, one.end, one.sums[0], one.sums[1], one.sums[2]))


def rollup(pid, say):
    data = slurp('/proc/%d/smaps_rollup' % pid) or b''
    sums = {name: int(value) for name, value in re.findall(rb'^(\w+):\s+(\d+) kB$', data, re.M)}
    if b'Rss' in sums:
        say('rollup: resident %d, proportional %d, written %d, anonymous %d, lazily freed %d, huge pages %d, swapped %d'
            % tuple(sums.get(name, 0) for name in (b'Rss', b'Pss', b'Private_Dirty', b'Anonymous', b'LazyFree',
                                                   b'AnonHugePages', b'Swap')))


def memory_group(pid):
    """Folder of the process's memory control group, or None (cgroups(7))."""
    lines = (slurp('/proc/%d/cgroup' % pid) or b'').decode('utf-8', 'surrogateescape').split('\n')
    paths = {}
    for line in lines:
        number, _, rest = line.partition(':')
        names, _, path = rest.partition(':')
        for name in names.split(','):
            paths['memory' if name == 'memory' else 'unified' if number == '0' else ''] = path
    for kind, roots in (('memory', ('/sys/fs/cgroup/memory',)), ('unified', ('/sys/fs/cgroup', '/sys/fs/cgroup/unified'))):
        for root in roots:
            folder = root + paths.get(kind, '\0')
            if '\0' not in folder and any(os.path.exists(folder + name)
                                          for name in ('/memory.current', '/memory.usage_in_bytes')):
                return folder
    return None


def number_in(path):
    data = (slurp(path, 64) or b'').strip()
    return int(data) if data.isdigit() and int(data) < 1 << 62 else None


def surroundings(pid, group, say):
    vmstat = {name: int(value) for name, value in re.findall(rb'^(\w+) (\d+)$', slurp('/proc/vmstat') or b'', re.M)}
    if b'pgmajfault' in vmstat:
        # What zswap kept in memory, and pages of zeros, come back without a disk and count apart.
        say('host: pages swapped in %d, out %d, major faults %d' % (
            sum(vmstat.get(name, 0) for name in (b'pswpin', b'zswpin', b'swpin_zero')),
            sum(vmstat.get(name, 0) for name in (b'pswpout', b'zswpout', b'swpout_zero')), vmstat[b'pgmajfault']))
    info = dict(re.findall(rb'^(SwapTotal|SwapFree|MemTotal|MemAvailable):\s+(\d+) kB$', slurp('/proc/meminfo') or b'', re.M))
    if info:
        say('host memory: total %s, available %s, swap %s, swap free %s' % tuple(
            info.get(name, b'?').decode() for name in (b'MemTotal', b'MemAvailable', b'SwapTotal', b'SwapFree')))
    for label, path in (('pressure', '/proc/pressure/memory'), ('pressure group', group and group + '/memory.pressure')):
        data = slurp(path) if path else None
        found = dict(re.findall(rb'^(some|full) .*\btotal=(\d+)$', data or b'', re.M))
        if found:
            say('%s: some %s us, full %s us' % (label, found.get(b'some', b'?').decode(), found.get(b'full', b'?').decode()))
    if group:
        used = [number_in(group + name) for name in ('/memory.current', '/memory.usage_in_bytes')]
        most = [number_in(group + name) for name in ('/memory.max', '/memory.limit_in_bytes')]
        swap = number_in(group + '/memory.swap.current')
        known = lambda values: next((str(value) for value in values if value is not None), '?')
        say('group: used %s bytes, limit %s bytes, swap %s bytes' % (known(used), known(most), known([swap])))


def reading(pid, started, group, mode, label):
    out = []
    say = lambda text: out.append('%s %s' % (label, text))
    fields = stat_fields(pid, started)
    numbers = status_numbers(pid)
    known = lambda name: numbers.get(name, '?')
    say('counters: resident %s, anonymous %s, file %s, shared %s, swapped %s, peak %s, page tables %s' % tuple(
        known(name) for name in ('VmRSS', 'RssAnon', 'RssFile', 'RssShmem', 'VmSwap', 'VmHWM', 'VmPTE')))
    say('faults: minor %d, major %d' % (int(fields[7]), int(fields[9])))
    surroundings(pid, group, say)
    if mode == 'mappings':
        division(pid, say)
    if label == 'end':
        rollup(pid, say)
    return out


def main(arguments):
    pid, started, seconds = int(arguments[0]), arguments[1], float(arguments[2])
    out = ['memory 1']
    begun = time.monotonic()
    try:
        stat_fields(pid, started)
        resident = status_numbers(pid).get('VmRSS')
        if resident is None:
            raise Gone()
        mode = 'mappings' if resident < HUGE_KIB else 'sums'
        out.append('read: %s' % mode)
        group = memory_group(pid)
        out += reading(pid, started, group, mode, 'begin')
        first = time.monotonic()
        for point in range(1, CURVE_POINTS):
            time.sleep(max(0, begun + seconds * point / CURVE_POINTS - time.monotonic()))
            numbers = status_numbers(pid)
            out.append('at %.2f s: resident %s, anonymous %s, shared %s, swapped %s, major faults %d' % (
                time.monotonic() - first, numbers.get('VmRSS', '?'), numbers.get('RssAnon', '?'),
                numbers.get('RssShmem', '?'), numbers.get('VmSwap', '?'), int(stat_fields(pid, started)[9])))
        time.sleep(max(0, begun + seconds - time.monotonic()))
        last = time.monotonic()
        out += reading(pid, started, group, mode, 'end')
        out.append('done: %.3f s between the readings' % (last - first))
    except Gone:
        out.append('gone: process %d has ended, is being ended, or is another one' % pid)
    sys.stdout.buffer.write(('\n'.join(out) + '\n').encode('utf-8', 'backslashreplace'))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
