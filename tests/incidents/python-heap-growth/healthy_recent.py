"""Caches with a bound: one of the program's own, which lets the oldest go, and one of functools. Both are full and churn."""
import collections
import functools
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import say_standing

RECENT = collections.OrderedDict()
LIMIT = 5000


def remember(key, value):
    RECENT[key] = value
    while len(RECENT) > LIMIT:
        RECENT.popitem(last=False)


@functools.lru_cache(maxsize=3000)
def describe(number):
    return 'number %d' % number


number = 0
while True:
    number += 1
    remember('key %d' % number, [number, str(number)])
    describe(number)
    if number == 20000:
        say_standing()
    if number % 10 == 0:
        time.sleep(0.002 if number > 20000 else 0)
