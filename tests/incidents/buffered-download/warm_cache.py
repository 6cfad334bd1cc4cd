"""A pre-fork warmer of a content network's caches: workers ask for each address so that the caches fetch it, and only look
at the status. One of the files is large. `requests` loads every body into memory before it returns."""
import os
import sys
import time

import requests

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import file_server
import standing


class Warmer:
    def __init__(self, base):
        self.base = base
        self.session = requests.Session()

    def warm(self, size):
        answer = self.session.get('%s/%d' % (self.base, size))
        return answer.status_code == 200


def work(base, sizes):
    warmer = Warmer(base)
    for size in sizes:
        warmer.warm(size)
    while True:
        time.sleep(0.5)


def main():
    base = 'http://127.0.0.1:%d' % file_server.start()
    workers = []
    for sizes in ([2000, 3000], [1000, 4 * 10 ** 9], [5000]):
        pid = os.fork()
        if pid == 0:
            if sizes[-1] > 10 ** 9:
                standing.when_grown(30000)
            work(base, sizes)
            os._exit(0)
        workers.append(pid)
    print('workers %s' % ' '.join(map(str, workers)), flush=True)
    for pid in workers:
        os.waitpid(pid, 0)


main()
