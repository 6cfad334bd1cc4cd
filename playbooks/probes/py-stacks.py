"""Prints the Python stacks of all threads of a running CPython process, seen many times over a window.

The process is never attached to and never stopped. Runs under Python 3.6 and later, standard library only:

    python3 -I -S -B py-stacks.py PID START-TIME SECONDS HZ

START-TIME is field 22 of /proc/PID/stat. The files py_read_*.py lie beside this one. What it prints is described in
py_read_report.py; py-stacks.ts reads it back.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

LONGER_MOST = 6.0  # seconds that a last look may go beyond the window
REST_MOST = 0.2  # seconds of rest after a look: the first one takes long, as it reads all names
TURNS_AT = (0.1, 0.8)  # parts of the window after which tasks and greenlets are looked at
BUSY_MOST = 0.5  # share of one CPU that looking may take; beyond it there are fewer samples


def sample(watch, seconds, hertz):
    """Looks again and again until the window is over. Returns the seconds between the first look and the last."""
    first = last = following = time.monotonic()
    end = first + seconds
    watch.deadline = end + LONGER_MOST
    turns_at = [first + part * seconds for part in TURNS_AT]
    while True:
        begun, busy = time.monotonic(), time.process_time()
        if not watch.look():
            break
        last = begun
        rest = min((time.process_time() - busy) * (1 / BUSY_MOST - 1), REST_MOST)
        if turns_at and begun >= turns_at[0]:
            del turns_at[0]
            watch.turns.look()
        now = time.monotonic()
        following = max(following + 1.0 / hertz, now + rest)
        if following > end:
            break
        time.sleep(following - now)
    if turns_at:
        watch.turns.look()
    return last - first


def main(arguments):
    from py_read_memory import Memory, Torn, Unreadable
    from py_read_motion import Motion
    from py_read_report import printed, token
    from py_read_runtime import find_runtime
    from py_read_turns import Turns
    from py_read_watch import Watch
    out = sys.stdout.buffer
    try:
        memory = Memory(int(arguments[0]), arguments[1])
        try:
            watch = Watch(memory, find_runtime(memory))
            if Motion.knows(watch.runtime.layout.version):
                watch.motion = Motion(memory.read, memory.read_all, watch.runtime.layout.version, memory.pid, token)
            watch.turns = Turns(watch)
            seconds = sample(watch, float(arguments[2]), float(arguments[3]))
            if not watch.samples:
                raise Torn('the list of threads changed all the time, or has no end')
            watch.finish()
            watch.turns.finish()
            report = printed(watch, seconds)
        except Torn as torn:
            raise Unreadable('not-parsable', 'The structures of the interpreter make no sense: %s.' % torn)
    except Unreadable as why:
        out.write(('unreadable %s %s\n' % (why.reason, why.sentence)).encode('utf-8', 'backslashreplace'))
        return 1
    out.write(report)
    out.flush()
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
