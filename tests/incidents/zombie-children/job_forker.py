"""A server that forks for each job and reaps one child a signal, though several end at once."""
import signal
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives


def on_child(signum, frame):
    try:
        os.waitpid(-1, os.WNOHANG)
    except OSError:
        pass


def start_jobs(count):
    reading, writing = os.pipe()
    for _ in range(count):
        if os.fork() == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(3)
    os.close(reading)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    os.close(writing)
    time.sleep(0.5)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


signal.signal(signal.SIGCHLD, on_child)
pid = os.getpid()
for _ in range(3):
    start_jobs(5)
relatives.when(lambda: len(relatives.zombies(pid)) >= 8)
while True:
    time.sleep(1)
