"""Merges what two processes put into a queue; both were killed before they had put everything."""
import multiprocessing
import signal
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def feed(name, rows):
    for number in range(3):
        rows.put((name, number))
    rows.close()
    rows.join_thread()
    os.kill(os.getpid(), signal.SIGKILL)


def merge(rows, expected):
    return sorted(rows.get() for _ in range(expected))


def main():
    multiprocessing.set_start_method('fork')
    rows = multiprocessing.Queue()
    for name in ('north', 'south'):
        multiprocessing.Process(target=feed, args=(name, rows)).start()
    standing.when_inside('merge', for_seconds=0.6)
    merge(rows, 10)


main()
