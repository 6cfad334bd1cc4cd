"""Writes down every stack that its work goes through, then goes on with that work for ever in some threads.

truth.py FILE THREADS: FILE gets one legal stack a line, innermost frame first, as `function:line` words. The work is
the same each time, so whatever anybody sees of it must be in that file.
"""
from __future__ import print_function

import os
import sys
import threading

HERE = os.path.basename(__file__).replace('.pyc', '.py')
seen = set()


def note(frame, event, argument):
    """A trace function: called at each call, line, instruction (from 3.7 on), return and exception."""
    if hasattr(frame, 'f_trace_opcodes'):
        frame.f_trace_opcodes = True
    names = []
    inner = frame
    while inner is not None:
        code = inner.f_code
        if code.co_filename.endswith(HERE):
            names.append('%s:%s' % (code.co_name, inner.f_lineno))
        inner = inner.f_back
    seen.add(' '.join(names))
    return note


def tiny(value):
    return value


def other(value):
    return -value


def twins(value):
    tiny(value)
    other(value)
    tiny(value); other(value)
    return tiny(
        other(
            value))


def first(value):
    if value > 2:
        return deeper_first(value)
    return 0


def second(value):
    if value <= 2:
        return deeper_second(value)
    return 1


def deeper_first(value):
    return tiny(value) + 1


def deeper_second(value):
    return other(value) - 1


def branches():
    for value in range(5):
        first(value)
        second(value)


def recursive(depth):
    if depth:
        recursive(depth - 1)
        return recursive_other(depth - 1)
    return tiny(depth)


def recursive_other(depth):
    return depth and recursive_other(depth - 1)


def numbers(count):
    for value in range(count):
        yield tiny(value)


def chained(count):
    for value in numbers(count):
        yield other(value)


def generators():
    total = 0
    for value in chained(4):
        total += value
    return sum(numbers(3)) + total


def by_key(value):
    return other(value)


def through_c():
    sorted([3, 1, 2], key=by_key)
    list(map(lambda value: tiny(value), [1, 2]))
    return [first(value) for value in (1, 3)]


def failing(value):
    if value:
        raise ValueError(value)


def exceptions():
    for value in (0, 1):
        try:
            failing(value)
        except ValueError as error:
            tiny(error)
        else:
            other(value)
        finally:
            tiny(value)


class Place(object):
    def __init__(self, value):
        self.value = tiny(value)

    def __enter__(self):
        return self.inner

    def __exit__(self, *why):
        other(self.value)

    def __getitem__(self, index):
        return other(index)

    def __add__(self, more):
        return tiny(self.value + more)

    @property
    def inner(self):
        return tiny(self.value)


def objects():
    place = Place(4)
    with place as value:
        place[value]
        with Place(5):
            place + 1
    return place.inner


def closures():
    def inner(value):
        return outer_value + tiny(value)
    outer_value = 3
    return inner(2) + (lambda: other(outer_value))()


def work():
    twins(1)
    branches()
    recursive(3)
    generators()
    through_c()
    exceptions()
    objects()
    closures()


def record():
    work()
    sys.settrace(note)
    for _ in range(3):
        work()
    sys.settrace(None)


def forever():
    global rounds
    while True:
        for _ in range(100):
            work()
        rounds += 1


rounds = 0


def in_thread(action):
    # One line for both, so that recorded and sampled stacks begin alike.
    action()


recorder = threading.Thread(target=in_thread, args=(record,))
recorder.start()
recorder.join()
with open(sys.argv[1], 'w') as legal:
    legal.write(''.join(sorted(line + '\n' for line in seen)))
for _ in range(int(sys.argv[2])):
    thread = threading.Thread(target=in_thread, args=(forever,))
    thread.daemon = True
    thread.start()
print('standing', os.getpid())
for line in iter(sys.stdin.readline, ''):
    print('rounds', rounds)
