"""Serves requests in threads: each takes buffers through ctypes and gives them back. Its memory goes up and down."""
import ctypes
import os
import random
import threading
import time

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
served = threading.Semaphore(0)


def serve(seed):
    chance = random.Random(seed)
    while True:
        buffers = [library.malloc(200000) for _ in range(chance.randrange(20, 80))]
        for buffer in buffers:
            ctypes.memset(buffer, 1, 200000)
        time.sleep(0.05)
        for buffer in buffers:
            library.free(buffer)
        served.release()
        time.sleep(0.05)


for seed in range(3):
    threading.Thread(target=serve, args=(seed,), daemon=True).start()
for _ in range(9):
    served.acquire()
print('standing %d' % os.getpid(), flush=True)
threading.Event().wait()
