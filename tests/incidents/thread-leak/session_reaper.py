"""A thread class for each session that waits for its turn at a semaphore which is never given back."""
import threading
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

slots = threading.Semaphore(2)


class Session(threading.Thread):
    def __init__(self, name):
        threading.Thread.__init__(self, name='session-' + name)
        self.daemon = True

    def run(self):
        self.open()

    def open(self):
        slots.acquire()
        time.sleep(100000)


number = 0
while True:
    Session(str(number)).start()
    number += 1
    if number == 50:
        standing.say_standing()
    time.sleep(0.02 if number < 50 else 0.2)
