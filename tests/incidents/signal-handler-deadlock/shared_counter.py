"""Worker processes that share a table under a multiprocessing lock; the SIGINT handler writes a last row under it.

The worker that holds the lock when SIGINT comes waits for itself, and its siblings wait for it.

    shared_counter.py      events: `up` (master, workers), `writing` (pid), then send SIGINT to it; `closing` (pid)
"""
import json
import multiprocessing
import os
import signal
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Table(object):
    def __init__(self, context):
        self.lock = context.Lock()
        self.rows = context.Array("i", 100000, lock=False)

    def fill(self, value):
        with self.lock:
            tell("writing", pid=os.getpid())
            for _ in range(100):
                for row in range(len(self.rows)):
                    self.rows[row] = value

    def close(self, value):
        with self.lock:
            self.rows[0] = value


def work(table, number):
    def on_int(signum, frame):
        tell("closing", pid=os.getpid())
        table.close(-number)
        os._exit(0)

    signal.signal(signal.SIGINT, on_int)
    while True:
        table.fill(number)


def main():
    context = multiprocessing.get_context("fork") if hasattr(multiprocessing, "get_context") else multiprocessing
    table = Table(context)
    workers = [context.Process(target=work, args=(table, number)) for number in range(2)]
    for worker in workers:
        worker.daemon = True
        worker.start()
    tell("up", master=os.getpid(), workers=[worker.pid for worker in workers])
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
