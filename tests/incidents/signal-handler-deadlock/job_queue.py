"""A job runner that stops by a sentinel which its SIGTERM handler puts into the queue.

Its queue drops duplicates, which takes a while when it is long; a SIGTERM during a put waits for the queue's own mutex.

    job_queue.py      events: `queueing` (pid), then send SIGTERM; `stopping` (pid)
"""
import json
import os
import signal
import threading

try:
    import queue
except ImportError:
    import Queue as queue


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class DistinctQueue(queue.Queue):
    """A queue in which a job stands only once."""

    def _put(self, item):
        tell("queueing", pid=os.getpid())
        for _ in range(20000):
            if any(item == known for known in list(self.queue)):
                return
        self.queue.append(item)


class Runner(object):
    def __init__(self):
        self.jobs = DistinctQueue()

    def on_term(self, signum, frame):
        tell("stopping", pid=os.getpid())
        self.jobs.put(None)

    def consume(self):
        while self.jobs.get() is not None:
            self.jobs.task_done()

    def run(self):
        signal.signal(signal.SIGTERM, self.on_term)
        consumer = threading.Thread(target=self.consume, name="consumer")
        consumer.start()
        for number in range(400):
            self.jobs.queue.append("waiting %d" % number)
        self.produce()
        consumer.join()

    def produce(self):
        for number in range(1000):
            self.jobs.put("job %d" % number)


if __name__ == "__main__":
    Runner().run()
