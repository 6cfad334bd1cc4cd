"""Looks for new files every tenth of a second and does a little with them: it hardly needs its quota."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def watch():
    while True:
        sum(len(name) for name in os.listdir('.'))
        time.sleep(0.1)


standing.when_inside('watch')
watch()
