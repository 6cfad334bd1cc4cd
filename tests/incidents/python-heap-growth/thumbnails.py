"""A queue without a bound between a quick producer and a slow consumer."""
import os
import queue
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown

pending = queue.Queue()


def scan():
    number = 0
    while True:
        number += 1
        pending.put({'path': '/pictures/%08d.jpg' % number, 'sizes': [64, 128, number]})
        if number % 4 == 0:
            time.sleep(0.004)


def shrink():
    while True:
        picture = pending.get()
        time.sleep(0.02)
        picture['done'] = True


when_grown(1500)
threading.Thread(target=shrink, daemon=True).start()
scan()
