"""A bounded cache of texts, least recently used out first: those that come in are longer than those that go."""
import os
import time
from collections import OrderedDict

CACHED = 50000
pages = OrderedDict()


def put(number):
    pages[number] = 'p%d' % number * 200
    if len(pages) > CACHED:
        pages.popitem(last=False)


def serve():
    number = 0
    while number < 100000:
        put(number)
        number += 1
    print('standing %d' % os.getpid(), flush=True)
    while True:
        for _ in range(40):
            put(number)
            number += 1
        time.sleep(0.02)


serve()
