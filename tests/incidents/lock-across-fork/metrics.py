"""A service whose reporter thread holds the registry's RLock while multiprocessing forks a worker that counts too.

    metrics.py      events: `up` (master, worker), `counting` (pid)
"""
import json
import multiprocessing
import os
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Registry(object):
    def __init__(self):
        self.lock = threading.RLock()
        self.sending = threading.Event()
        self.values = {}

    def count(self, name):
        with self.lock:
            self.values[name] = self.values.get(name, 0) + 1

    def send(self):
        with self.lock:
            self.sending.set()
            time.sleep(0.5)

    def report(self):
        while True:
            self.send()


def work(registry):
    tell("counting", pid=os.getpid())
    registry.count("started")


def main():
    registry = Registry()
    reporter = threading.Thread(target=registry.report, name="reporter")
    reporter.daemon = True
    reporter.start()
    registry.sending.wait()
    context = multiprocessing.get_context("fork") if hasattr(multiprocessing, "get_context") else multiprocessing
    worker = context.Process(target=work, args=(registry,))
    worker.start()
    tell("up", master=os.getpid(), worker=worker.pid)
    worker.join()


if __name__ == "__main__":
    main()
