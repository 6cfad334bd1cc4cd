"""Handlers as they may be: one sets a flag that the main loop looks at; the one for SIGTERM asks the workers once and
waits, inside the handler, until they have finished what they are at (which takes long).

    healthy_stop.py flag      a main loop that waits and reloads when SIGHUP has set a flag; events: `up` (pid), `reloaded`
    healthy_stop.py stop      events: `up` (pid, workers), then send SIGTERM to pid; `waiting` (pid)
"""
import json
import os
import signal
import sys
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class FlagService(object):
    def __init__(self):
        self.reload = False
        self.lock = threading.Lock()
        self.settings = {}

    def on_hup(self, signum, frame):
        self.reload = True

    def run(self):
        signal.signal(signal.SIGHUP, self.on_hup)
        tell("up", pid=os.getpid())
        while True:
            with self.lock:
                if self.reload:
                    self.reload = False
                    self.settings["loaded"] = time.time()
                    tell("reloaded")
            time.sleep(0.05)


class StopService(object):
    def __init__(self):
        self.workers = []

    def start_worker(self):
        signal.signal(signal.SIGTERM, lambda signum, frame: None)
        pid = os.fork()
        if pid == 0:
            while True:
                time.sleep(1)
        self.workers.append(pid)

    def on_term(self, signum, frame):
        for pid in self.workers:
            os.kill(pid, signal.SIGTERM)
        tell("waiting", pid=os.getpid())
        for pid in self.workers:
            os.waitpid(pid, 0)
        os._exit(0)

    def run(self):
        for _ in range(2):
            self.start_worker()
        signal.signal(signal.SIGTERM, self.on_term)
        tell("up", pid=os.getpid(), workers=self.workers)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    (FlagService if sys.argv[1] == "flag" else StopService)().run()
