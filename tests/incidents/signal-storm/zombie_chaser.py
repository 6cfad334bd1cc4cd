"""A job runner that interrupts its jobs until `kill(pid, 0)` says that they are gone, and never waits for them.

A child that has ended and was not waited for still answers `kill(pid, 0)`, so the runner goes on for good.

    zombie_chaser.py      events: `chasing` (runner, jobs)
"""
import json
import os
import signal
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


def start_job():
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        while True:
            signal.pause()
    return pid


def alive(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class Canceller(threading.Thread):
    """Cancels jobs in the background."""

    def __init__(self, jobs):
        threading.Thread.__init__(self, name="canceller")
        self.jobs = jobs

    def run(self):
        for job in self.jobs:
            self.cancel(job)

    def cancel(self, job):
        told = False
        while alive(job):
            os.kill(job, signal.SIGINT)
            if not told:
                told = True
                tell("chasing", runner=os.getpid(), jobs=self.jobs)
            time.sleep(0.4)


def main():
    jobs = [start_job() for _ in range(2)]
    canceller = Canceller(jobs)
    canceller.start()
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
