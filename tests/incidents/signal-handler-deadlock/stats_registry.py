"""A threaded service that counts things under a lock, and prints the counts when it gets SIGUSR1.

The main thread sums up under the lock when the signal comes; the handler wants the same lock. The worker threads then
stop one by one behind it.

    stats_registry.py      events: `summing` (pid), then send SIGUSR1; `dumping` (pid)
"""
import json
import os
import signal
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Registry(object):
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = dict(("metric.%d" % number, 0) for number in range(2000))

    def count(self, name):
        with self.lock:
            self.counts[name] += 1

    def summary(self):
        with self.lock:
            tell("summing", pid=os.getpid())
            total = 0
            for _ in range(3000):
                for value in self.counts.values():
                    total += value
            return total

    def dump(self):
        with self.lock:
            return json.dumps(self.counts)


class Service(object):
    def __init__(self):
        self.registry = Registry()

    def on_usr1(self, signum, frame):
        tell("dumping", pid=os.getpid())
        os.write(2, self.registry.dump().encode("utf-8"))

    def work(self, name):
        while True:
            time.sleep(0.2)
            self.registry.count(name)

    def run(self):
        signal.signal(signal.SIGUSR1, self.on_usr1)
        for number in range(3):
            thread = threading.Thread(target=self.work, args=("metric.%d" % number,), name="worker-%d" % number)
            thread.daemon = True
            thread.start()
        while True:
            self.registry.summary()


if __name__ == "__main__":
    Service().run()
