"""One thread pool that starts a thread for each of the first jobs, as it is meant to, up to its size."""
import time
from concurrent.futures import ThreadPoolExecutor
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def job():
    time.sleep(5)


pool = ThreadPoolExecutor(64, thread_name_prefix='render')
for number in range(10 ** 6):
    pool.submit(job)
    if number == 20:
        standing.say_standing()
    time.sleep(0.05 if number < 20 else 0.2)
