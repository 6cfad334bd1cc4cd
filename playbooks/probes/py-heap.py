"""Prints what lies in the heap of a running CPython process: live objects by type, containers, and the garbage collector's state.

The process is never attached to and never stopped. Runs under Python 3.6 and later, standard library only:

    python3 -I -S -B py-heap.py PID START-TIME WINDOW BUDGET [TYPE]

START-TIME is field 22 of /proc/PID/stat. It counts twice, at the beginning and the end of WINDOW seconds, and takes
about BUDGET seconds of CPU for both; in between it watches the sizes of containers. With TYPE it looks for what refers to the biggest object of
that type. The files py_read_*.py lie beside this one. What it prints is described in py_heap_report.py; py-heap.ts reads it back.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def main(arguments):
    from py_heap_report import printed
    from py_read_heap import Heap
    from py_read_memory import Memory, Torn, Unreadable
    from py_read_runtime import find_runtime
    out = sys.stdout.buffer
    try:
        memory = Memory(int(arguments[0]), arguments[1])
        try:
            heap = Heap(memory, find_runtime(memory))
            heap.look(float(arguments[2]), float(arguments[3]), arguments[4] if len(arguments) > 4 else None)
            report = printed(heap)
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
