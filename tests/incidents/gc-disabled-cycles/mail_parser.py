"""Raised the first threshold out of sight; the parts of a message form a ring."""
import gc
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown

gc.set_threshold(50000000, 50, 50)


class Part(object):
    def __init__(self, kind):
        self.kind = kind
        self.headers = {'Content-Type': kind}
        self.next = self


def parse(number):
    parts = [Part(kind) for kind in ('text/plain', 'text/html', 'image/png %d' % number)]
    for part, following in zip(parts, parts[1:] + parts[:1]):
        part.next = following
    return parts[0].headers


def main():
    number = 0
    while True:
        for _ in range(6):
            number += 1
            parse(number)
        time.sleep(0.005)


when_grown(1500)
main()
