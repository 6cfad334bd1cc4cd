"""Has a CPython process count its own objects: a script of ours runs in it. Refused wherever that could not be done safely.

    python3 -I -S -B pyrasite.py PID START-TIME WATCH-SECONDS NAME

NAME is that of the folder where it and the process meet; who started this script removes it when it is killed.
Lines that begin with "== " say what was done; the others are the process's own figures (pyrasite_payload.py).
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

FIGURES_SECONDS = 10
BEGIN_SECONDS = 5  # until the main thread comes to a point where it may run the script
OUTPUT_MOST = 200000


def script(result):
    with open(os.path.join(HERE, 'pyrasite_payload.py')) as file:
        return 'RESULT, SECONDS = %r, %d\n' % (result, FIGURES_SECONDS) + file.read()


def waited(meeting):
    """What the process wrote, or None when it did not in time."""
    end = time.monotonic() + BEGIN_SECONDS + FIGURES_SECONDS + 2
    while time.monotonic() < end:
        data = meeting.read(OUTPUT_MOST)
        if data.endswith(b'\nend\n'):
            return data
        time.sleep(0.02)
    return None


def main(arguments):
    from py_read_memory import Memory, Torn, Unreadable
    from py_read_runtime import find_runtime
    from pyrasite_guard import Meeting, Refused, check
    from pyrasite_ways import ask
    try:
        memory = Memory(int(arguments[0]), arguments[1])
        runtime = find_runtime(memory)
        check(memory, runtime, float(arguments[2]))
        meeting = Meeting(memory.pid, arguments[3])
        try:
            meeting.write(script(meeting.result))
            way = ask(memory, runtime, meeting.script)
            print('== asked process %d, Python %s, through %s' % (memory.pid, runtime.version, way), flush=True)
            data = waited(meeting)
        finally:
            meeting.close()
    except Refused as why:
        print('== refused: %s' % why)
        return 5
    except Unreadable as why:
        print('== unreadable %s %s' % (why.reason, why.sentence))
        return 4
    except Torn as torn:
        print('== refused: the structures of its interpreter make no sense: %s' % torn)
        return 5
    if data is None:
        print('== no figures: it did not count its objects in time; the request does nothing any more')
        return 6
    sys.stdout.write(data.decode('ascii', 'replace'))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
