"""A pre-fork service: workers make thumbnails of what lies in their inbox; one upload in eight is no
picture at all, except in the inbox of the first worker.

Usage: thumbnail_master.py [cores]. The master starts a new worker for each that ends; it keeps no log.
"""
import os
import random
import resource
import sys
import time

import thumbs


class Inbox:
    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)

    def uploads(self):
        while True:
            yield b'' if self.seed and self.random.random() < 0.125 else bytes(self.random.randrange(1, 256) for _ in range(64))


class Thumbnailer:
    def __init__(self):
        self.made = 0

    def make(self, upload):
        self.made += 1
        return thumbs.scale(upload)


def serve(seed):
    thumbnailer = Thumbnailer()
    for upload in Inbox(seed).uploads():
        thumbnailer.make(upload)
        time.sleep(0.02)


def spawn(seed):
    pid = os.fork()
    if pid == 0:
        try:
            serve(seed)
        finally:
            os._exit(1)
    return pid


def main():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard if 'cores' in sys.argv[1:] else 0, hard))
    first = spawn(0)
    print('first', first, flush=True)
    workers = {first, spawn(1)}
    lost = 0
    while True:
        pid, status = os.wait()
        workers.discard(pid)
        lost += 1
        time.sleep(0.2)
        workers.add(spawn(100 + lost))
        if lost == 3:
            print('standing', os.getpid(), flush=True)
        elif lost < 40:
            print('lost', pid, status, flush=True)


main()
