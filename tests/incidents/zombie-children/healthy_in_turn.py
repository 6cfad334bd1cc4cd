"""Starts a batch of steps together and waits for them in turn; the first takes long, the others have ended."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives

steps = [subprocess.Popen(['sleep', '600'])] + [subprocess.Popen(['true']) for _ in range(9)]
pid = os.getpid()
relatives.when(lambda: len(relatives.zombies(pid)) >= 9)
for step in steps:
    step.wait()
