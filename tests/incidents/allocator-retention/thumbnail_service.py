"""A service that scales pictures in a pool of threads: large buffers while it works, a small index entry for each after.

Once its queue is empty it waits for the next request.
"""
import os
import random
import select
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

INDEX = {}
SIZES = (700, 1500, 4000, 9000, 26000, 70000)
together = threading.Barrier(8)


def scale(number):
    together.wait()
    chance = random.Random(number)
    tiles = []
    for tile in range(1500):
        tiles.append(bytearray(chance.choice(SIZES)))
        if tile % 25 == 0:
            INDEX[number, tile] = bytearray(600)
    return sum(len(tile) for tile in tiles)


def main():
    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(scale, range(16)))
        sys.stderr.write('scaled %d bytes\n' % done)
        print('standing %d' % os.getpid(), flush=True)
        while True:
            select.select([sys.stdin], [], [], 5)


main()
