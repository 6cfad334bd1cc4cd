"""Grabs frames into mappings of their own, by mmap of the C library, and forgets to unmap them."""
import ctypes
import mmap
import os
import time

library = ctypes.CDLL(None)
library.mmap.restype = ctypes.c_void_p
library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
SIZE = 256 * 1024


def grab(number):
    frame = library.mmap(None, SIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    ctypes.memset(frame, number % 256, SIZE)


number = 0
while True:
    grab(number)
    number += 1
    if number == 20:
        print('standing %d' % os.getpid(), flush=True)
    time.sleep(0.05)
