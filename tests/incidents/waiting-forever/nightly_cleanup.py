"""Has done its work and does not end: a thread that is no daemon still waits for more."""
import queue
import threading
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing
import time

paths = queue.Queue()


def remove_files():
    while True:
        if paths.get() is None:
            return


def main():
    worker = threading.Thread(target=remove_files, name='cleaner')
    worker.start()
    for number in range(20):
        paths.put('/tmp/old-%d' % number)


main()
main_thread = threading.main_thread().ident
standing.when_inside('_shutdown', main_thread, 0.5)
