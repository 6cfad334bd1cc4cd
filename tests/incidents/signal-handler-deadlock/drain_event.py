"""A worker whose stop handler waits for an event that its own main loop would set.

    drain_event.py [queue]     queue: the handler puts into a full queue instead, which its own main loop empties
"""
import os
import queue
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Worker:
    def __init__(self):
        self.drained = threading.Event()
        self.tasks = queue.Queue(2)

    def on_term(self, signum, frame):
        if sys.argv[1:] == ['queue']:
            self.tasks.put('stop')
        else:
            self.drained.wait()

    def fill(self):
        while True:
            self.tasks.put('task')

    def loop(self):
        while True:
            time.sleep(0.3)
            if sys.argv[1:] == ['queue']:
                self.tasks.get()


worker = Worker()
signal.signal(signal.SIGTERM, worker.on_term)
if sys.argv[1:] == ['queue']:
    threading.Thread(target=worker.fill, name='fill', daemon=True).start()
standing.when_inside('on_term', for_seconds=0.5)
killer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGTERM))
killer.start()
worker.loop()
