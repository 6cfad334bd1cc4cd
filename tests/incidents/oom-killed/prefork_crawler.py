"""A master with workers. One worker loads a whole download into memory until the kernel kills it; the master replaces it,
and the replacement behaves."""
import os
import sys
import time


class Master:
    def __init__(self, count):
        self.count = count
        self.workers = {}

    def spawn(self, number, greedy):
        pid = os.fork()
        if pid == 0:
            work(number, greedy)
            os._exit(0)
        self.workers[pid] = number

    def run(self):
        for number in range(self.count):
            self.spawn(number, greedy=number == 1)
        while True:
            pid, status = os.wait()
            number = self.workers.pop(pid)
            self.spawn(number, greedy=False)
            print('replaced %d by %d after signal %d' % (pid, max(self.workers), status & 127), flush=True)


def download(size):
    body = []
    for _ in range(size):
        body.append(os.urandom(65536) * 16)
    return body


def work(number, greedy):
    if greedy:
        time.sleep(0.5)
        download(10 ** 6)
    while True:
        time.sleep(0.5)


def main():
    sys.stdin.readline()
    Master(3).run()


main()
