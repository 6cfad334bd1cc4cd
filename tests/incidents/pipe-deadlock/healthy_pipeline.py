"""Reads what a child produces, slower than it produces it: the pipe is full most of the time, and moves.

    healthy_pipeline.py [slow]     slow: a line, then a rest
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives
import time


def main():
    child = subprocess.Popen(['seq', '1', '100000000'], stdout=subprocess.PIPE)
    relatives.when_descendant_waits('pipe_w', 0.1)
    total = 0
    for line in child.stdout:
        total += int(line)
        if sys.argv[1:] == ['slow']:
            time.sleep(0.5)
        elif total % 64 == 0:
            time.sleep(0.001)


main()
