"""Parent and workers that wait for the next job: each reads a pipe that others have the end of. Jobs come once in a while."""
import multiprocessing
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives
import time


def work(jobs, results):
    for job in iter(jobs.get, None):
        results.put(job * job)


def main():
    multiprocessing.set_start_method('fork')
    jobs, results = multiprocessing.Queue(), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(jobs, results)) for _ in range(3)]
    for worker in workers:
        worker.daemon = True
        worker.start()
    pid = os.getpid()
    relatives.when(lambda: any(relatives.waiting(child, 'pipe_r') for child in relatives.descendants(pid)))
    while True:
        time.sleep(10)
        jobs.put(7)
        results.get()


main()
