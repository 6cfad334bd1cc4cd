"""Computes reports in a process pool; one worker is killed in the middle of its task, as by the kernel for memory."""
import multiprocessing
import signal
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def compute(month):
    if month == 5:
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGKILL)
    return month * 31


def reports(pool):
    return pool.map(compute, range(12), chunksize=1)


def main():
    multiprocessing.set_start_method('fork')
    pool = multiprocessing.Pool(3)
    standing.when_inside('reports', for_seconds=2)
    reports(pool)


main()
