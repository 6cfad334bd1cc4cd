"""A process pool at work: long tasks, and a main thread that waits for all of them."""
import multiprocessing
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def simulate(number):
    time.sleep(600)


def wait_all(pool):
    return pool.map(simulate, range(8))


def main():
    multiprocessing.set_start_method('fork')
    pool = multiprocessing.Pool(2)
    standing.when_inside('wait_all')
    wait_all(pool)


main()
