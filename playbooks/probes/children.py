"""The relatives of a process, what they wait for, and who has the other ends of their pipes; seen twice, a window apart.

Usage: children.py PID START_TIME SECONDS SYSCALLS_FILE. Python 3.6 or later, standard library only.
It reads /proc and opens nothing of the processes themselves: who opens /proc/PID/fd/N of a pipe holds that pipe open.
One fact per line; see children.parse.ts. Names that a process can choose go through shown().
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from epolls import epoll_lines
from family import DESCRIBED, Look, stat_of
from pipe_holders import holder_lines
from proc_files import TICKS, fields, numbers, point, print_utf8, quoted, shown, slurp
from syscall_table import load_table

MOST_FDS = 4096  # of one process
MOST_FDS_ALL = 20000
MOST_SOCKETS = 64  # of one process
MOST_ZOMBIES = 40  # that are described
MOST_AGES = 2000
START_CODE, START_STACK = 23, 25  # in fields(); proc_pid_stat(5), fields 26 and 28


def fds_of(person, left, gaps):
    """Lines about pipes, sockets and pidfds of a process."""
    folder = '/proc/%d/' % person.pid
    try:
        listed = sorted(int(name) for name in os.listdir(folder + 'fd'))
    except OSError:
        gaps.append('open files of process %d' % person.pid)
        return
    if len(listed) > min(MOST_FDS, left[0]):
        gaps.append('open files of process %d beyond the first %d' % (person.pid, min(MOST_FDS, left[0])))
    sockets = 0
    for number in listed[:max(0, min(MOST_FDS, left[0]))]:
        left[0] -= 1
        link = point(folder + 'fd/%d' % number) or b''
        if link.startswith(b'pipe:['):
            # The access mode in the flags is the end (open(2)): 0 reads, 1 writes, 2 both.
            flags = flags_of(folder + 'fdinfo/%d' % number)
            end = '?' if flags is None else ('read', 'write', 'both', '?')[flags & 3]
            yield 'process %d pipe %s: fd %d %s' % (person.pid, link[6:-1].decode('ascii', 'replace'), number, end)
        elif link.startswith(b'socket:[') and sockets < MOST_SOCKETS:
            sockets += 1
            yield 'process %d socket %s: fd %d' % (person.pid, link[8:-1].decode('ascii', 'replace'), number)
        elif link == b'anon_inode:[pidfd]':
            of = numbers(slurp(folder + 'fdinfo/%d' % number)).get('Pid')
            if of is not None:
                yield 'process %d pidfd %d: fd %d' % (person.pid, of, number)


def flags_of(path):
    for line in (slurp(path) or b'').split(b'\n'):
        if line.startswith(b'flags:'):
            try:
                return int(line[6:], 8)
            except ValueError:
                return None
    return None


def origin(person, people):
    """Whether the process still is the image that its parent forked: an exec puts its stack and code elsewhere."""
    parent = people.get(int(person.last[1]))
    own = person.last[START_CODE:START_STACK + 1:2]
    theirs = parent.last[START_CODE:START_STACK + 1:2] if parent else stat_addresses(int(person.last[1]))
    if not own or not theirs or own[-1] == b'0' or theirs[-1] == b'0':
        return '?'
    return 'forked' if own == theirs else 'executed'


def stat_addresses(pid):
    seen = stat_of(pid)
    return seen[1][START_CODE:START_STACK + 1:2] if seen else None


def person_lines(person, people, uptime):
    age = uptime - int(person.last[19]) / TICKS
    first = person.first[0] if person.first else b'-'
    command = (slurp('/proc/%d/cmdline' % person.pid) or b'')[:400].rstrip(b'\0').replace(b'\0', b' ')
    yield 'process %d: %s, parent %s, depth %d, state %s then %s, %.2f s old, %s threads, %s, %s, %s' % (
        person.pid, person.relation, person.last[1].decode(), person.depth, first.decode('ascii', 'replace'),
        person.last[0].decode('ascii', 'replace'), max(0.0, age), person.last[17].decode(),
        origin(person, people), quoted(person.comm),
        shown(command or b'[' + person.comm + b']'),
    )


def status_of(pid):
    said = {}
    for line in (slurp('/proc/%d/status' % pid) or b'').split(b'\n'):
        name, _, value = line.partition(b':')
        said[name.decode('ascii', 'replace')] = value.strip().decode('ascii', 'replace')
    return said


def detail_lines(person, table):
    """Signals, progress and threads of a process."""
    status = status_of(person.pid)
    masks = [status.get(name, '?') for name in ('SigCgt', 'SigIgn', 'SigBlk')]
    inside = (status.get('NSpid') or '?').split()[-1]
    yield 'process %d signals: caught %s, ignored %s, blocked %s, pid in its namespace %s' % tuple(
        [person.pid] + masks + [inside])
    before, after = person.io
    if before and after:
        change = [after.get(name, 0) - before.get(name, 0) for name in ('rchar', 'wchar', 'syscr', 'syscw')]
        yield 'process %d moved: read %d bytes, wrote %d bytes, %d reads, %d writes' % tuple([person.pid] + change)
    if person.first:
        ticks = sum(int(person.last[at]) - int(person.first[at]) for at in (11, 12))
        yield 'process %d used: %.2f s of CPU' % (person.pid, ticks / TICKS)
    for tid, (one, two) in sorted(person.threads.items()):
        if one and two:
            yield thread_line(person.pid, tid, one, two, table)


def thread_line(pid, tid, one, two, table):
    state, call, wchan, switches = two
    woke = '?' if switches is None or one[3] is None else str(max(0, switches - one[3]))
    number = call[0] if call else b'?'
    # `NUMBER six-arguments sp pc`, or `running`, or `-1 sp pc` outside of any call (proc_pid_syscall(5)).
    if number in (b'running', b'-1', b'?') or len(call) < 7:
        doing = 'no system call' if number in (b'running', b'-1') else 'an unreadable system call'
    else:
        name, has_fd = table.get(number, ('call_' + number.decode('ascii', 'replace'), False))
        doing = '%s(%s)' % (name, ', '.join(word.decode('ascii', 'replace') for word in call[1:7]))
        if has_fd:
            link = point('/proc/%d/fd/%d' % (pid, int(call[1], 16) & 0xffffffff)) or b'?'
            doing += ' on ' + shown(link).replace(' ', '\\x20')
    same = 'as before' if call == one[1] and number not in (b'running', b'?') else 'not before'
    return 'process %d thread %d: state %s, woke %s times, %s in %s, waits in %s' % (
        pid, tid, state.decode('ascii', 'replace'), woke, same, doing, shown(wchan))


def zombie_lines(look, uptime):
    first, last = look.zombies
    stayed = [pid for pid in last if pid in first and first[pid][0] == last[pid][0]]
    yield 'zombies: %d at first, %d at last, %d both times' % (len(first), len(last), len(stayed))
    for pid in sorted(last, key=lambda pid: (pid not in stayed, int(last[pid][0])))[:MOST_ZOMBIES]:
        start, comm, code = last[pid]
        ending = '?'
        if code.isdigit() and int(code):
            ending = 'signal %d' % (int(code) & 127) if int(code) & 127 else 'status %d' % (int(code) >> 8 & 255)
        elif code == b'0':
            ending = 'status 0'
        yield 'zombie %d: started %.2f s ago, ended with %s, %s, %s' % (
            pid, max(0.0, uptime - int(start) / TICKS), ending, 'both times' if pid in stayed else 'new', quoted(comm))


def task_lines(look, uptime):
    first, last = look.tasks
    ages = []
    # Evenly spread over all of them when they are very many.
    tids = sorted(last)[:: max(1, len(last) // MOST_AGES)]
    for tid in tids if len(last) > 8 else []:
        stat = slurp('/proc/%d/task/%d/stat' % (look.pid, tid))
        if stat:
            ages.append(max(0.0, uptime - int(fields(stat)[19]) / TICKS))
    ages.sort()
    deciles = [ages[min(len(ages) - 1, len(ages) * part // 10)] for part in range(11)] if ages else []
    yield 'threads: %d at first, %d at last, %d new, %d gone, ages%s' % (
        len(first), len(last), len(last - first), len(first - last), ''.join(' %.1f' % age for age in deciles))


def limit_lines(pid):
    soft = {}
    for line in (slurp('/proc/%d/limits' % pid) or b'').decode('ascii', 'replace').split('\n'):
        for name in ('Max processes', 'Max stack size'):
            if line.startswith(name):
                soft[name] = line[len(name):].split()[0]
    most = used = '?'
    for line in (slurp('/proc/%d/cgroup' % pid) or b'').decode('utf-8', 'surrogateescape').split('\n'):
        parts = line.split(':', 2)
        if len(parts) < 3 or not (parts[0] == '0' or 'pids' in parts[1].split(',')):
            continue
        base = '/sys/fs/cgroup' + ('/pids' if parts[1] else '') + parts[2]
        read = [(slurp(base + name) or b'?').strip().decode('ascii', 'replace') for name in ('/pids.max', '/pids.current')]
        if read[0] != '?':
            most, used = read
    yield 'limits: processes %s, tasks %s of %s in the control group, stack %s bytes' % (
        soft.get('Max processes', '?'), used, most, soft.get('Max stack size', '?'))


def report(look, table):
    with open('/proc/uptime') as file:
        uptime = float(file.read().split()[0])
    out = []
    people = [look.people[pid] for pid in look.people if look.people[pid].last]
    described = look.described()
    fd_budget = [MOST_FDS_ALL]
    begun = time.process_time()
    for person in sorted(people, key=lambda one: (described.index(one) if one in described else DESCRIBED, one.pid)):
        out.extend(person_lines(person, look.people, uptime))
        if person not in described:
            continue
        out.extend(detail_lines(person, table))
        if look.over(begun):
            look.gaps.append('open files of process %d (the time was over)' % person.pid)
            continue
        out.extend(fds_of(person, fd_budget, look.gaps))
        if person.pid == look.pid:
            out.extend(epoll_lines(person.pid))
    out.extend(zombie_lines(look, uptime))
    target = look.people.get(look.pid)
    if target is not None and target.last:
        stayed = set(look.zombies[0]) & set(look.zombies[1])
        out.extend(holder_lines(target, set(look.people), stayed, uptime, look.gaps))
    out.extend(task_lines(look, uptime))
    out.extend(limit_lines(look.pid))
    return out


def main():
    pid, start, window = int(sys.argv[1]), sys.argv[2].encode(), float(sys.argv[3])
    print('children 1')
    seen = stat_of(pid)
    if seen is None or seen[1][19] != start:
        print('gone: there is no process %d' % pid if seen is None else 'gone: process %d is another one by now' % pid)
        return
    table = load_table(sys.argv[4])
    look = Look(pid, window)
    begun = time.monotonic()
    look.find(0)
    look.watch(0)
    time.sleep(max(0.0, begun + window - time.monotonic()))
    seen = stat_of(pid)
    if seen is None or seen[1][19] != start:
        print('gone: process %d ended meanwhile' % pid)
        return
    look.find(1)
    look.watch(1)
    print('window: %.2f s' % (time.monotonic() - begun))
    for line in report(look, table):
        print(line)
    for gap in look.gaps:
        print('not readable: ' + gap)
    print('end')


if __name__ == '__main__':
    print_utf8()
    main()
    sys.stdout.flush()
