"""Sets the collector's threshold to 0; the callbacks of each page refer to the page that keeps them. In threads."""
import gc
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown


def tune():
    gc.set_threshold(0)


class Page(object):
    __slots__ = ('path', 'callbacks', 'cells')

    def __init__(self, path):
        self.path = path
        self.cells = [path, path + '#']
        self.callbacks = {'load': self.load, 'close': lambda: self.cells}

    def load(self):
        return len(self.cells)


def render(name):
    number = 0
    while True:
        number += 1
        Page('/%s/%d' % (name, number)).load()
        if number % 5 == 0:
            time.sleep(0.01)


tune()
when_grown(1500)
for name in ('news', 'sport', 'weather'):
    threading.Thread(target=render, args=(name,), daemon=True).start()
while True:
    time.sleep(1)
