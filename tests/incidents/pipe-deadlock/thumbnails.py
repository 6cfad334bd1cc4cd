"""Computes thumbnails in workers and joins them before it takes what they found out of the queue."""
import multiprocessing
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives


def shrink(folder, results):
    for number in range(30):
        results.put((folder, number, b'\x89PNG' * 2000))


def main():
    multiprocessing.set_start_method('fork')
    results = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=shrink, args=('album-%d' % number, results)) for number in range(2)]
    for worker in workers:
        worker.daemon = True
        worker.start()
    relatives.when_descendant_waits('pipe_w')
    for worker in workers:
        worker.join()
    print(sum(len(results.get()[2]) for _ in range(60)))


main()
