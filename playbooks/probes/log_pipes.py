"""Where the output of a process goes on: who reads its pipes, and which of the logs that those write has it.

A pipe is followed to who has its other end (the same inode in /proc/PID/fd, pipe(7)): tee, a supervisor, conmon; a containerd
shim passes it on by a named pipe to containerd or dockerd. Who that is does not matter, only what it reads and has open for
writing. Of a process that reads for many, a log counts only where something binds it to this one. For log_places.py.
"""
import os
import re
import stat as modes
import time

from log_container import Container, earlier
from proc_files import point, slurp

DEEPEST = 4  # pipes one after the other
MOST_SECONDS = 2.0  # of processor time
MOST_FDS = 65536  # of one process
READERS_MOST = 12
ANCESTORS_MOST = 32
READ, WRITE, BOTH = 0, 1, 2


def parent_of(pid):
    stat = slurp('/proc/%d/stat' % pid, 4096) or b''
    fields = stat[stat.rfind(b')') + 2:].split()
    return int(fields[1]) if len(fields) > 1 else 0


def ancestors_of(pid):
    found, at = [], parent_of(pid)
    while at > 0 and at not in found and len(found) < ANCESTORS_MOST:
        found.append(at)
        at = parent_of(at)
    return found


def words_of(pid):
    return (slurp('/proc/%d/cmdline' % pid, 4096) or b'').rstrip(b'\0').split(b'\0')


def mode_of(pid, number):
    """Whether a descriptor is for reading, writing or both (open(2)); None when it cannot be told."""
    match = re.search(rb'^flags:\s*([0-7]+)', slurp('/proc/%d/fdinfo/%d' % (pid, number), 4096) or b'', re.M)
    return int(match.group(1), 8) & 3 if match else None


def descriptors(pid):
    """(number, where it leads as bytes); nothing where nobody may know."""
    folder = '/proc/%d/fd/' % pid
    try:
        names = os.listdir(folder)[:MOST_FDS]
    except OSError:
        return
    for name in names:
        link = point(folder + name)
        if link is not None:
            yield int(name), link


def identity(pid, number):
    """(device, inode) of a named pipe, or None."""
    try:
        status = os.stat('/proc/%d/fd/%d' % (pid, number))
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if modes.S_ISFIFO(status.st_mode) else None


def named(log, words, folder):
    """Whether a command line names a log: `tee FILE`, `rotatelogs FILE`, `conmon -l k8s-file:FILE`."""
    for word in words[1:]:
        for part in (word, word.partition(b'=')[2], word.partition(b':')[2]):
            if part and os.path.normpath(os.path.join(folder, part)) == log.path:
                return True
    return False


