"""A service that refreshes the caches of a content network: a master, and workers with greenlets that send a request for
each address and only look at the status. Most requests are answered with little; one is a GET of a film. The worker that
gets it grows until the kernel kills it, and the master starts another one. It begins when it is told to on standard input."""
from gevent import monkey

monkey.patch_all()

import os
import signal
import sys

import gevent
import requests

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import file_server
import standing


class Worker:
    def __init__(self, base, sizes):
        self.base = base
        self.sizes = sizes

    def refresh(self, size):
        return requests.get('%s/%d' % (self.base, size)).status_code

    def patrol(self):
        while True:
            self.refresh(2000)
            gevent.sleep(0.2)

    def run(self):
        jobs = [gevent.spawn(self.patrol)] + [gevent.spawn(self.refresh, size) for size in self.sizes]
        gevent.joinall(jobs)


class Master:
    def __init__(self, base):
        self.base = base
        self.workers = {}
        self.stopping = False
        # The workers inherit it, as they do in the article.
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, number, frame):
        self.stopping = True

    def spawn(self, sizes):
        pid = os.fork()
        if pid == 0:
            if sizes:
                standing.when_grown(20000)
            Worker(self.base, sizes).run()
            os._exit(0)
        self.workers[pid] = sizes

    def run(self):
        for sizes in ([3000], [1000, 4 * 10 ** 9], [5000]):
            self.spawn(sizes if sizes[-1] > 10 ** 9 else [])
        while not self.stopping:
            pid, status = os.waitpid(-1, 0)
            if self.workers.pop(pid, None) is not None:
                self.spawn([])
                print('replaced %d by %d after signal %d' % (pid, max(self.workers), status & 127), flush=True)


def main():
    base = 'http://127.0.0.1:%d' % file_server.start(float(sys.argv[1]))
    sys.stdin.readline()
    Master(base).run()


main()
