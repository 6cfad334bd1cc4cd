"""Cuts clips into shared memory that encoders may map, and never lets go of one: the memory is that of mappings, not of objects."""
import mmap
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import say_standing

CLIPS = []
SIZE = 200000


def cut(number):
    clip = mmap.mmap(-1, SIZE)
    clip.write(bytes([number % 256]) * SIZE)
    CLIPS.append(clip)


number = 0
while True:
    number += 1
    cut(number)
    if number == 20:
        say_standing()
    time.sleep(0.02)
