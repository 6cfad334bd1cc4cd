"""Runs a command and waits for it, as a supervisor or a build script does."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def run_step(argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout


def main():
    standing.when_inside('run_step')
    run_step(['sh', '-c', 'exec sleep 600'])


main()
