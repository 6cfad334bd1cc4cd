"""Signal handlers of several forms, each interrupting the one before, from the given signal on; the last one waits."""
from __future__ import print_function

import functools
import os
import signal
import sys
import threading
import time


class Service(object):
    def __init__(self):
        self.log = []

    def on_hangup(self, signum, frame):
        self.log.append(signum)
        work(signal.SIGUSR1)


def on_first_user(prefix, signum, frame):
    work(signal.SIGUSR2)


def on_second_user(*arguments):
    work(signal.SIGTERM)


def on_terminate(signum, frame, again=None):
    def used_in_a_closure():
        return signum, frame
    finish(used_in_a_closure)


def work(next_signal):
    os.kill(os.getpid(), next_signal)
    while True:
        time.sleep(0.001)


def finish(why, numbers=(9, None)):
    looks_like_one(15, numbers)


def looks_like_one(signum, frame):
    print('standing', os.getpid())
    threading.Event().wait(1000)


signal.signal(signal.SIGHUP, Service().on_hangup)
signal.signal(signal.SIGUSR1, functools.partial(on_first_user, 'stop'))
signal.signal(signal.SIGUSR2, lambda *arguments: on_second_user(*arguments))
signal.signal(signal.SIGTERM, on_terminate)
work(int(sys.argv[1]))
