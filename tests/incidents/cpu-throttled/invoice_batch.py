"""Renders invoices, one after another, in one thread: plain work that gets on as fast as it is let."""
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def render(number):
    lines = ['%d;%d;%.2f' % (number, row, row * 19.99) for row in range(200)]
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def run(total):
    digests = {}
    for number in range(total):
        digests[number % 1000] = render(number)
    return digests


standing.when_inside('run')
run(10 ** 9)