class Trail(object):
    """`follow` gives the logs; what it could not follow is in `notes`, and the outputs that it lost in `open_ends`."""

    def __init__(self, pid, group, outputs, opened_by):
        self.pid, self.opened_by, self.open_ends = pid, opened_by, set(outputs)
        self.notes, self.journal, self.logs, self.hidden = [], [], [], False
        self.ancestors = ancestors_of(pid)
        self.container = Container(group, pid, self.ancestors, words_of)
        self.seen, self.texts = {pid, os.getpid()}, set()
        # {where it leads: (device and inode of a named one, descriptors of the diagnosed process)}
        self.pipes = dict((link, self.first(number, link, outputs)) for number, link in outputs.items()
                          if link.startswith((b'pipe:[', b'/')) and not link.startswith(b'/dev/'))
        self.to_journal = any(link.startswith(b'socket:[') for link in outputs.values())

    def first(self, number, link, outputs):
        key = identity(self.pid, number) if link.startswith(b'/') else None
        return key, [each for each in outputs if outputs[each] == link]

    def follow(self):
        wanted = self.pipes
        for _ in range(DEEPEST):
            if not wanted:
                break
            wanted = self.readers_of(wanted)
        keeper = self.container.keeper
        if self.open_ends and keeper is not None and not any(self.container.has(log.path) for log in self.logs):
            numbers = sorted(self.open_ends)
            self.readers_of(self.reader(keeper, dict.fromkeys([b'keeper'], (None, numbers)), True))
        if self.open_ends and self.hidden and not self.notes:
            self.notes.append('who reads it is not known (permission)')
        if self.open_ends and not self.journal:
            if self.container.id is not None and len(self.container.id) == 64:
                self.journal = ['CONTAINER_ID_FULL=%s' % self.container.id]
            elif self.to_journal:
                self.journal = ['_PID=%d' % self.pid]
        return self.logs + [before for before in (earlier(log) for log in self.logs) if before is not None]

    def people(self):
        """Who may have the other end: first who began the process, then who was begun about when it was."""
        others = [int(name) for name in os.listdir('/proc') if name.isdigit()]
        others.sort(key=lambda each: abs(each - self.pid))
        known = set(self.ancestors)
        return self.ancestors + [each for each in others if each not in known]

    def readers_of(self, wanted):
        """Looks for who reads these pipes; answers with those that it is passed on by."""
        onward, left, begun = {}, set(wanted), time.process_time()
        self.texts.update(wanted)
        for pid in self.people() if left else ():
            if time.process_time() - begun > MOST_SECONDS or len(self.seen) > READERS_MOST:
                self.notes.append('who reads its output was not looked for among all processes, for there are many')
                break
            if pid in self.seen:
                continue
            read = dict((link, wanted[link]) for number, link in descriptors(pid)
                        if link in wanted and mode_of(pid, number) in (READ, BOTH)
                        and (wanted[link][0] is None or identity(pid, number) == wanted[link][0]))
            self.hidden = self.hidden or not os.access('/proc/%d/fd' % pid, os.R_OK) and os.path.exists('/proc/%d' % pid)
            if not read:
                continue
            self.seen.add(pid)
            before = len(self.logs)
            # A shim has passed it on: who reads that does so for all containers of the host.
            passed = self.reader(pid, read, self.container.outside(pid) and any(link.startswith(b'/') for link in read))
            onward.update(passed)
            if passed or len(self.logs) > before:
                left.difference_update(read)
                if not left:
                    break
        return onward

    def reader(self, pid, read, bound_only):
        """What comes of the pipes that a process reads: adds its logs, answers with the pipes that it passes them on by."""
        numbers = sorted(set(number for _, each in read.values() for number in each))
        words = words_of(pid)
        shown = b' '.join(words)[:100]
        logs = (self.opened_by(pid) or ([], {}))[0]
        chosen, alone = self.chosen(pid, logs, words, bound_only)
        for log in chosen:
            log.numbers, log.through = numbers, (pid, shown)
        self.logs.extend(chosen)
        if chosen:
            self.open_ends.difference_update(numbers)
            return {}
        ends, fifos = {}, {}
        for number, link in descriptors(pid):
            is_pipe = number in (1, 2) and link.startswith(b'pipe:[')
            key = identity(pid, number) if not is_pipe and self.container.names(link) else None
            if (is_pipe or key) and link not in self.texts and mode_of(pid, number) in (WRITE, BOTH):
                (ends if is_pipe else fifos)[link] = (key, numbers)
        # What passes it on by a container's own pipes writes other things to its own output.
        onward = fifos or ends
        if not onward and not bound_only:
            who = 'it is read by process %d (%s), which has ' % (pid, shown.decode('utf-8', 'replace'))
            if logs:
                self.notes.append(who + '%d logs open and reads for others too' % len(logs))
            else:
                self.notes.append(who + 'no log file open')
            if alone and not logs:
                # It may send what it reads to the journal, as logger(1) does, which keeps who sent it.
                self.journal += (['+'] if self.journal else []) + ['_PID=%d' % pid]
        return onward

    def chosen(self, pid, logs, words, bound_only):
        """(logs of a reader that have what this process writes, whether it reads for nobody else)."""
        bound = self.container.of(logs)
        by_name = bound or [log for log in logs if named(log, words, point('/proc/%d/cwd' % pid) or b'/')]
        if by_name or bound_only:
            return by_name, False
        ends = {}
        for number, link in descriptors(pid):
            if link.startswith(b'pipe:['):
                ends.setdefault(link, set()).add(mode_of(pid, number))
        alone = not any(link not in self.texts and not found & {WRITE, BOTH} for link, found in ends.items())
        if alone or len(logs) == 1:
            return logs, alone
        return self.by_environment(logs), False

    def by_environment(self, logs):
        """Logs that are named after what supervisord calls the process in its environment (supervisord's manual, Subprocess Environment)."""
        variables = dict(each.partition(b'=')[::2] for each in (slurp('/proc/%d/environ' % self.pid) or b'').split(b'\0'))
        for name in (variables.get(b'SUPERVISOR_PROCESS_NAME'), variables.get(b'SUPERVISOR_GROUP_NAME')):
            pattern = re.compile(rb'(?<![A-Za-z0-9])' + re.escape(name) + rb'(?![A-Za-z0-9])') if name else None
            found = [log for log in logs if pattern.search(os.path.basename(log.path))] if pattern else []
            if found:
                return found
        return []
