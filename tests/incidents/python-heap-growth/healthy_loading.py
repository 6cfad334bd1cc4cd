"""Loads its dictionary at the start, which takes a while; then it is done."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown

WORDS = {}


def load(count):
    for number in range(count):
        WORDS['word %d' % number] = (number, 'noun', [number])
        if number % 20 == 0:
            time.sleep(0.005)


when_grown(800)
load(40000)
while True:
    time.sleep(1)
    WORDS.get('word 7')
