"""A supervisor of multiprocessing workers that blur pictures; a line that is too long runs over its buffer.

Writes a log with Python's own words for how a process ended. Usage: blur_pool.py LOG [cores]
"""
import logging
import multiprocessing
import os
import resource
import sys
import time

import thumbs


def blur_all(name, lines):
    for line in lines:
        time.sleep(0.05)
        thumbs.blur(line)


def batch(number):
    return [b'x' * 1200, b'y' * 1500, b'z' * (2040 if number % 2 else 2090)]


def main():
    logging.basicConfig(filename=sys.argv[1], level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s')
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    soft = hard if 'cores' in sys.argv[2:] else 0
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    context = multiprocessing.get_context('fork')
    for number in range(100000):
        worker = context.Process(target=blur_all, args=('blur', batch(number)))
        worker.start()
        logging.info('started %s for batch %d', worker.pid, number)
        worker.join()
        if worker.exitcode:
            logging.error('worker %d ended with exit code %d, batch %d is lost', worker.pid, worker.exitcode, number)
        if number == 2:
            print('standing', os.getpid(), flush=True)
        time.sleep(0.3)


main()
