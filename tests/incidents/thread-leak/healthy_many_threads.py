"""A pool of a hundred and twenty threads that wait for jobs, and thirty that look after something now and then; all from the start."""
import queue
import threading
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

jobs = queue.Queue()


def work():
    while True:
        jobs.get()


def watch():
    while True:
        time.sleep(2)


for _ in range(120):
    threading.Thread(target=work, daemon=True).start()
for _ in range(30):
    threading.Thread(target=watch, daemon=True).start()
standing.say_standing()
while True:
    time.sleep(1)
