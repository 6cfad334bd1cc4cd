"""Loaded a lot that it seldom needs: most of it was pushed out to swap, and it works with the rest."""
import os
import sys
import time

size = int(sys.argv[1]) << 20
sys.stdin.readline()
archive = bytearray(size)
for at in range(0, size, 4096):
    archive[at] = 1 + at % 251
del at
recent = bytearray(1 << 20)
print('standing %d' % os.getpid(), flush=True)
while True:
    for at in range(0, len(recent), 4096):
        recent[at] = 2
    time.sleep(0.01)
