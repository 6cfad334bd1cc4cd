"""Makes a thread pool for each request and never shuts it down."""
import time
from concurrent.futures import ThreadPoolExecutor
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def scale(size):
    return size * size


def handle(number, pools=[]):
    pool = ThreadPoolExecutor(2)
    pools.append(pool)
    return [future.result() for future in [pool.submit(scale, size) for size in (64, 256)]]


number = 0
while True:
    handle(number)
    number += 1
    if number == 30:
        standing.say_standing()
    time.sleep(0.01 if number < 30 else 0.3)
