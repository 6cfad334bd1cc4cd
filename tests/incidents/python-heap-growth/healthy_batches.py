"""Builds a batch of rows, sums them up, lets go of them, and so on, about twice a second."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import say_standing


class Row(object):
    def __init__(self, number):
        self.number = number
        self.text = 'row %d' % number


def run_batch(size):
    rows = []
    for number in range(size):
        rows.append(Row(number))
        if number % 400 == 0:
            time.sleep(0.01)
    return sum(row.number for row in rows)


total = run_batch(8000)
say_standing()
while True:
    total += run_batch(16000)
