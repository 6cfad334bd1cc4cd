"""Sums the rows of a table again and again, in two threads. It is put under a memory limit while it waits for a line."""
import os
import sys
import threading

rows = int(sys.argv[1])
sys.stdin.readline()
TABLE = [bytearray(1 << 20) for _ in range(rows)]
for row in TABLE:
    for at in range(0, len(row), 4096):
        row[at] = 1 + at % 251


def sums(first):
    while True:
        for row in TABLE[first::2]:
            sum(row[::4096])


for first in range(2):
    threading.Thread(target=sums, args=(first,), daemon=True).start()
print('standing %d' % os.getpid(), flush=True)
threading.Event().wait()
