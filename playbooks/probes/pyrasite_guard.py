"""Whether code may be run inside of a process: watches it for a while and refuses all that could not be done safely."""
import os
import time

from py_read_memory import Torn
from py_read_watch import Watch

HERTZ = 20.0
LOOKS_LEAST = 8
BUSY = 0.9  # share of the looks from which on something counts as going on without pause
# Folders that exist everywhere and that a service may see as its host does.
FOLDERS = ('/tmp', '/dev/shm', '/run')


class Refused(Exception):
    """It may not be done. The message is a clause: why."""


def read(path):
    try:
        with open(path, 'rb') as file:
            return file.read(65536).decode('ascii', 'replace')
    except OSError:
        return ''


def status_of(folder):
    """The fields of a status file of proc(5), by name."""
    fields = [line.partition(':') for line in read(folder + '/status').splitlines()]
    return dict((name, value.strip()) for name, _, value in fields)


class Main(object):
    """What was seen of the main thread: `states`, `ticks` of CPU and `rests` (voluntary switches) of each look."""

    def __init__(self, pid):
        self.folder = '/proc/%d/task/%d' % (pid, pid)
        self.states, self.ticks, self.rests, self.turns = [], [], [], []

    def look(self):
        fields = read(self.folder + '/stat').rpartition(')')[2].split()
        status = status_of(self.folder)
        if len(fields) < 13 or 'voluntary_ctxt_switches' not in status:
            raise Refused('its main thread has ended, or cannot be seen')
        if status.get('TracerPid', '0') != '0':
            raise Refused('it is traced by process %s' % status['TracerPid'])
        self.states.append(fields[0])
        self.ticks.append(int(fields[11]) + int(fields[12]))
        self.rests.append(int(status['voluntary_ctxt_switches']))
        self.turns.append(int(status.get('nonvoluntary_ctxt_switches', 0)))

    def share(self, letters):
        return float(sum(state in letters for state in self.states)) / len(self.states)

    def ran(self):
        return any(values[-1] > values[0] for values in (self.ticks, self.rests, self.turns))


def check_surroundings(pid):
    """Raises Refused for a process that does not see what this one sees, or may be ended for any unusual call."""
    status = status_of('/proc/%d' % pid)
    try:
        if os.readlink('/proc/%d/ns/user' % pid) != os.readlink('/proc/self/ns/user'):
            raise Refused('it is in a user namespace of its own')
    except OSError:
        raise Refused('its namespaces cannot be seen')
    if status.get('Seccomp', '0') != '0':
        raise Refused('a seccomp filter may end it for a call that it does not usually make')
    if status.get('State', 'Z')[:1] in 'TtZXD':
        raise Refused('it is in state %s' % status.get('State', 'Z'))


def check_motion(watch, seconds):
    """Watches for `seconds`. Raises Refused unless the main thread both runs and rests, and its lock is free at times."""
    pid = watch.memory.pid
    main = Main(pid)
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(main.states) < LOOKS_LEAST:
        main.look()
        if not watch.look():
            raise Refused('it has ended, or runs another program now')
        time.sleep(1 / HERTZ)
    main.look()
    if main.share('Tt'):
        raise Refused('it is stopped')
    if main.share('D') >= 0.5:
        raise Refused('its main thread waits for a device (state D)')
    watched = '%.1f s' % (seconds,)
    if not main.ran():
        wait = ''.join(c for c in read(main.folder + '/wchan')[:60] if c.isalnum() or c == '_')
        kind = 'a lock' if 'futex' in wait else wait if wait not in ('', '0') else 'something'
        raise Refused('it is blocked or idle: its main thread, which alone could run the code, did not run once in %s and '
                      'waits for %s' % (watched, kind))
    if main.share('R') >= BUSY:
        raise Refused('it spins: its main thread ran in %s without pause' % watched)
    threads = list(watch.threads.values())
    held = sum(thread.gil for thread in threads)
    if not watch.samples or held >= BUSY * watch.samples:
        raise Refused('its interpreter lock was held without pause in %s: it spins, or native code keeps it' % watched)
    mains = [thread for thread in threads if thread.tid == pid and thread.had_frames()]
    if not mains:
        raise Refused('its main thread runs no Python')
    for thread in mains:
        if thread.seen is not None and thread.seen[0] is not None and thread.seen[0].signals:
            raise Refused('its main thread is in a signal handler')
    watch.finish()
    for thread in mains:
        if thread.waits is not None and thread.waits[2] is not None:
            raise Refused('its main thread waits for a lock that thread %s holds' % thread.waits[2])


def check(memory, runtime, seconds):
    """Raises Refused, with the reason, unless code may be run in the process. Nothing is attached for it."""
    check_surroundings(memory.pid)
    if runtime.notes:
        raise Refused('who holds its interpreter lock cannot be told')
    try:
        check_motion(Watch(memory, runtime), seconds)
    except Torn:
        raise Refused('its threads cannot be read')


class Meeting(object):
    """A folder that host and process see under the same name: the script in it, and the file that the process may write to.

    The process's user can write that file and can replace nothing; it is read through the descriptor that made it.
    """

    def __init__(self, pid, name):
        self.path = self._made(pid, name)
        self.script = self.path + '/p'
        self.result = self.path + '/r'
        status = status_of('/proc/%d' % pid)
        owner, group = (int(status[name].split()[1]) for name in ('Uid', 'Gid'))
        self._fd = os.open(self.result, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.fchmod(self._fd, 0o600)
        if (owner, group) != (os.geteuid(), os.getegid()):
            os.fchown(self._fd, owner, group)

    def _made(self, pid, name):
        for parent in FOLDERS:
            folder = '%s/%s' % (parent, name)
            try:
                os.mkdir(folder, 0o700)
            except OSError:
                continue
            if self._shared(pid, folder):
                return folder
            os.rmdir(folder)
        raise Refused('it sees other files than its host: it is in a container, or has folders of its own')

    def _shared(self, pid, folder):
        """Whether the process sees the same folder under the same name, and may enter it."""
        try:
            os.chmod(folder, 0o711)
            here, there = os.stat(folder), os.stat('/proc/%d/root%s' % (pid, folder))
        except OSError:
            return False
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def write(self, text):
        with open(self.script, 'w') as file:
            file.write(text)
        os.chmod(self.script, 0o444)

    def read(self, most):
        return os.pread(self._fd, most, 0)

    def close(self):
        for path in (self.script, self.result):
            try:
                os.unlink(path)
            except OSError:
                pass
        os.rmdir(self.path)
