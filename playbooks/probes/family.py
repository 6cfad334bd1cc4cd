"""Who is related to a process, and what the threads of each do, seen twice; for children.py. Python 3.6 or later."""
import os
import time

from proc_files import comm_of, fields, numbers, slurp

MOST_DESCENDANTS = 500
MOST_SIBLINGS = 100
MOST_THREADS = 32  # of one relative; of the target twice as many
MOST_THREADS_ALL = 1500
MOST_SECONDS = 1.0  # of processor time for each of the two looks
DESCRIBED = 60  # relatives whose threads and signals are told
EXIT_CODE = 49  # in fields(); proc_pid_stat(5), field 52


def numbers_in(folder):
    try:
        return sorted(int(name) for name in os.listdir(folder) if name.isdigit())
    except OSError:
        return []


def stat_of(pid):
    """(name, fields after it) of a process; None when it is gone."""
    stat = slurp('/proc/%d/stat' % pid)
    parts = fields(stat) if stat else []
    return (comm_of(stat), parts) if len(parts) > 20 else None


def is_zombie(parts):
    # One whose first thread alone has ended is a zombie to look at, but its other threads go on.
    return parts[0] == b'Z' and parts[17] in (b'0', b'1')


def children_of(pid):
    """Pids of the children; None when the kernel keeps no list (CONFIG_PROC_CHILDREN) or there are too many threads."""
    threads = numbers_in('/proc/%d/task' % pid)
    if len(threads) > 512 or not os.path.exists('/proc/self/task/%d/children' % os.getpid()):
        return None
    found = []
    for tid in threads:
        found.extend(int(word) for word in (slurp('/proc/%d/task/%d/children' % (pid, tid)) or b'').split())
    return sorted(found)


class Family:
    """Who is whose child: by the kernel's lists, else by one search through all processes."""

    def __init__(self):
        self.all = None

    def children(self, pid):
        listed = children_of(pid) if self.all is None else None
        if listed is not None and len(listed) < 400:
            return listed
        if self.all is None:
            self.all = {}
            for other in numbers_in('/proc'):
                seen = stat_of(other)
                if seen:
                    self.all.setdefault(int(seen[1][1]), []).append(other)
        return self.all.get(pid, [])


class Person:
    """One process: the target or a relative."""

    def __init__(self, pid, relation, depth):
        self.pid = pid
        self.relation = relation
        self.depth = depth
        self.first = None
        self.last = None
        self.comm = b''
        self.io = [None, None]
        self.threads = {}  # tid -> [look, look]


def io_of(pid):
    return numbers(slurp('/proc/%d/io' % pid)) or None


def thread_look(pid, tid):
    """(state, system call, kernel function, voluntary switches) of a thread now; None when it is gone."""
    base = '/proc/%d/task/%d/' % (pid, tid)
    stat = slurp(base + 'stat')
    if not stat:
        return None
    switches = numbers(slurp(base + 'status')).get('voluntary_ctxt_switches')
    call = (slurp(base + 'syscall') or b'?').split()
    wchan = (slurp(base + 'wchan') or b'?').strip()
    return fields(stat)[0], call, wchan, switches


class Look:
    def __init__(self, pid, window):
        self.pid = pid
        self.window = window
        self.people = {}
        self.gaps = []
        self.zombies = [{}, {}]  # pid -> (start time, name, exit code)
        self.tasks = [set(), set()]
        self.threads_left = MOST_THREADS_ALL

    def over(self, begun):
        return time.process_time() - begun > MOST_SECONDS

    def find(self, number):
        """Finds the relatives; `number` is 0 for the first look and 1 for the last."""
        begun, family = time.process_time(), Family()
        queue, more = [(self.pid, 0, 'target')], 0
        target = stat_of(self.pid)
        parent = int(target[1][1]) if target else 0
        if parent > 1:
            queue.append((parent, 0, 'parent'))
        known = 0
        while queue:
            pid, depth, relation = queue.pop(0)
            if pid == os.getpid():
                continue
            seen = stat_of(pid)
            if seen is None:
                continue
            comm, parts = seen
            if is_zombie(parts):
                if depth == 1 and relation == 'descendant':
                    code = parts[EXIT_CODE] if len(parts) > EXIT_CODE else b'?'
                    self.zombies[number][pid] = (parts[19], comm, code)
                    continue
            person = self.people.get(pid)
            if person is not None and person.first is not None and person.first[19] != parts[19]:
                person = None
            if person is None:
                person = self.people[pid] = Person(pid, relation, depth)
            person.comm = comm
            if number == 0:
                person.first = parts
            person.last = parts
            person.io[number] = io_of(pid)
            if self.over(begun):
                self.gaps.append('relatives beyond %d (the host has too many)' % len(self.people))
                break
            if relation in ('target', 'descendant'):
                for child in family.children(pid):
                    known += 1
                    if known <= MOST_DESCENDANTS:
                        queue.append((child, depth + 1, 'descendant'))
                    else:
                        # Beyond the limit only what is dead is counted.
                        more += 1
                        dead = stat_of(child) if pid == self.pid else None
                        if dead and is_zombie(dead[1]):
                            code = dead[1][EXIT_CODE] if len(dead[1]) > EXIT_CODE else b'?'
                            self.zombies[number][child] = (dead[1][19], dead[0], code)
            elif relation == 'parent':
                for child in [child for child in family.children(pid) if child != self.pid][:MOST_SIBLINGS]:
                    queue.append((child, 1, 'sibling'))
        if more and number == 1:
            self.gaps.append('%d descendants beyond the first %d' % (more, MOST_DESCENDANTS))
        self.tasks[number] = set(numbers_in('/proc/%d/task' % self.pid))

    def watch(self, number):
        """What the threads of the nearest relatives are in."""
        begun = time.process_time()
        for person in self.described():
            if self.over(begun):
                break
            tids = [tid for tid in person.threads] if number else numbers_in('/proc/%d/task' % person.pid)
            for tid in tids[:MOST_THREADS * (2 if person.relation == 'target' else 1)]:
                if number == 0:
                    if self.threads_left <= 0:
                        break
                    self.threads_left -= 1
                    person.threads[tid] = [None, None]
                person.threads[tid][number] = thread_look(person.pid, tid)

    def described(self):
        order = {'target': 0, 'parent': 1, 'descendant': 2, 'sibling': 3}
        return sorted(self.people.values(), key=lambda one: (order[one.relation], one.depth, one.pid))[:DESCRIBED]
