"""Damages structures in its own memory, says so, and stands still: `damaged.py WAY`."""
import ctypes
import gc
import os
import signal
import sys

gc.disable()


class Sound(object):
    __slots__ = ('number',)

    def __init__(self, number):
        self.number = number


class Broken(object):
    __slots__ = ('number',)

    def __init__(self, number):
        self.number = number


SOUND = [Sound(number) for number in range(20000)]
BROKEN = [Broken(number) for number in range(20000)]
LISTS = [[number] * 9 for number in range(3000)]
DICTS = [dict((key, key) for key in range(9)) for _ in range(3000)]
SETS = [set(range(20)) for _ in range(3000)]
# Beyond pymalloc's 512 bytes: outside of the pools, met along the collector's lists.
LARGE = [tuple(range(number, number + 200)) for number in range(300)]
HEAD = 16 if sys.version_info >= (3, 8) else 32
POOL = 1 << 14 if sys.version_info >= (3, 10) else 1 << 12


def word(address):
    return ctypes.c_uint64.from_address(address)


def types(number, each):
    word(id(each) + 8).value = (0, 7, 1 << 62, id(SOUND), id(LISTS) + 8, 0x7ffff0000000)[number % 6]


def counts(number, each):
    word(id(each)).value = (0, 1 << 60)[number % 2]


# Of those with a free block the interpreter itself takes memory, and would not outlive the damage.
FULL = [pool for pool in sorted({id(each) // POOL * POOL for each in BROKEN[::50]}) if not word(pool + 8).value]

WAYS = {
    'types': lambda: [types(number, each) for number, each in enumerate(BROKEN)],
    'counts': lambda: [counts(number, each) for number, each in enumerate(BROKEN)],
    'circle': lambda: [setattr(word(id(each) - HEAD), 'value', id(each) - HEAD) for each in LARGE],
    'wild': lambda: [setattr(word(id(each) - HEAD), 'value', 0x414141414140) for each in LARGE],
    'pools': lambda: [setattr(word(pool + 8), 'value', pool + 48) for pool in FULL],
    'carved': lambda: [setattr(word(id(each) // POOL * POOL + 40), 'value', 0xffffffffffff) for each in BROKEN[::50]],
    'sizes': lambda: [setattr(word(id(each) + 16), 'value', (1 << 63) - number) for number, each in enumerate(LISTS)],
    'items': lambda: [setattr(word(id(each) + 24), 'value', (1, 0x7ffff0000000)[number % 2]) for number, each in enumerate(LISTS)],
    'keys': lambda: [setattr(word(id(each) + 32), 'value', (1, id(SOUND) + 8)[number % 2]) for number, each in enumerate(DICTS)],
    'tables': lambda: [setattr(word(id(each) + 32), 'value', (1 << 60) - 1) for each in SETS],
}
ACT = WAYS[sys.argv[1]]
ACT()
os.write(1, b'standing\n')
while True:
    signal.pause()
