"""A program with three kinds of rightful periodic signals: an interval timer whose handler counts and beats, a profiler's
SIGPROF, and children that end all the time (SIGCHLD).

    healthy_ticker.py      events: `up` (pid) after the first 20 ticks
"""
import json
import os
import signal
import subprocess
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Ticker(object):
    def __init__(self):
        self.ticks = 0
        self.profile = {}
        self.children = 0
        self.beat = os.open(os.devnull, os.O_WRONLY)

    def on_tick(self, signum, frame):
        self.ticks += 1
        os.write(self.beat, b".")
        if self.ticks == 20:
            tell("up", pid=os.getpid())

    def on_profile(self, signum, frame):
        self.profile[frame.f_lineno] = self.profile.get(frame.f_lineno, 0) + 1

    def on_child(self, signum, frame):
        self.children += 1

    def run(self):
        signal.signal(signal.SIGALRM, self.on_tick)
        signal.signal(signal.SIGPROF, self.on_profile)
        signal.signal(signal.SIGCHLD, self.on_child)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
        while True:
            subprocess.call(["true"])
            sum(range(200000))
            time.sleep(0.2)


if __name__ == "__main__":
    Ticker().run()
