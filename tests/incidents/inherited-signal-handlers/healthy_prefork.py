"""A pre-fork server whose workers set handlers of their own after the fork. `standing PID`: a worker."""
import os
import signal
import time

workers = []


def stop_all(signum, frame):
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    os._exit(0)


def serve():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.write(1, b'standing %d\n' % os.getpid())
    while True:
        time.sleep(0.5)


for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, stop_all)
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        serve()
    workers.append(pid)
while True:
    time.sleep(1)
