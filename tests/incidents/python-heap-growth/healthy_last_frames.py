"""Keeps the last hundred frames, and has only some of them yet: one large buffer every now and then, the oldest goes."""
import os
import time

frames = []


def grab():
    frames.append(bytearray(os.urandom(4096) * 200))
    while len(frames) > 100:
        frames.pop(0)


for _ in range(12):
    grab()
print('standing %d' % os.getpid(), flush=True)
while True:
    grab()
    time.sleep(0.6)
