"""Takes blocks from the C library and keeps their addresses in a list: numbers in Python, the memory is native."""
import ctypes
import os
import time

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]


class Pool:
    def __init__(self):
        self.handles = []

    def take(self):
        block = library.malloc(20000)
        ctypes.memset(block, 1, 20000)
        self.handles.append(block)


pool = Pool()
while True:
    for _ in range(5):
        pool.take()
    if len(pool.handles) == 150:
        print('standing %d' % os.getpid(), flush=True)
    time.sleep(0.03)
