"""Starts three commands at a time and fetches them together, a second later."""
import subprocess
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives
import standing

batches = 0
while True:
    batch = [subprocess.Popen(['true']) for _ in range(3)]
    time.sleep(1)
    for each in batch:
        each.wait()
    batches += 1
    if batches == 1:
        standing.say_standing()
