"""Says on standard output when a symptom stands: `standing PID`. For the programs of the incident tests."""
from __future__ import print_function

import os
import sys
import threading
import time


def say_standing():
    print('standing %d' % os.getpid())
    sys.stdout.flush()


def inside(thread_id, function):
    frame = sys._current_frames().get(thread_id)
    while frame is not None:
        if frame.f_code.co_name == function:
            return True
        frame = frame.f_back
    return False


def when_inside(function, thread_id=None, for_seconds=0.3):
    """Says it once the thread (default: the one that calls this) has been inside `function` for a while without a break."""
    watched = threading.current_thread().ident if thread_id is None else thread_id

    def watch():
        since = None
        while True:
            now = time.time()
            if not inside(watched, function):
                since = None
            elif since is None:
                since = now
            elif now - since >= for_seconds:
                say_standing()
                return
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.daemon = True
    watcher.start()


def resident_kib():
    """Resident memory of this process (proc_pid_statm(5)), in KiB."""
    with open('/proc/self/statm') as statm:
        return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') // 1024


def when_grown(by_kib):
    """Says it once the process has grown by that much from now on."""
    begin = resident_kib()

    def watch():
        while resident_kib() < begin + by_kib:
            time.sleep(0.02)
        say_standing()

    watcher = threading.Thread(target=watch)
    watcher.daemon = True
    watcher.start()
