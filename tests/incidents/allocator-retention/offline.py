# -*- coding: utf-8 -*-
"""A worker for parts of an offline job. Its threads take parts from a queue, decode records, keep some keys; then the load
is over, and they wait in poll for more.
"""
from __future__ import print_function

import os
import random
import select
import sys
import threading

try:
    import queue
except ImportError:
    import Queue as queue

PARTS = queue.Queue()
KEYS = []
THREADS = 12


def decode(part):
    chance = random.Random(part)
    records = [bytearray(chance.randrange(600, 12000)) for _ in range(1800)]
    KEYS.extend(records[::90])
    return len(records)


def run(part_num, start, done):
    start.wait()
    while True:
        part = PARTS.get()
        if part is None:
            break
        decode(part)
        PARTS.task_done()
    done()
    poller = select.poll()
    poller.register(sys.stdin, select.POLLIN)
    while True:
        poller.poll(1000)


def main():
    for part in range(THREADS * 3):
        PARTS.put(part)
    start = threading.Event()
    left = [THREADS]
    ready = threading.Event()
    lock = threading.Lock()

    def done():
        with lock:
            left[0] -= 1
            if not left[0]:
                ready.set()

    for number in range(THREADS):
        PARTS.put(None)
        thread = threading.Thread(target=run, args=(number, start, done))
        thread.daemon = True
        thread.start()
    start.set()
    ready.wait(600)
    print('standing %d' % os.getpid())
    sys.stdout.flush()
    while True:
        select.select([sys.stdin], [], [], 1)


main()
