"""Starts processes with multiprocessing and waits for work on a socket; the processes crash, and nobody joins them."""
import multiprocessing
import signal
import socket
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives


def crawl(url):
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    multiprocessing.set_start_method('fork')
    listening = socket.socket()
    listening.bind(('127.0.0.1', 0))
    listening.listen(5)
    # Made by hand, because start() reaps those before.
    context = multiprocessing.get_context('fork')
    workers = []
    for number in range(9):
        worker = context.Process(target=crawl, args=('http://example.com/%d' % number,))
        worker._popen = worker._Popen(worker)
        workers.append(worker)
    pid = os.getpid()
    relatives.when(lambda: len(relatives.zombies(pid)) >= 9)
    listening.accept()


main()
