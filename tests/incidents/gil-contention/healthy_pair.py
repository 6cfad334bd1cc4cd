"""Two threads that work now and then, together about half of a processor; ten others wait for work."""
import os
import queue
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def collect(pause):
    while True:
        end = time.perf_counter() + 0.01
        while time.perf_counter() < end:
            sum(range(500))
        time.sleep(pause)


jobs = queue.Queue()
for number in range(2):
    threading.Thread(target=collect, args=(0.03,), daemon=True).start()
for number in range(10):
    threading.Thread(target=jobs.get, daemon=True).start()
standing.say_standing()
threading.Event().wait()
