"""Says `standing PID` when a relative of the program waits where a symptom shows. For the programs of the incident tests."""
import os
import threading
import time

import standing


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except (IOError, OSError):
        return ''


def parents():
    """pid -> pid of its parent, for all processes."""
    found = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            stat = read('/proc/%s/stat' % name)
            if stat:
                found[int(name)] = int(stat[stat.rfind(')') + 2:].split()[1])
    return found


def descendants(pid):
    above = parents()
    found, fresh = set(), {pid}
    while fresh:
        fresh = {child for child, parent in above.items() if parent in fresh} - found
        found |= fresh
    return found


def waiting(pid, kernel_function):
    """Whether a thread of the process waits in a kernel function whose name has this in it (proc_pid_wchan(5))."""
    try:
        tids = os.listdir('/proc/%d/task' % pid)
    except OSError:
        return False
    return any(kernel_function in read('/proc/%d/task/%s/wchan' % (pid, tid)) for tid in tids)


def zombies(pid):
    return [child for child in descendants(pid) if ') Z ' in read('/proc/%d/stat' % child)]


def when(condition, for_seconds=0.3, say=standing.say_standing):
    """Says it once the condition has held for a while; the thread that watches has ended then."""
    def watch():
        since = None
        while True:
            now = time.time()
            if not condition():
                since = None
            elif since is None:
                since = now
            elif now - since >= for_seconds:
                say()
                return
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.daemon = True
    watcher.start()


def when_descendant_waits(kernel_function, for_seconds=0.3):
    pid = os.getpid()
    when(lambda: any(waiting(child, kernel_function) for child in descendants(pid)), for_seconds)
