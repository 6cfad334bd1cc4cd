"""A pre-fork server: its stop handler, set before the fork, asks all workers to end and waits until they are gone.

One worker is asked to end, and runs that handler too: it stops its siblings, which do the same. `standing PID`: a worker
that is inside of it. Workers end slowly, because they finish what they do.
"""
import os
import signal
import time

workers = []


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False


def stop_all(signum, frame):
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    if len(workers) == 2:
        os.write(1, b'standing %d\n' % os.getpid())
    while any(alive(pid) for pid in workers):
        time.sleep(0.2)
    os._exit(0)


def serve():
    while True:
        time.sleep(0.5)


signal.signal(signal.SIGTERM, stop_all)
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        time.sleep(0.5)
        serve()
    workers.append(pid)
time.sleep(1)
os.kill(workers[-1], signal.SIGTERM)
while True:
    time.sleep(1)
