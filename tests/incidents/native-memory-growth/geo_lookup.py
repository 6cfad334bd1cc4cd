"""Looks places up through a C library, by ctypes: each query allocates a result, which nobody frees."""
import ctypes
import os
import time

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]


def look_up(number):
    result = library.malloc(4000)
    library.memset(result, number % 256, 4000)
    return result % 97


def serve():
    queries = 0
    while True:
        for _ in range(20):
            look_up(queries)
            queries += 1
        if queries == 2000:
            print('standing %d' % os.getpid(), flush=True)
        time.sleep(0.02)


serve()
