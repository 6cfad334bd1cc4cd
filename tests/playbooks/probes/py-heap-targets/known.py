# -*- coding: utf-8 -*-
"""Knows what is in its heap: prints it as JSON, then stands still until told otherwise.

    known.py COUNT
"""
import collections
import gc
import json
import os
import sys
import time

try:
    import queue
except ImportError:
    import Queue as queue


class Order(object):
    def __init__(self, number):
        self.number = number
        self.lines = [number]


class Point(object):
    __slots__ = ('x', 'y')

    def __init__(self, x, y):
        self.x, self.y = x, y


class Matrix(list):
    pass


class Ledger(dict):
    def __init__(self, number):
        dict.__init__(self, a=number, b=str(number))
        self.name = 'ledger'


class Shelf(object):
    boxes = []


class Keeper(object):
    def __init__(self):
        self.table = {}
        self.queue = collections.deque()


def cached(function):
    try:
        import functools
        return functools.lru_cache(maxsize=None)(function)
    except AttributeError:
        return function


@cached
def square(number):
    return number * number


COUNT = int(sys.argv[1])
ORDERS = {}
POINTS = []
KEEPER = Keeper()
RECENT = collections.deque(maxlen=54321)
WAITING = queue.Queue(maxsize=43210)


def fill():
    for number in range(COUNT):
        ORDERS['order %d' % number] = Order(number + 1000)
        POINTS.append(Point(float(number) + 0.5, (number + 5000, number)))
        KEEPER.table[number] = Matrix([number])
    for number in range(COUNT // 10):
        Shelf.boxes.append(Ledger(number))
        KEEPER.queue.append(set([number]))
    for number in range(300, 300 + COUNT // 5):
        square(number)


def own_size(kind):
    """Bytes of all objects of a type, rounded up as pymalloc does."""
    rounded = 8 if sys.version_info < (3, 7) else 16
    return sum((sys.getsizeof(each) + rounded - 1) // rounded * rounded for each in gc.get_objects() if type(each) is kind)


def inner(local_list):
    gc.collect()
    objects = gc.get_objects()
    counts = collections.Counter(type(each) for each in objects)
    del objects
    kinds = (Order, Point, Matrix, Ledger, Keeper)
    print(json.dumps({
        'pid': os.getpid(),
        'counts': dict((kind.__name__, counts[kind]) for kind in kinds),
        'lists': counts[list], 'sets': counts[set], 'deques': counts[collections.deque],
        'functions': counts[type(fill)],
        'points': own_size(Point),
        'floats': COUNT,
        'thresholds': gc.get_threshold(),
        'enabled': gc.isenabled(),
    }))
    sys.stdout.flush()
    for line in iter(sys.stdin.readline, ''):
        if line.strip() == 'grow':
            while True:
                for _ in range(20):
                    number = len(ORDERS)
                    local_list.append(Point(number + 0.25, None))
                    ORDERS['later %d' % number] = Order(number)
                    RECENT.append(None)
                    WAITING.put(None)
                time.sleep(0.01)
        elif line.strip() == 'exec':
            os.execv('/bin/sleep', ['sleep', '1000'])
        else:
            os._exit(0)


def main():
    fill()
    inner([Point(0.1, 0.2)] * 40)


main()
