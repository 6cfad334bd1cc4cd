"""Keeps what it loads: a big cache of answers that is in use, with threads that read it now and then."""
import os
import random
import threading
import time

CACHE = {}


def load(first):
    for number in range(first, first + 4000):
        CACHE[number] = bytearray(random.randrange(600, 9000))


def read():
    while True:
        CACHE[random.randrange(len(CACHE))][0] = 1
        time.sleep(0.05)


loaders = [threading.Thread(target=load, args=(first,)) for first in range(0, 32000, 4000)]
for loader in loaders:
    loader.start()
for loader in loaders:
    loader.join()
for _ in range(3):
    threading.Thread(target=read, daemon=True).start()
print('standing %d' % os.getpid(), flush=True)
threading.Event().wait()
