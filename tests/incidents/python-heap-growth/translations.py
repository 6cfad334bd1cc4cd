"""Renders texts in worker threads; functools remembers each of them, and no text comes twice."""
import functools
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown


class Catalog(object):
    def __init__(self, language):
        self.language = language

    @functools.lru_cache(maxsize=None)
    def render(self, key, number):
        return '%s: %s no. %d of %s' % (self.language, key, number, key * 4)


CATALOG = Catalog('da')


def work(name):
    number = 0
    while True:
        number += 1
        CATALOG.render(name, number)
        if number % 8 == 0:
            time.sleep(0.01)


when_grown(1500)
for name in ('invoice', 'reminder', 'receipt'):
    threading.Thread(target=work, args=(name,), daemon=True).start()
threading.Event().wait()
