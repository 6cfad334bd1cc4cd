"""Starts a thread for each small task; they end after a moment, and others come."""
import threading
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def task():
    time.sleep(1)


number = 0
while True:
    threading.Thread(target=task).start()
    number += 1
    if number == 80:
        standing.say_standing()
    time.sleep(0.03)
