"""A service with a large cache that is full: what comes in pushes out the oldest, under a lock that is taken often."""
import collections
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Cache:
    def __init__(self, size):
        self.size = size
        self.lock = threading.Lock()
        self.entries = collections.OrderedDict()

    def get(self, key, make):
        with self.lock:
            if key in self.entries:
                self.entries.move_to_end(key)
                return self.entries[key]
            value = self.entries[key] = make(key)
            if len(self.entries) > self.size:
                self.entries.popitem(last=False)
            return value


def profile(key):
    return {'id': key, 'name': 'customer %d' % key, 'notes': ['%d-%d' % (key, each) for each in range(6)]}


def serve(cache):
    while True:
        for _ in range(200):
            cache.get(random.randrange(400000), profile)
        time.sleep(0.02)


def main():
    cache = Cache(200000)
    for key in range(200000):
        cache.get(key, profile)
    for number in range(4):
        threading.Thread(target=serve, args=(cache,), name='serve-%d' % number, daemon=True).start()
    standing.say_standing()
    while True:
        time.sleep(0.5)
        sys.stderr.flush()


main()
