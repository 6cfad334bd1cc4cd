"""A job board that is filled by a thread while the main thread forks workers; a worker puts a job into the queue that
it inherited, whose mutex the thread had at that moment. The thread does not exist in the worker.

    job_board.py      events: `up` (master, worker), `reporting` (pid)
"""
import json
import os
import threading
import time

try:
    import queue
except ImportError:
    import Queue as queue


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class DistinctQueue(queue.Queue):
    """A queue in which a job stands only once."""

    filling = threading.Event()

    def _put(self, item):
        self.filling.set()
        time.sleep(0.3)
        if item not in self.queue:
            self.queue.append(item)


class Board(object):
    def __init__(self):
        self.jobs = DistinctQueue()

    def fill(self):
        number = 0
        while True:
            number += 1
            self.jobs.put("job %d" % number)

    def report(self):
        tell("reporting", pid=os.getpid())
        self.jobs.put("report of %d" % os.getpid())


def main():
    board = Board()
    filler = threading.Thread(target=board.fill, name="filler")
    filler.daemon = True
    filler.start()
    board.jobs.filling.wait()
    worker = os.fork()
    if worker == 0:
        board.report()
        os._exit(0)
    tell("up", master=os.getpid(), worker=worker)
    os.waitpid(worker, 0)


if __name__ == "__main__":
    main()
