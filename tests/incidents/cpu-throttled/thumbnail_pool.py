"""A pool of threads that packs images in native code, which lets go of the interpreter lock: it could use several processors."""
import os
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def pack(seed):
    image = bytes((seed * 31 + x * 7) & 255 for x in range(4096)) * 256
    for _ in range(10 ** 6):
        packed = zlib.compress(image, 9)
    return len(packed)


with ThreadPoolExecutor(3) as pool:
    jobs = [pool.submit(pack, seed) for seed in range(3)]
    standing.say_standing()
    for job in jobs:
        job.result()
