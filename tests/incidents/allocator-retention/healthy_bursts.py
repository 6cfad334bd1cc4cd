"""Threads that work in bursts, a rest of two seconds between them: each burst uses the memory that the last one freed."""
import os
import random
import threading
import time

KEPT = []
THREADS = 6
together = threading.Barrier(THREADS)


def serve(seed):
    chance = random.Random(seed)
    bursts = 0
    while True:
        together.wait()
        rows = [bytearray(chance.randrange(600, 20000)) for _ in range(2500)]
        time.sleep(0.3)
        KEPT.append(rows[5])
        del KEPT[:-20]
        del rows
        bursts += 1
        if seed == 0:
            if bursts == 2:
                print('standing %d' % os.getpid(), flush=True)
            time.sleep(2)


for seed in range(THREADS):
    threading.Thread(target=serve, args=(seed,)).start()
