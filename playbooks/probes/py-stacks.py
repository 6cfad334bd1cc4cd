"""Prints the Python stacks of all threads of a running CPython process, seen many times over a window.

The process is never attached to and never stopped. Runs under Python 3.6 and later, standard library only:

    python3 -I -S -B py-stacks.py PID START-TIME SECONDS HZ

START-TIME is field 22 of /proc/PID/stat. The files py-read-*.py lie beside this one. What it prints is described in
py-read-report.py; py-stacks.ts reads it back.
"""
import os
import sys
import time
import types

MODULES = ('py_read_memory', 'py_read_images', 'py_read_elf', 'py_read_offsets', 'py_read_layout',
           'py_read_runtime', 'py_read_objects', 'py_read_lines', 'py_read_codes', 'py_read_stacks',
           'py_read_threads', 'py_read_signals', 'py_read_dicts', 'py_read_names', 'py_read_blocks',
           'py_read_locks', 'py_read_cells', 'py_read_members', 'py_read_values', 'py_read_source',
           'py_read_patterns', 'py_read_motion', 'py_read_watch', 'py_read_report', 'py_read_pools',
           'py_read_strands', 'py_read_sockets', 'py_read_suspended', 'py_read_tasks', 'py_read_greenlets',
           'py_read_offsets_turns', 'py_read_limits', 'py_read_timeouts', 'py_read_turns')
LONGER_MOST = 6.0  # seconds that a last look may go beyond the window
REST_MOST = 0.2  # seconds of rest after a look: the first one takes long, as it reads all names
TURNS_AT = (0.1, 0.8)  # parts of the window after which tasks and greenlets are looked at
BUSY_MOST = 0.5  # share of one CPU that looking may take; beyond it there are fewer samples


def load_modules():
    """Makes the files beside this one importable: `py-read-memory.py` as `py_read_memory`. Each needs some before."""
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in MODULES:
        path = os.path.join(folder, name.replace('_', '-') + '.py')
        sys.modules[name] = module = types.ModuleType(name)
        with open(path, 'rb') as source:
            exec(compile(source.read(), path, 'exec'), module.__dict__)


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
    load_modules()
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
