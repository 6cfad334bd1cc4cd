"""Has just started: the newest frames, a queue of orders and a page cache fill up, and each has a bound."""
import collections
import os
import queue
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import say_standing

FRAMES = collections.deque(maxlen=5000)
ORDERS = queue.Queue(maxsize=3000)


class Pages:
    def __init__(self, most):
        self.most = most
        self.kept = {}

    def keep(self, path, text):
        self.kept[path] = text
        while len(self.kept) > self.most: self.kept.popitem()


def take():
    while True:
        ORDERS.put(os.urandom(3000))
        time.sleep(0.01)


def ship():
    while True:
        ORDERS.get()
        time.sleep(0.2)


pages = Pages(4000)
for work in (take, ship):
    threading.Thread(target=work, daemon=True).start()
number = 0
while True:
    number += 1
    FRAMES.append(os.urandom(4000))
    pages.keep('/page/%d' % number, 'text' * 800 + str(number))
    if number == 50:
        say_standing()
    time.sleep(0.01)
