"""Switched the collector off, and makes no cycles: reference counts free everything. A big table makes it large."""
import gc
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import say_standing

gc.disable()


class Reading(object):
    def __init__(self, number):
        self.number = number
        self.values = [number, number + 1]


TABLE = [Reading(number) for number in range(120000)]
say_standing()
while True:
    made = [Reading(number) for number in range(2000)]
    del made
    time.sleep(0.01)
