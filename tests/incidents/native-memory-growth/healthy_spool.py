"""Builds a report in one buffer, sends it and begins the next: in a window the buffer may only grow."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import say_standing

report = bytearray()


def build(rows):
    for number in range(rows):
        report.extend(os.urandom(2500))
        if number == 200:
            say_standing()
        time.sleep(0.003)
    report.clear()


while True:
    build(6000)
