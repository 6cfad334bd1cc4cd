"""A supervisor that looks after a worker as it should: `kill(pid, 0)` ten times a second, SIGHUP once, SIGUSR1 every
half second for the worker to reopen its log, which it does.

    healthy_supervisor.py FOLDER      events: `up` (supervisor, worker), `reopened` (times)
"""
import json
import os
import signal
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Worker(object):
    def __init__(self, folder):
        self.path = os.path.join(folder, "worker.log")
        self.log = open(self.path, "a")
        self.reopen = False
        self.times = 0

    def on_usr1(self, signum, frame):
        self.reopen = True

    def run(self, ready):
        signal.signal(signal.SIGUSR1, self.on_usr1)
        signal.signal(signal.SIGHUP, self.on_usr1)
        os.write(ready, b"x")
        while True:
            time.sleep(0.02)
            if self.reopen:
                self.reopen = False
                self.times += 1
                self.log.close()
                self.log = open(self.path, "a")
                if self.times == 3:
                    tell("reopened", times=self.times)
            self.log.write("tick\n")


def main():
    ready, told = os.pipe()
    worker = os.fork()
    if worker == 0:
        Worker(sys.argv[1]).run(told)
    os.read(ready, 1)
    os.kill(worker, signal.SIGHUP)
    tell("up", supervisor=os.getpid(), worker=worker)
    beats = 0
    while True:
        os.kill(worker, 0)
        beats += 1
        if beats % 5 == 0:
            os.kill(worker, signal.SIGUSR1)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
