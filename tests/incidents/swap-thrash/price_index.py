"""Keeps an index in memory and looks prices up all over it. It is put under a memory limit while it waits for a line."""
import os
import random
import sys
import time

size = int(sys.argv[1]) << 20
sys.stdin.readline()
index = bytearray(size)
for at in range(0, size, 4096):
    index[at:at + 16] = os.urandom(16)
print('standing %d' % os.getpid(), flush=True)
while True:
    total = 0
    for _ in range(200):
        total += index[random.randrange(size - 16)]
    time.sleep(0.001)
