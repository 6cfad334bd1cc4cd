"""A pool of threads that wait for jobs on a queue, a thread in Condition.wait inside of `with`, and a main thread that
joins: nothing to do, nothing wrong.

    healthy_idle_queue.py      events: `up` (pid)
"""
import json
import os
import threading

try:
    import queue
except ImportError:
    import Queue as queue


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Mailbox(object):
    def __init__(self):
        self.lock = threading.Lock()
        self.filled = threading.Condition(self.lock)
        self.letters = []

    def take(self):
        with self.lock:
            while not self.letters:
                self.filled.wait()
            return self.letters.pop()


def worker(jobs, seen):
    seen.append(jobs.get())


def main():
    jobs = queue.Queue()
    mailbox = Mailbox()
    seen = []
    targets = [lambda: worker(jobs, seen)] * 3 + [mailbox.take] * 2
    threads = [threading.Thread(target=target, name="idle-%d" % number) for number, target in enumerate(targets)]
    for thread in threads:
        thread.daemon = True
        thread.start()
    tell("up", pid=os.getpid())
    threads[0].join()


if __name__ == "__main__":
    main()
